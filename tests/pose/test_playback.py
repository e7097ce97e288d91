"""The same boxes and the same heat maps, through `test` and through the plain reference: the same numbers.

The network alone is replaced, by maps drawn around the annotated joints with errors of a middling network, so
that every number of the table is somewhere between 0 and 1.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")

import numpy as np  # noqa: E402

from pose.judging import inference  # noqa: E402
from tests.pose import reference  # noqa: E402

WIDTH, HEIGHT = 64, 96  # the crop; maps have a quarter
SETTINGS = {"in_vis_threshold": 0.2, "oks_threshold": 0.4, "post_process": True}
KEYS = (
    *("MODEL.IMAGE_SIZE", f"({WIDTH}, {HEIGHT})", "MODEL.HEATMAP_SIZE", f"({WIDTH // 4}, {HEIGHT // 4})"),
    *("TEST.IN_VIS_THRE", "0.2", "TEST.OKS_THRE", "0.4", "TEST.POST_PROCESS", "True"),
    *("TEST.BATCH_SIZE_PER_GPU", "7", "--untrained"),
)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Drawn people, several to a picture."""
    from pose.stages.synth import write_dataset

    root = tmp_path_factory.mktemp("playback") / "drawn"
    write_dataset(root, seed=11, train=1, val=24, size=(160, 120))
    return root


@pytest.fixture(params=["drawn people", "people of COCO"])
def dataset(request):
    if request.param == "drawn people":
        return request.getfixturevalue("crowd")
    return request.getfixturevalue("shared") / "data" / "coco-mini"


@pytest.fixture
def truth(dataset):
    return json.loads((dataset / "annotations" / "person_keypoints_val2017.json").read_text(encoding="utf-8"))


def detected(truth):
    """A detector's file: boxes a little off, a third of the people twice, some that do not count."""
    draw = np.random.default_rng(4)
    entries = []
    for person in truth["annotations"]:
        x, y, w, h = person["bbox"]
        if person["iscrowd"] or max(person["keypoints"]) == 0:
            continue
        for _ in range(2 if draw.random() < 0.35 else 1):
            off = draw.normal(0, 0.03, 4) * (w, h, w, h)
            entries.append({"bbox": [x + off[0], y + off[1], w + off[2], h + off[3]], "of": person})
    order = draw.permutation(len(entries))  # boxes of one picture need not be adjacent
    return [
        {
            "image_id": entries[position]["of"]["image_id"],
            "category_id": 1 if draw.random() < 0.95 else 18,
            "bbox": [float(side) for side in entries[position]["bbox"]],
            "score": float(draw.uniform(0.05, 1.0)),
        }
        for position in order
    ]


def middling_maps(people, truth):
    """Maps (N, 17, h, w) of the people: the nearest annotated person's joints, off by some pixels."""
    draw = np.random.default_rng(9)
    rows, columns = np.mgrid[: HEIGHT // 4, : WIDTH // 4]
    maps = draw.normal(0, 0.02, (len(people), 17, HEIGHT // 4, WIDTH // 4))
    for of_person, (image_id, center, scale, *_) in zip(maps, people, strict=True):
        here = [one for one in truth["annotations"] if one["image_id"] == image_id and any(one["keypoints"])]
        x, y, w, h = min(
            (one["bbox"] for one in here),
            key=lambda box: np.hypot(box[0] + box[2] / 2 - center[0], box[1] + box[3] / 2 - center[1]),
        )
        person = next(one for one in here if one["bbox"] == [x, y, w, h])
        matrix = reference.affine(center, scale, 0, WIDTH // 4, HEIGHT // 4)
        error = draw.normal(0, draw.choice([0.01, 0.03, 0.08]) * np.sqrt(w * h), (17, 2))
        for joint, (jx, jy, seen) in enumerate(np.reshape(person["keypoints"], (17, 3))):
            cell = matrix @ [jx + error[joint, 0], jy + error[joint, 1], 1]
            peak = draw.uniform(0.3, 1.0) if seen else draw.uniform(0, 0.3)
            of_person[joint] += peak * np.exp(-((columns - cell[0]) ** 2 + (rows - cell[1]) ** 2) / 2)
    return maps.astype(np.float32)


@pytest.fixture
def played(workplace, pose, monkeypatch):
    """Runs `test` with a network that finds these maps: its table and its results file."""

    def run(root, maps, *keys):
        waiting = torch.from_numpy(maps)

        def heat_maps(_model, crops, _config, _pairs):
            nonlocal waiting
            given, waiting = waiting[: len(crops)], waiting[len(crops) :]
            return given

        monkeypatch.setattr(inference, "heat_maps", heat_maps)
        code, out, err = pose("test", "--cfg", "small.yaml", "DATASET.ROOT", str(root), *KEYS, *keys)
        assert code == 0, err
        assert not len(waiting)
        file = workplace / "output/coco/pose_resnet/small/results/keypoints_val2017_results_0.json"
        return out, json.loads(file.read_text(encoding="utf-8"))

    return run


def assert_the_same(entries, expected):
    assert [entry["image_id"] for entry in entries] == [entry["image_id"] for entry in expected]
    for entry, wanted in zip(entries, expected, strict=True):
        found, right = (np.reshape(one["keypoints"], (17, 3)) for one in (entry, wanted))
        assert np.abs(found[:, :2] - right[:, :2]).max() <= 1e-3
        np.testing.assert_array_equal(found[:, 2], right[:, 2])
        assert entry["score"] == pytest.approx(wanted["score"], abs=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_with_annotated_boxes_every_printed_digit_is_the_references(dataset, truth, played, soft):
    people = reference.people_of_the_truth(truth, WIDTH, HEIGHT)
    maps = middling_maps(people, truth)
    out, entries = played(dataset, maps, "TEST.SOFT_NMS", str(soft))
    expected = reference.results(people, maps, soft_nms=soft, **SETTINGS)
    assert_the_same(entries, expected)
    file = dataset / "annotations" / "person_keypoints_val2017.json"
    assert reference.table(file, expected, "pose_resnet") in out


@pytest.mark.parametrize("soft", [False, True])
def test_with_a_detectors_boxes_too_and_the_same_doubles_go(dataset, truth, played, soft):
    Path("boxes.json").write_text(json.dumps(detected(truth)), encoding="utf-8")
    people = reference.people_of_a_detector(detected(truth), 0.2, WIDTH, HEIGHT)
    maps = middling_maps(people, truth)
    keys = ("TEST.USE_GT_BBOX", "False", "TEST.COCO_BBOX_FILE", "boxes.json", "TEST.IMAGE_THRE", "0.2")
    out, entries = played(dataset, maps, *keys, "TEST.SOFT_NMS", str(soft))
    expected = reference.results(people, maps, soft_nms=soft, **SETTINGS)
    assert soft or len(expected) < len(people), "no double was suppressed: the comparison is blind"
    assert_the_same(entries, expected)
    file = dataset / "annotations" / "person_keypoints_val2017.json"
    assert reference.table(file, expected, "pose_resnet") in out
