"""`check-data`: whole data passes, and each mutation of it is found, named, and judged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

import cv2
import numpy as np

from pose.data.picture_header import is_cut_off, picture_size
from pose.data.reading import number, whole
from pose.faults.data_checks import Finding, category_findings
from pose.stages.check_data import table

CHECK = ("check-data", "--cfg", "small.yaml")
TRAIN = "annotations/person_keypoints_train2017.json"
VAL = "annotations/person_keypoints_val2017.json"
BOXES = "person_detection_results/COCO_val2017_detections_drawn_person.json"
DETECTED = ("TEST.USE_GT_BBOX", "False")
MINI = "experiments/coco/resnet/res18_128x96_mini.yaml"
NAN = float("nan")


@pytest.fixture
def own(people, small, tmp_path, monkeypatch) -> Path:
    """A copy of the drawn people that may be spoilt, and small.yaml for it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(people, tmp_path / "data")
    (tmp_path / "small.yaml").write_text(small.format(root="data"), encoding="utf-8")
    return tmp_path / "data"


def change(file: Path, how: Callable[[Any], object]) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    how(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def rows(out: str) -> dict[str, tuple[str, int, str]]:
    """The table: kind -> error or remark, how many, the first example."""
    pattern = re.compile(r"(error|remark) +(\S.*?) +(\d+)   (.*)")
    matches = [pattern.fullmatch(line) for line in out.splitlines()]
    return {match[2]: (match[1], int(match[3]), match[4]) for match in matches if match}


@pytest.mark.usefixtures("own")
def test_whole_data_has_no_fault(pose):
    code, out, err = pose(*CHECK, *DETECTED)
    assert (code, out) == (0, "0 errors, 0 remarks\n")
    assert ", 10 persons with labelled joints" in err


def test_coco_s_own_pictures_have_remarks_alone(root, pose):
    """By the folder's README: 80 and 79 pictures listed, 28 and 32 there; counted from the files here."""
    data = root.parent / "shared" / "data" / "coco-mini"
    if not data.is_dir():
        pytest.skip("../shared/data/coco-mini is not here")
    unlabelled = 0
    for name in (TRAIN, VAL):
        people = json.loads((data / name).read_text(encoding="utf-8"))["annotations"]
        unlabelled += sum(not one["iscrowd"] and one["num_keypoints"] == 0 for one in people)
    code, out, _ = pose("check-data", "--cfg", MINI, "--data", str(data), "--decode")
    assert code == 0
    found = {kind: row[:2] for kind, row in rows(out).items()}
    assert found == {
        "person without labelled joints": ("remark", unlabelled),
        "picture is missing": ("remark", (80 - 28) + (79 - 32)),
    }


def first(document: dict[str, Any]) -> dict[str, Any]:
    """The first person with a labelled nose."""
    return next(entry for entry in document["annotations"] if entry["keypoints"][2])


def put(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: first(document).update({key: value})


def joint(*values: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: first(document)["keypoints"].__setitem__(slice(0, 3), values)


MUTATIONS = {
    "box of zero or negative size": put("bbox", [10, 10, 0, 20]),
    "box of zero or negative size ": put("bbox", [10, 10, 20, -3]),
    "box outside the picture": put("bbox", [5000, 10, 20, 20]),
    "box is not four numbers": put("bbox", [NAN, 10, 20, 20]),
    "box is not four numbers ": put("bbox", "x"),
    "area is none": put("area", 0),
    "joint count is wrong": put("keypoints", [1, 1, 2] * 16),
    "joint count is wrong ": lambda document: document["categories"][0]["keypoints"].pop(),
    "joints without visibility": put("keypoints", [1, 1] * 17),
    "joints without visibility ": joint(5, 5, None),
    "visibility of no known kind": joint(5, 5, -1),
    "joint is no number": joint("a", 5, 2),
    "labelled joint outside the picture": joint(5000, 5, 1),
    "labelled joint outside the picture ": joint(5, -2, 2),
    "picture is unknown": put("image_id", 77777),
    "picture is unknown ": put("image_id", [1]),
    "field is missing": lambda document: first(document).pop("area"),
    "field is missing ": lambda document: document["images"][0].pop("height"),
    "picture id twice": lambda document: document["images"].append(dict(document["images"][0])),
    "annotation id twice": lambda document: document["annotations"][1].update(
        id=document["annotations"][0]["id"]
    ),
    "id is no whole number": put("id", "one"),
    "id is no whole number ": put("category_id", "1"),
    "picture size is another": lambda document: document["images"][0].update(
        width=document["images"][0]["width"] + 1
    ),
    "picture size is none": lambda document: document["images"][0].update(width=-1),
    "crowd flag is no known kind": put("iscrowd", "no"),
    "entry is no object": lambda document: document["annotations"].append(3),
    "list is missing": lambda document: document.update(images={}),
    "no category": lambda document: document["categories"].clear(),
}


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("name", [TRAIN, VAL])
def test_a_fault_in_the_annotations_is_an_error_and_named(own, pose, kind, name):
    change(own / name, MUTATIONS[kind])
    code, out, err = pose(*CHECK)
    severity, count, example = rows(out)[kind.strip()]
    assert (code, severity) == (1, "error")
    assert count >= 1
    assert name in example or ("picture size" in kind and "images[0]" in example)
    assert "would stop or spoil a training" in err


def test_each_fault_of_many_is_counted_and_three_are_shown(own, pose):
    def spoil(document):
        for entry in document["annotations"][:5]:
            entry["bbox"] = [1, 1, -1, 1]
        document["annotations"][7].pop("keypoints")
        document["images"][2]["id"] = document["images"][1]["id"]

    change(own / TRAIN, spoil)
    (own / VAL).unlink()
    code, out, _ = pose(*CHECK)
    found = rows(out)
    assert code == 1
    assert found["box of zero or negative size"][1] == 5
    assert [out.count(f"annotations[{at}]: -1x1") for at in range(5)] == [1, 1, 1, 0, 0]
    assert found["field is missing"] == ("error", 1, f"data/{TRAIN}: annotations[7]: keypoints")
    assert found["picture id twice"][1] == 1
    assert found["annotation file is missing"] == ("error", 1, f"data/{VAL}: is not there")
    errors = sum(row[1] for row in found.values() if row[0] == "error")
    assert out.splitlines()[-1].startswith(f"{errors} errors, ")


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("picture is missing", lambda path: path.unlink()),
        ("picture is empty", lambda path: path.write_bytes(b"")),
        ("picture is cut off", lambda path: path.write_bytes(path.read_bytes()[:-400])),
        ("picture cannot be decoded", lambda path: path.write_bytes(b"<html>not found</html>")),
        ("picture cannot be read", lambda path: (path.unlink(), path.mkdir())),
    ],
)
def test_a_picture_s_fault_is_an_error_where_someone_is_in_it_else_a_remark(own, pose, kind, how):
    folder = own / "images" / "val2017"
    path = sorted(folder.iterdir())[1]
    how(path)
    code, out, _ = pose(*CHECK)
    severity, count, example = rows(out)[kind]
    assert (code, severity, count) == (1, "error", 1)
    assert f"{path.relative_to(own.parent)} (images[1])" in example

    def empty(document):
        image_id = document["images"][1]["id"]
        document["annotations"] = [one for one in document["annotations"] if one["image_id"] != image_id]

    change(own / VAL, empty)
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)[kind][:2]) == (0, ("remark", 1))


def test_only_decode_finds_damage_between_a_picture_s_ends(own, pose):
    path = min((own / "images" / "val2017").iterdir())
    whole = path.read_bytes()
    frame = whole.index(b"\xff\xc0")
    # A height of zero lines for the decoder, the quantisation tables gone; size and end are as they were.
    path.write_bytes(whole[: frame + 9] + b"\x09" + whole[frame + 10 :])
    assert pose(*CHECK)[:2] == (0, "0 errors, 0 remarks\n")
    code, out, _ = pose(*CHECK, "--decode")
    assert (code, rows(out)["picture cannot be decoded"][:2]) == (1, ("error", 1))


def test_persons_nobody_labelled_are_counted_whatever_their_box(own, pose):
    change(own / TRAIN, lambda document: first(document).update(keypoints=[0] * 51, bbox=[3, 3, 0, 0]))
    code, out, _ = pose(*CHECK)
    assert code == 0
    assert rows(out)["person without labelled joints"][:2] == ("remark", 1)
    assert rows(out)["box of zero or negative size"][:2] == ("remark", 1)


CROWD = {"id": 9999, "category_id": 1, "iscrowd": 1, "bbox": [1, 1, 9, 9], "area": 81, "num_keypoints": 0}
CROWD |= {"keypoints": [0] * 51}


def with_crowd(**other: object) -> Callable[[dict[str, Any]], object]:
    """A crowd in the first picture, of whom a field is another, or left out where that is None."""

    def add(document):
        crowd = {**CROWD, "image_id": document["images"][0]["id"], **other}
        document["annotations"].append({key: value for key, value in crowd.items() if value is not None})

    return add


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("field is missing", {"area": None}),
        ("field is missing", {"bbox": None}),
        ("area is none", {"area": "much"}),
        ("box is not four numbers", {"bbox": [1, 1, 9]}),
        ("joint count is wrong", {"keypoints": [1, 1, 2]}),
    ],
)
def test_what_evaluation_alone_asks_for_is_an_error_in_the_test_set_alone(own, pose, kind, other):
    for name, errors in ((TRAIN, 0), (VAL, 1)):
        change(own / name, with_crowd(**other))
        code, out, _ = pose(*CHECK)
        assert (code, set(rows(out))) == (errors, {kind})
        assert out.splitlines()[-1] == f"{errors} error{'' if errors else 's'}, 1 remark"


@pytest.mark.parametrize("key", ["id", "num_keypoints", "keypoints"])
def test_what_evaluation_can_fill_in_is_a_remark(own, pose, key):
    change(own / VAL, with_crowd(**{key: None}))
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)["field is missing"][0]) == (0, "remark")


@pytest.mark.parametrize(
    ("kind", "entry", "severity"),
    [
        ("score is no number", {"score": "high"}, "error"),
        ("score is no number", {"score": NAN}, "error"),
        ("id is no whole number", {"category_id": "person"}, "error"),
        ("picture is unknown", {"image_id": 1234}, "remark"),
        ("picture is unknown", {"image_id": None}, "error"),
        ("box of zero or negative size", {"bbox": [1, 1, 0, 5]}, "error"),
        ("box of absurd size", {"bbox": [1, 1, 1e-30, 5]}, "error"),
        ("box of absurd size", {"bbox": [1, 1, 5, 1e300]}, "error"),
        ("box is not four numbers", {"bbox": [1, NAN, 2, 5]}, "error"),
        ("box is not four numbers", {"bbox": [1, 2, 5]}, "error"),
        ("box outside the picture", {"bbox": [-50, 1, 20, 5]}, "error"),
        ("box partly outside the picture", {"bbox": [-5, 1, 20, 5]}, "remark"),
    ],
)
def test_a_fault_in_a_detection(own, pose, kind, entry, severity):
    change(own / BOXES, lambda entries: entries[0].update(entry))
    code, out, _ = pose(*CHECK, *DETECTED)
    found = rows(out)[kind]
    assert (code, found[0], found[1]) == (int(severity == "error"), severity, 1)
    assert f"data/{BOXES}: [0]: " in found[2]
    assert pose(*CHECK)[:2] == (0, "0 errors, 0 remarks\n")  # USE_GT_BBOX True reads no detections


def test_detections_of_other_pictures_altogether_are_an_error(own, pose):
    change(own / BOXES, lambda entries: [entry.update(image_id=1) for entry in entries])
    code, out, _ = pose(*CHECK, *DETECTED)
    assert (code, rows(out)["no usable detection"][0]) == (1, "error")


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\udcff"])
def test_a_file_that_is_no_annotation_file(own, pose, text):
    (own / TRAIN).write_text(text, encoding="utf-8", errors="surrogateescape")
    code, out, _ = pose(*CHECK)
    assert code == 1
    assert "annotation file " in out


def test_a_name_cannot_leave_the_folder_nor_move_the_cursor(own, pose):
    secret = own / "outside.jpg"
    shutil.copy(min((own / "images" / "train2017").iterdir()), secret)
    for name in ("../../outside.jpg", str(secret.absolute()), "a\0b", "x" * 5000):
        change(own / TRAIN, lambda document, name=name: document["images"][0].update(file_name=name, id=999))
        out = pose(*CHECK)[1]
        assert "000000000999.jpg (images[0]): is not there" in out
    change(own / TRAIN, lambda document: first(document).update(bbox="\x1b[2J"))
    assert "\x1b" not in pose(*CHECK)[1]
    (line,) = table([Finding("kind", "\x1b[2J", "what")])
    assert "\x1b" not in line


def test_check_tells_dataset_and_boxes_and_writes_nothing(own, pose):
    here = own.parent.absolute()
    code, out, _ = pose("--check", *CHECK, *DETECTED, "TEST.COCO_BBOX_FILE", "b.json")
    document = json.loads(out)
    assert code == 0
    assert document["reads"] == [str(here / name) for name in ("small.yaml", "data", "b.json")]
    assert (document["writes"], document["workers"]) == ([], None)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_header_tells_the_size_that_a_decoder_tells(suffix):
    picture = np.zeros((37, 91, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, picture)[1].tobytes()
    assert picture_size(data) == (37, 91)
    assert not is_cut_off(data)
    assert not is_cut_off(data + b"more")
    assert is_cut_off(data[:-12])
    assert [picture_size(data[:length]) for length in (0, 3, 11)] == [None] * 3


def test_numbers_are_finite_and_no_truth_values():
    assert [number(value) for value in (True, "1", None, NAN, 10**400)] == [None] * 5
    assert [whole(value) for value in (3, 3.0, 2**60 + 1)] == [3, 3, 2**60 + 1]
    assert [whole(value) for value in (3.5, "3", True, NAN)] == [None] * 4


def test_it_runs_as_a_program(own, root, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(root))
    (own / "images" / "train2017").rename(own / "gone")
    argv = [sys.executable, "-m", "pose", *CHECK]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "picture folder is missing" in done.stdout
    assert done.stderr.splitlines()[-2].startswith("error: 1 error in data would stop or spoil")


def test_joints_of_ones_own_are_held_against_the_configs_number():
    category = {"id": 1, "keypoints": ["head", "tail", "paw"]}
    assert list(category_findings([category], 3)) == []
    (finding,) = category_findings([category], 17)
    assert finding.what == "names 3 joints, MODEL.NUM_JOINTS is 17"
