"""Drawn people in MPII's layout: a list and pictures for each set, and the truth as its .mat file has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

# MPII's joints out of COCO's: one of them, or the middle of two; neck and head lie over the shoulders.
OUT_OF = [16, 14, 12, 11, 13, 15, (11, 12), (5, 6), (5, 6), (5, 6), 10, 8, 6, 5, 7, 9]
ABOVE = {8: 0.04, 9: 0.2}  # of the box's height
NAMES = (
    *("rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head"),
    *("rwri", "relb", "rsho", "lsho", "lelb", "lwri"),
)


def entry_of(person: dict[str, Any], name: str) -> dict[str, Any]:
    """One person of COCO's annotations as MPII's list has them, pixels counted from 1."""
    x, y, width, height = person["bbox"]
    table = np.array(person["keypoints"], dtype=float).reshape(-1, 3)
    points, seen = [], []
    for joint, source in enumerate(OUT_OF):
        rows = table[list(source) if isinstance(source, tuple) else [source]]
        point = rows[:, :2].mean(axis=0) + np.array([1, 1 - ABOVE.get(joint, 0) * height])
        seen.append(int((rows[:, 2] > 0).all()))
        points.append(point.tolist() if seen[-1] else [-1, -1])
    center = [x + width / 2 + 1, y + height / 2 + 1]
    return {"image": name, "center": center, "scale": height / 200, "joints": points, "joints_vis": seen}


def truth_of(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The variables of gt_<set>.mat; every head is half the person, so that tiny networks find some."""
    names = np.empty((1, 16), dtype=object)
    names[0] = NAMES
    joints = np.array([entry["joints"] for entry in entries], dtype=float)
    sides = np.array([entry["scale"] * 100 for entry in entries])
    corner = np.array([entry["center"] for entry in entries]).T
    return {
        "dataset_joints": names,
        "jnt_missing": 1 - np.array([entry["joints_vis"] for entry in entries], dtype=np.uint8).T,
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": np.stack([corner, corner + sides]),
    }


def save(file: Path, variables: dict[str, Any]) -> None:
    from scipy.io import savemat

    savemat(file, variables, do_compression=True)


def write(root: Path, people: Path) -> None:
    """The drawn people of a COCO layout, its two sets becoming `train` and `valid`."""
    (root / "annot").mkdir(parents=True)
    (root / "images").mkdir()
    for coco, mpii in (("train2017", "train"), ("val2017", "valid")):
        document = json.loads((people / f"annotations/person_keypoints_{coco}.json").read_text())
        entries = [entry_of(one, f"{one['image_id']:09d}.jpg") for one in document["annotations"]]
        (root / f"annot/{mpii}.json").write_text(json.dumps(entries))
        for path in (people / "images" / coco).iterdir():
            shutil.copy(path, root / "images" / f"{int(path.stem):09d}.jpg")
        if mpii == "valid":
            save(root / "annot/gt_valid.mat", truth_of(entries))
