"""`check-data` of an MPII layout: whole data passes, and each mutation of it is found, named, and judged."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the pose extra")
pytest.importorskip("scipy", reason="needs the pose extra's scipy")

CHECK = (
    *("check-data", "--cfg", "small.yaml", "DATASET.DATASET", "mpii", "MODEL.NUM_JOINTS", "16"),
    *("DATASET.TRAIN_SET", "train", "DATASET.TEST_SET", "valid"),
)
WHOLE = re.compile(r"0 errors, \d+ remarks?\n")


@pytest.fixture
def own(mpii_people, small, tmp_path, monkeypatch) -> Path:
    """A copy of the drawn people that may be spoilt, and small.yaml for it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mpii_people, tmp_path / "data")
    (tmp_path / "small.yaml").write_text(small.format(root="data"), encoding="utf-8")
    return tmp_path / "data"


def change(root, name, how):
    file = root / "annot" / f"{name}.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    how(entries)
    file.write_text(json.dumps(entries), encoding="utf-8")


def rows(out):
    """The table: kind -> error or remark, how many, the first example."""
    matches = [re.fullmatch(r"(error|remark) +(\S.*?) +(\d+)   (.*)", line) for line in out.splitlines()]
    return {match[2]: (match[1], int(match[3]), match[4]) for match in matches if match}


@pytest.mark.usefixtures("own")
def test_whole_data_has_no_error(pose):
    code, out, err = pose(*CHECK, "--decode")
    assert (code, rows(out)) == (0, {})
    assert out == "0 errors, 0 remarks\n"
    assert "annot/train.json: 10 persons in " in err


def seen(entries):
    """A labelled joint: the person, and its place."""
    return next((e, e["joints_vis"].index(1)) for e in entries if any(e["joints_vis"]))


def put(key, value):
    return lambda entries: entries[1].update({key: value})


def place(*point):
    def move(entries):
        entry, joint = seen(entries)
        entry["joints"][joint] = list(point)

    return move


MUTATIONS = {
    "scale is none": put("scale", 0),
    "scale is none ": put("scale", "big"),
    "scale is none  ": put("scale", -1.5),
    "centre is not two numbers": put("center", [1, None]),
    "joint count is wrong": lambda entries: entries[1]["joints"].pop(),
    "joint count is wrong ": lambda entries: entries[1]["joints_vis"].append(1),
    "joint is no point": lambda entries: entries[1]["joints"].__setitem__(3, [4]),
    "visibility of no known kind": lambda entries: entries[1]["joints_vis"].__setitem__(3, 2),
    "labelled joint outside the picture": place(5000, 5),
    "labelled joint outside the picture ": place(5, -4000),
    "picture name cannot be used": put("image", "../annot/train.json"),
    "picture name cannot be used ": put("image", ["a"]),
    "picture is missing": put("image", "gone.jpg"),
    "entry is no object": lambda entries: entries.append(7),
    **{f"field is missing{' ' * n}": lambda entries, key=key: entries[1].pop(key)
       for n, key in enumerate(("image", "center", "scale", "joints", "joints_vis"))},
}  # fmt: skip


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("name", ["train", "valid"])
def test_a_fault_in_a_list_is_an_error_and_named(own, pose, kind, name):
    change(own, name, MUTATIONS[kind])
    code, out, err = pose(*CHECK)
    severity, _, example = rows(out)[kind.strip()]
    assert (code, severity) == (1, "error")
    assert f"{name}.json: [" in example or f"({name}.json [1])" in example
    assert "would stop or spoil a training" in err


def test_a_joint_that_the_crop_still_holds_is_a_remark(own, pose):
    def just_outside(entries):
        entry, joint = seen(entries)
        entry["joints"][joint] = [-3, entry["center"][1]]
        entry["center"][0], entry["scale"] = 5, 2.0  # a crop of 500 pixels

    change(own, "train", just_outside)
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)["labelled joint outside the picture"][:2]) == (0, ("remark", 1))


def test_a_person_without_joints_is_a_remark(own, pose):
    change(own, "train", put("joints_vis", [0] * 16))
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)["person without labelled joints"][:2]) == (0, ("remark", 1))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "is missing"),
        (lambda file: file.write_bytes(b"no"), "cannot be read as a .mat file"),
        (
            lambda file: change(file.parent.parent, "valid", lambda entries: entries.pop()),
            "the annotation list has",
        ),
    ],
)
def test_a_truth_that_a_test_could_not_use_is_an_error(own, pose, spoil, said):
    spoil(own / "annot" / "gt_valid.mat")
    code, out, _ = pose(*CHECK)
    severity, count, example = rows(out)["truth cannot be used"]
    assert (code, severity, count) == (1, "error", 1)
    assert said in example


def test_a_test_set_needs_neither_truth_nor_joints(own, pose):
    change(
        own,
        "valid",
        lambda entries: [entry.pop(key) for entry in entries for key in ("joints", "joints_vis")],
    )
    (own / "annot" / "valid.json").rename(own / "annot" / "test.json")
    (own / "annot" / "gt_valid.mat").unlink()
    assert pose(*CHECK, "DATASET.TEST_SET", "test")[:2] == (0, "0 errors, 0 remarks\n")


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("picture is empty", lambda path: path.write_bytes(b"")),
        ("picture is cut off", lambda path: path.write_bytes(path.read_bytes()[:-400])),
        ("picture cannot be decoded", lambda path: path.write_bytes(b"<html>not found</html>")),
    ],
)
def test_a_picture_s_fault_is_named_once_with_its_first_person(own, pose, kind, how):
    change(own, "train", lambda entries: entries.append(dict(entries[0])))
    name = json.loads((own / "annot" / "train.json").read_text())[0]["image"]
    how(own / "images" / name)
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)[kind]) == (
        1,
        ("error", 1, f"data/images/{name} (train.json [0]): {rows(out)[kind][2].split(': ')[1]}"),
    )


def test_a_name_that_no_file_system_takes_is_a_finding(own, pose):
    change(own, "train", lambda entries: entries[0].update(image="a" * 300 + ".jpg"))
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)["picture cannot be read"][:2]) == (1, ("error", 1))


def test_missing_lists_and_folders_are_told_together(own, pose):
    (own / "annot" / "train.json").unlink()
    shutil.rmtree(own / "images")
    code, out, _ = pose(*CHECK)
    found = rows(out)
    assert (code, found["annotation list is missing"][1], found["picture folder is missing"][1]) == (1, 1, 2)


def test_a_list_of_nobody_is_an_error(own, pose):
    (own / "annot" / "train.json").write_text("[]")
    code, out, _ = pose(*CHECK)
    assert (code, rows(out)["no usable person"][:2]) == (1, ("error", 1))
