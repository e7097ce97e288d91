"""A detector's boxes as records, read from COCO's detection file and checked early, naming file and entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose.data.box import is_outside, side_fault
from pose.data.coco import CocoSet
from pose.data.crop import box_to_center_scale
from pose.data.reading import fields, naming, number_in, numbers, read_json, whole_in
from pose.data.record import Record
from pose.errors import PoseError


@dataclass(frozen=True)
class Detections:
    """A detector's persons in the set's pictures, and how many more it found in other pictures."""

    records: tuple[Record, ...]
    elsewhere: int


def load_detections(file: Path, coco: CocoSet, threshold: float, image_size: tuple[int, int]) -> Detections:
    """The persons with a score of at least `threshold`, in the file's order.

    Boxes of pictures that the set does not have are passed over (a detection file of all of val2017
    serves a part of it), unless that leaves none. A box that shows nothing of its picture is an error.
    """
    entries = read_json(
        file, list, "the detection file", hint="set TEST.COCO_BBOX_FILE, or TEST.USE_GT_BBOX True"
    )
    joints = np.zeros((len(coco.joints.names), 2))
    visible = np.ones(len(coco.joints.names), dtype=np.float32)
    records = []
    categories, scores, strangers = [], [], []  # of those who are passed over
    for position, entry in enumerate(entries):
        with naming(file, "", position):
            image_id, box = whole_in(fields(entry), "image_id"), numbers(entry, "bbox", 4)
            score, category_id = number_in(entry, "score"), whole_in(entry, "category_id")
            if category_id != coco.category_id:
                categories.append(category_id)
            elif score < threshold:
                scores.append(score)
            elif image_id not in coco.pictures:
                strangers.append(image_id)
            else:
                _check(box, coco.sizes[image_id])
                center, scale = box_to_center_scale(box, image_size)
                records.append(
                    Record(
                        image_id=image_id,
                        path=coco.pictures[image_id],
                        box_xywh=np.array(box, dtype=np.float32),
                        center=center,
                        scale=scale,
                        joints=joints,
                        visible=visible,
                        score=score,
                        area=None,
                    )
                )
    if not records:
        reasons = (
            _passed_over(categories, f"of another category than {coco.category_id}, the first of"),
            _passed_over(scores, f"below a score of {threshold:g}, the first at"),
            _passed_over(strangers, f"of pictures that {coco.annotation_file} does not list, the first of"),
        )
        raise PoseError(
            f"no box of {file} can be used: {'; '.join(filter(None, reasons)) or 'it lists none'}",
            hint="is it the detection file of this set? TEST.IMAGE_THRE sets the score",
        )
    return Detections(tuple(records), len(strangers))


def _passed_over(values: Sequence[float], what: str) -> str:
    """How many, and why, with the first one's value; nothing where there is nobody."""
    return f"{len(values)} {'is' if len(values) == 1 else 'are'} {what} {values[0]}" if values else ""


def _check(box: Sequence[float], picture_size: tuple[int, int]) -> None:
    """Boxes may reach over the picture's edges, but must have an area and lie in it somewhere."""
    fault = side_fault(box, picture_size)
    if fault:
        raise ValueError(f"its box {box} {fault}")
    if is_outside(box, picture_size):
        height, width = picture_size
        raise ValueError(f"its box {box} lies outside the picture of {width} x {height} pixels")
