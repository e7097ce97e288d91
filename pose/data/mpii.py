"""MPII's people as records: one JSON list for each set, a person's centre and size in place of a box.

Checks each entry, naming file and place. Opens no picture, and not the .mat file of the truth, which is
`pckh.py`'s.

*Source:* the list's form and its arithmetic as leoxiaobin/deep-high-resolution-net.pytorch@6f69e46 has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.data import pictures
from pose.data.crop import PADDING
from pose.data.joints import MPII
from pose.data.mpii_files import annotation_file, image_folder, is_name_below
from pose.data.reading import naming, numbers, read_json
from pose.data.record import ImageSet, Record
from pose.errors import PoseError

UNKNOWN = -1.0  # as a centre's x: neither shifted nor padded
SHIFT = 15.0  # the centre moves down by 15 pixels for 200 of the person's size, so that feet are not cut off
COUNT = len(MPII.names)


@dataclass(frozen=True)
class Truth:
    """Where N people's joints are, in pixels counted from 1, as the .mat file says."""

    joints: NDArray[np.float64]  # (N, 16, 2)
    present: NDArray[np.bool_]  # (N, 16): those that count
    heads: NDArray[np.float64]  # (N,) pixels; at 0 no joint can be near


@dataclass(frozen=True)
class MpiiSet(ImageSet):
    """One set; with the truth where it is to be evaluated."""

    truth: Truth | None = None


def load(root: Path, image_set: str, *, image_format: str = "jpg") -> MpiiSet:
    """The people of one set, all of them, in the list's order: the truth has the same."""
    file = annotation_file(root, image_set)
    hint = "DATASET.ROOT is the folder above annot/ and images/; DATASET.TRAIN_SET and TEST_SET name the set"
    entries = read_json(file, list, "the annotation list", hint)
    folder, _ = pictures.listed(image_folder(root), image_format)
    has_joints = "test" not in image_set
    records = []
    for position, entry in enumerate(entries):
        with naming(file, "", position):
            records.append(_person(entry, position, folder, has_joints=has_joints))
    if not records:
        raise PoseError(f"{file} lists nobody", "fetch it again")
    return MpiiSet(image_set, file, tuple(records), MPII)


def _person(entry: Mapping[str, Any], position: int, folder: Path, *, has_joints: bool) -> Record:
    name = entry["image"]
    if not is_name_below(name):
        raise ValueError(f'"image" {name!r} names nothing below images/')
    center, size = np.array(numbers(entry, "center", 2)), float(entry["scale"])
    if not 0 < size < math.inf:
        raise ValueError('"scale" is not above 0')
    if center[0] != UNKNOWN:
        center[1] += SHIFT * size
        size *= PADDING
    stem = Path(name).stem
    return Record(
        image_id=int(stem) if stem.isdecimal() else position,
        path=folder / name,
        box_xywh=None,
        center=center - 1,  # the list counts pixels from 1
        scale=np.array([size, size]),
        joints=_points(entry) - 1 if has_joints else np.zeros((COUNT, 2)),
        visible=_visible(entry) if has_joints else np.zeros(COUNT, dtype=np.float32),
        score=1.0,
        area=None,
    )


def _points(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    rows = entry["joints"]
    if not isinstance(rows, list) or len(rows) != COUNT:
        raise ValueError(f'"joints" is not a list of {COUNT} points')
    return np.array([numbers({"joints": row}, "joints", 2) for row in rows])


def _visible(entry: Mapping[str, Any]) -> NDArray[np.float32]:
    flags = numbers(entry, "joints_vis", COUNT)
    if not set(flags) <= {0.0, 1.0}:
        raise ValueError('"joints_vis" holds numbers other than 0 and 1')
    return np.array(flags, dtype=np.float32)
