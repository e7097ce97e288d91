"""COCO's people as records: who is where in which picture, read from annotation files.

Reads JSON and checks it early, naming file and entry, so that a run stops before its work and not in
the middle. Opens no picture, crops nothing, evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose.data import pictures
from pose.data.coco_files import annotation_file, image_folder
from pose.data.crop import box_to_center_scale
from pose.data.joints import COCO, Joints, joints_named
from pose.data.reading import fields, naming, number_in, numbers, read_json, short, whole_in
from pose.data.record import ImageSet, Record
from pose.errors import PoseError


@dataclass(frozen=True)
class CocoSet(ImageSet):
    """What COCO's annotation file says of one image set besides its people."""

    pictures: Mapping[int, Path]  # image id -> file, in the order of the annotation file
    sizes: Mapping[int, tuple[int, int]]  # image id -> (height, width)
    category_id: int

    @property
    def picture_count(self) -> int:
        """Of all its pictures, those with nobody to look at as well."""
        return len(self.pictures)


def load_ground_truth(
    root: Path,
    image_set: str,
    image_size: tuple[int, int],
    *,
    image_format: str = "jpg",
    sigmas: tuple[float, ...] = (),
    joint_count: int | None = None,
    evaluated: bool = False,
) -> CocoSet:
    """The annotated people of one set, in the order of the annotation file's pictures.

    Crowds, empty boxes and people without a labelled joint are left out. `sigmas` are the joints'
    tolerances where they are not COCO's, `joint_count` is how many the network finds. Of an `evaluated`
    set the crowds are checked too.
    """
    file = annotation_file(root, image_set)
    hint = "DATASET.ROOT is the folder above annotations/; DATASET.TRAIN_SET and TEST_SET name the set"
    document = read_json(file, dict, "the annotation file", hint)
    images = _entries(document, "images", file)
    category_id, joints = _category(document, file, sigmas, joint_count)
    count = len(joints.names)
    folder, present = pictures.listed(image_folder(root, image_set), image_format)
    paths, sizes = {}, {}
    for position, image in enumerate(images):
        with naming(file, "images", position):
            image_id = whole_in(fields(image), "id")
            sizes[image_id] = (int(number_in(image, "height")), int(number_in(image, "width")))
            paths[image_id] = folder / _file_name(image, image_set, folder, present)
    people: dict[int, list[Record]] = {image_id: [] for image_id in paths}
    for position, entry in enumerate(_entries(document, "annotations", file, needed="test" not in image_set)):
        with naming(file, "annotations", position):
            image_id = whole_in(fields(entry), "image_id")
            picture, picture_size = paths[image_id], sizes[image_id]
            if whole_in(entry, "category_id") != category_id:
                continue
            if _is_crowd(entry):
                _check_crowd(entry, count, evaluated=evaluated)
                continue
            record = _person(entry, count, picture, picture_size, image_size)
            if record is not None:
                people[image_id].append(record)
    return CocoSet(
        image_set=image_set,
        annotation_file=file,
        pictures=paths,
        sizes=sizes,
        records=tuple(record for records in people.values() for record in records),
        category_id=category_id,
        joints=joints,
    )


def _person(
    entry: Mapping[str, Any],
    joint_count: int,
    picture: Path,
    picture_size: tuple[int, int],
    image_size: tuple[int, int],
) -> Record | None:
    """The record of one annotation, or None where there is nothing to learn from."""
    box = _clean_box(numbers(entry, "bbox", 4), picture_size)
    area = number_in(entry, "area")
    keypoints = numbers(entry, "keypoints", 3 * joint_count)
    if box is None or area <= 0 or max(keypoints) == 0:
        return None
    table = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
    center, scale = box_to_center_scale(box, image_size)
    return Record(
        image_id=whole_in(entry, "image_id"),
        path=picture,
        box_xywh=np.array(box, dtype=np.float32),
        center=center,
        scale=scale,
        joints=table[:, :2].copy(),
        visible=np.minimum(table[:, 2], 1).astype(np.float32),  # hidden (1) and seen (2) count alike
        score=1.0,
        area=area,
    )


def _is_crowd(entry: Mapping[str, Any]) -> bool:
    flag = entry.get("iscrowd", 0)
    if flag not in (0, 1):
        raise ValueError(f'"iscrowd" is neither 0 nor 1: {short(flag)}')
    return bool(flag)


def _check_crowd(entry: Mapping[str, Any], joint_count: int, *, evaluated: bool) -> None:
    """What COCO's evaluation measures who is found in a crowd by; `evaluate.py` fills in the rest."""
    if evaluated:
        numbers(entry, "bbox", 4)
        number_in(entry, "area")
        if entry.get("keypoints"):
            numbers(entry, "keypoints", 3 * joint_count)


def _clean_box(box: list[float], picture_size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The box clipped to the picture, its sides one pixel shorter as in the public implementation."""
    height, width = picture_size
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2 = min(width - 1, x1 + max(0.0, box[2] - 1))
    y2 = min(height - 1, y1 + max(0.0, box[3] - 1))
    return (x1, y1, x2 - x1, y2 - y1) if x2 >= x1 and y2 >= y1 else None


def _file_name(image: Mapping[str, Any], image_set: str, folder: Path, present: frozenset[str]) -> str:
    """The picture's own `file_name` where that file exists, else COCO's habit of twelve digits."""
    own = str(image.get("file_name", ""))
    is_below = "/" in own and not Path(own).is_absolute() and ".." not in Path(own).parts
    if own in present or (is_below and (folder / own).is_file()):
        return own
    prefix = f"COCO_{image_set}_" if "2014" in image_set else ""
    return f"{prefix}{whole_in(image, 'id'):012d}.jpg"


def _entries(
    document: Mapping[str, Any], key: str, file: Path, *, needed: bool = True
) -> list[Mapping[str, Any]]:
    if key not in document and not needed:
        return []
    entries = document.get(key)
    if not isinstance(entries, list):
        raise PoseError(f'{file} has no list "{key}"', hint="COCO files hold images, annotations, categories")
    return entries


def _category(
    document: Mapping[str, Any], file: Path, sigmas: tuple[float, ...], joint_count: int | None
) -> tuple[int, Joints]:
    """Id and joints of the file's first category: the one that people belong to.

    Test sets do not list joints; there they are COCO's.
    """
    categories = _entries(document, "categories", file)
    with naming(file, "categories", 0):
        category = {"keypoints": list(COCO.names), **fields(categories[0])}
        names, bones = category["keypoints"], category.get("skeleton", [])
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            raise ValueError('"keypoints" is not a list of names')
        if len({name.lower() for name in names}) != len(names):
            raise ValueError('"keypoints" names a joint twice')
        if joint_count is not None and len(names) != joint_count:  # before what may follow from it
            raise PoseError(
                f"{file} names {len(names)} joints, MODEL.NUM_JOINTS is {joint_count}",
                f"MODEL.NUM_JOINTS {len(names)}",
            )
        skeleton = tuple((int(a) - 1, int(b) - 1) for a, b in bones)  # the file counts from 1
        if not all(0 <= end < len(names) for bone in skeleton for end in bone):
            raise ValueError(f'"skeleton" goes beyond the {len(names)} joints, counted from 1')
        category_id = whole_in(category, "id")
    if sigmas and len(sigmas) != len(names):
        raise PoseError(
            f"TEST.OKS_SIGMAS has {len(sigmas)} numbers, {file} names {len(names)} joints",
            hint="one number for each joint, in the file's order; '()' takes the known ones",
        )
    return category_id, joints_named(names, skeleton, sigmas)
