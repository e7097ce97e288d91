"""SELECT_DATA: the public formula, computed once more in plain Python."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("torch", reason="needs the pose extra")

from pose.data import coco  # noqa: E402
from pose.data.record import Record  # noqa: E402
from pose.data.selection import selected  # noqa: E402


def someone(points, labelled, center=(100, 100), scale=(1.0, 2.0)):
    box = np.zeros(4, np.float32)
    middle, size = np.array(center, np.float32), np.array(scale, np.float32)
    seen = np.array(labelled, np.float32)
    return Record(1, Path("x.jpg"), box, middle, size, np.array(points, float), seen, 1.0, 9.0)


def plainly(record):
    """The rule of the public implementation, number by number."""
    seen = [tuple(map(float, p)) for p, v in zip(record.joints, record.visible, strict=True) if v > 0]
    if not seen:
        return False
    x, y = (sum(p[axis] for p in seen) / len(seen) for axis in (0, 1))
    squared = (x - float(record.center[0])) ** 2 + (y - float(record.center[1])) ** 2
    area = float(record.scale[0]) * float(record.scale[1]) * 200 * 200
    ks = math.exp(-squared / (2 * 0.2 * 0.2 * area))
    return ks > (0.2 / 16) * len(seen) + 0.45 - 0.2 / 16


def test_the_same_people_are_kept_as_by_a_plain_computation():
    draw = np.random.default_rng(5)
    records = []
    for _ in range(400):
        points = draw.normal(100, 60, (17, 2)) + draw.normal(0, 50, 2)
        records.append(someone(points, draw.random(17) < draw.random(), scale=draw.uniform(0.3, 2, 2)))
    expected = [record for record in records if plainly(record)]
    assert 100 < len(expected) < 300
    assert [id(record) for record in selected(records)] == [id(record) for record in expected]


def test_one_joint_may_be_as_far_as_the_threshold_says_and_seventeen_must_be_nearer():
    # exp(-d^2 / (2 * 0.04 * 80000)) > 0.45 for one joint, > 0.65 for seventeen: d < 71.5 and d < 52.5.
    for count, limit in ((1, math.sqrt(-6400 * math.log(0.45))), (17, math.sqrt(-6400 * math.log(0.65)))):
        near, far = (someone([(100 + limit + by, 100)] * count, [1] * count) for by in (-0.01, 0.01))
        assert selected([near, far]) == (near,)


def test_hidden_and_unlabelled_joints_do_not_count():
    lost = someone([(100, 100)], [0])
    stray = someone([(100, 100), (9000, 9000)], [1, 0])
    assert selected([lost, stray]) == (stray,)


def test_training_learns_from_the_selected_people_alone(workplace, people, pose):
    root = workplace / "people"
    shutil.copytree(people, root)
    file = coco.annotation_file(root, "train2017")
    document = json.loads(file.read_text())
    for entry in document["annotations"][:3]:
        entry["keypoints"] = [*entry["keypoints"][:2], 2, *[0] * 48]  # of these only the nose
    file.write_text(json.dumps(document))
    truth = coco.load_ground_truth(root, "train2017", (64, 32))
    count = sum(map(plainly, truth.records))
    assert 0 < count < len(truth.records)
    run = ("train", "--cfg", "small.yaml", "GPUS", "()", "TRAIN.END_EPOCH", "1", "DATASET.ROOT", str(root))
    code, _, err = pose(*run, "DATASET.SELECT_DATA", "True")
    assert code == 0, err
    assert f"SELECT_DATA keeps {count} of {len(truth.records)} people" in err
    assert re.search(rf"^{count} people to learn from", err, re.MULTILINE)
    assert list(workplace.rglob("final_state.pth"))


def test_the_real_people_are_selected_as_by_a_plain_computation(shared):
    records = coco.load_ground_truth(shared / "data" / "coco-mini", "val2017", (256, 192)).records
    kept = [plainly(record) for record in records]
    assert 0 < sum(kept) < len(kept)
    assert [id(r) for r in selected(records)] == [id(r) for r, k in zip(records, kept, strict=True) if k]
