"""What an annotation file names, found without reading it whole, and what pred and export make of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="needs the pose extra")

from pose.data.category import category_in, file_of
from pose.data.joints import COCO

NAMES = ["head", "Left Hand", "Right Hand"]
WORKER = {"id": 4, "name": "worker", "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]}


def written(path: Path, *categories: object, first: bool = False, **more: object) -> Path:
    document = {"images": [], **more}
    parts = [{"categories": list(categories)}, document]
    merged = {**parts[0], **parts[1]} if first else {**parts[1], **parts[0]}
    path.write_text(json.dumps(merged), encoding="utf-8")
    return path


@pytest.mark.parametrize("first", [True, False])
def test_the_first_category_is_found_wherever_the_file_has_it(tmp_path, first):
    odd = [{"id": 1, "categories": ["of a tool"], "attributes": {"note": '"categories": [{"id": 9'}}]
    file = written(
        tmp_path / "a.json", WORKER, {"id": 5, "keypoints": ["x"] * 3}, first=first, annotations=odd
    )
    found = category_in(file, 3, (0.1, 0.2, 0.3))
    assert (found.number, found.joints.names, found.joints.flip_pairs) == (4, tuple(NAMES), ((1, 2),))
    assert (found.joints.skeleton, found.joints.sigmas) == (((0, 1), (0, 2)), (0.1, 0.2, 0.3))


@pytest.mark.parametrize(
    "category",
    [
        {**WORKER, "keypoints": NAMES[:2]},
        {**WORKER, "keypoints": "abc"},
        {**WORKER, "keypoints": [1, 2, 3]},
        {**WORKER, "skeleton": [[0, 1]]},
        {**WORKER, "skeleton": [[1]]},
        {**WORKER, "id": "x"},
        {"keypoints": NAMES},
        "worker",
    ],
)
def test_a_category_that_does_not_fit_tells_nothing(tmp_path, category):
    assert category_in(written(tmp_path / "a.json", category), 3) is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"categories"', b'{"categories": [', b"[]"])
def test_a_broken_file_tells_nothing(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert category_in(tmp_path / "a.json", 3) is None


def test_a_test_set_s_category_has_coco_s_joints(tmp_path):
    file = written(tmp_path / "a.json", {"id": 1, "name": "person"})
    assert category_in(file, 17).joints is COCO
    assert category_in(file, 16) is None


def test_the_first_set_that_has_a_file_is_asked(tmp_path):
    assert file_of(tmp_path, "val", "train") is None
    (tmp_path / "annotations").mkdir()
    train = written(tmp_path / "annotations" / "person_keypoints_train.json", WORKER)
    assert file_of(tmp_path, "val", "train") == train
    val = written(tmp_path / "annotations" / "person_keypoints_val.json", WORKER)
    assert file_of(tmp_path, "val", "train") == val
    assert file_of(tmp_path, "a\0b") is None


@pytest.fixture
def own(workplace, people):
    """A dataset of seventeen joints that are not COCO's, and a picture."""
    pytest.importorskip("torch", reason="needs the pose extra")
    names = [f"p{n}" for n in range(15)] + ["hand.L", "hand.R"]
    (workplace / "own" / "annotations").mkdir(parents=True)
    file = workplace / "own" / "annotations" / "person_keypoints_val2017.json"
    written(file, {"id": 4, "keypoints": names, "skeleton": [[16, 17]]})
    shutil.copy(min((people / "images" / "val2017").iterdir()), "s.jpg")
    return names


def test_a_prediction_names_one_s_own_joints_and_mirrors_them(own, pose, monkeypatch):
    import torch

    from pose.judging import inference

    mirrored = []

    def maps(_model, crops, _config, pairs):
        mirrored.append(pairs)
        return torch.ones(len(crops), 17, 16, 8)

    monkeypatch.setattr(inference, "heat_maps", maps)
    words = ("--cfg", "small.yaml", "--data", "own", "--untrained", "TEST.FLIP_TEST", "True")
    assert pose("pred", *words, "s.jpg")[0] == 0
    document = json.loads(Path("s-pose.json").read_text(encoding="utf-8"))
    assert document["joint_names"] == own
    assert [person["category_id"] for person in document["people"]] == [4]
    assert mirrored == [((15, 16),)]


def test_an_export_names_one_s_own_joints(own, pose):
    onnx = pytest.importorskip("onnx", reason="needs the pose extra")
    assert pose("export", "--cfg", "small.yaml", "--data", "own", "--untrained", "s.jpg")[0] == 0
    described = {entry.key: entry.value for entry in onnx.load("small.onnx").metadata_props}
    said = json.loads(described["pose"])
    assert (said["joints"], said["flip_pairs"]) == (own, [[15, 16]])


def test_boxes_are_of_the_dataset_s_own_category(own, pose):
    entries = [{"image_id": 7, "category_id": n, "bbox": [n, 0, 20, 30], "score": 1} for n in (1, 4)]
    Path("b.json").write_text(json.dumps(entries), encoding="utf-8")
    Path("in").mkdir()
    shutil.copy("s.jpg", "in/7.jpg")
    words = ("--cfg", "small.yaml", "--data", "own", "--untrained", "--boxes", "b.json")
    assert pose("pred", *words, "in")[0] == 0
    (entry,) = json.loads(Path("in-keypoints.json").read_text(encoding="utf-8"))
    assert entry["category_id"] == 4
    assert len(own) * 3 == len(entry["keypoints"])
