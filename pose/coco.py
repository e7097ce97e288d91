"""COCO's people as records: who is where in which picture, read from annotation or detection files.

Reads JSON and checks it early, naming file and entry, so that a run stops before its work and not in
the middle. Opens no picture, crops nothing, evaluates nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose import archive
from pose.coco_files import annotation_file, image_folder
from pose.crop import box_to_center_scale
from pose.errors import PoseError
from pose.joints import COCO, Joints, joints_named

JOINT_NAMES, FLIP_PAIRS, SKELETON = COCO.names, COCO.flip_pairs, COCO.skeleton


@dataclass(frozen=True)
class Record:
    """One person to look at. Pixels are those of the picture, (x, y)."""

    image_id: int
    path: Path
    box_xywh: NDArray[np.float32]
    center: NDArray[np.float32]  # (2,)
    scale: NDArray[np.float32]  # (2,) in units of 200 px, padded by a quarter
    joints: NDArray[np.float64]  # (K, 2); zeros for a detection
    visible: NDArray[np.float32]  # (K,) 1 where labelled, hidden joints included; ones for a detection
    score: float  # the detector's, 1 for an annotated box
    area: float | None  # of the annotated person's outline; None for a detection


@dataclass(frozen=True)
class CocoSet:
    """One image set: its annotated people and what the file says about joints."""

    root: Path
    image_set: str
    annotation_file: Path
    pictures: Mapping[int, Path]  # image id -> file, in the order of the annotation file
    sizes: Mapping[int, tuple[int, int]]  # image id -> (height, width)
    records: tuple[Record, ...]
    category_id: int
    joints: Joints

    @property
    def is_test(self) -> bool:
        """True for the sets whose truth COCO keeps to itself: nothing to evaluate against."""
        return "test" in self.image_set


def load_ground_truth(
    root: Path,
    image_set: str,
    image_size: tuple[int, int],
    *,
    image_format: str = "jpg",
    sigmas: tuple[float, ...] = (),
) -> CocoSet:
    """The annotated people of one set, in the order of the annotation file's pictures.

    Crowds, empty boxes and people without a labelled joint are left out. `sigmas` are the joints'
    tolerances where they are not COCO's.
    """
    file = annotation_file(root, image_set)
    hint = "DATASET.ROOT is the folder above annotations/; DATASET.TRAIN_SET and TEST_SET name the set"
    document = _read_json(file, dict, "the annotation file", hint)
    images = _entries(document, "images", file)
    category_id, joints = _category(document, file, sigmas)
    count = len(joints.names)
    zipped = image_format == "zip"
    folder, present = (_inside_zip if zipped else _inside_folder)(image_folder(root, image_set))
    pictures, sizes = {}, {}
    for position, image in enumerate(images):
        with _naming(file, "images", position):
            image_id = int(image["id"])
            sizes[image_id] = (int(image["height"]), int(image["width"]))
            pictures[image_id] = folder / _file_name(image, image_set, folder, present)
    people: dict[int, list[Record]] = {image_id: [] for image_id in pictures}
    for position, entry in enumerate(_entries(document, "annotations", file, needed="test" not in image_set)):
        with _naming(file, "annotations", position):
            image_id = int(entry["image_id"])
            record = _person(entry, category_id, count, pictures[image_id], sizes[image_id], image_size)
            if record is not None:
                people[image_id].append(record)
    return CocoSet(
        root=root,
        image_set=image_set,
        annotation_file=file,
        pictures=pictures,
        sizes=sizes,
        records=tuple(record for records in people.values() for record in records),
        category_id=category_id,
        joints=joints,
    )


def load_detections(
    file: Path, coco: CocoSet, threshold: float, image_size: tuple[int, int]
) -> tuple[Record, ...]:
    """The detector's persons with a score of at least `threshold`, in the file's order.

    Boxes of pictures that the set does not have are passed over (a detection file of all of val2017
    serves a part of it), unless that leaves none. A box that holds nothing of its picture is an error.
    """
    entries = _read_json(
        file, list, "the detection file", hint="set TEST.COCO_BBOX_FILE, or TEST.USE_GT_BBOX True"
    )
    joints = np.zeros((len(coco.joints.names), 2))
    visible = np.ones(len(coco.joints.names), dtype=np.float32)
    records = []
    strangers = []
    for position, entry in enumerate(entries):
        with _naming(file, "", position):
            image_id, score, box = int(entry["image_id"]), float(entry["score"]), _numbers(entry, "bbox", 4)
            if not math.isfinite(score):
                raise ValueError('"score" is not finite')
            wanted = entry["category_id"] == coco.category_id and score >= threshold
            if wanted and image_id in coco.pictures:
                _check_box(box, coco.sizes[image_id])
        if wanted and image_id not in coco.pictures:
            strangers.append(f"; entry [{position}] is of picture {image_id}")
        elif wanted:
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
        raise PoseError(
            f"no box of {file} scores {threshold:g} or more and lies in a picture of {coco.annotation_file}"
            + "".join(strangers[:1]),
            hint="is it the detection file of this set? TEST.IMAGE_THRE sets the score",
        )
    return tuple(records)


def _check_box(box: list[float], picture_size: tuple[int, int]) -> None:
    """Boxes may reach over the picture's edges, but must have an area and lie in it somewhere."""
    x, y, box_width, box_height = box
    height, width = picture_size
    if box_width <= 0 or box_height <= 0:
        raise ValueError(f"its box {box} has no area")
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise ValueError(f"its box {box} lies outside the picture of {width} x {height} pixels")


def check_pictures(records: Iterable[Record]) -> None:
    """Stop unless every record's picture is there and holds something."""
    paths = dict.fromkeys(record.path for record in records)
    sizes = _sizes(paths)
    bad = [path for path in paths if not sizes[path]]
    if bad:
        others = f" (and {len(bad) - 1} more of {len(paths)})" if len(bad) > 1 else ""
        what = "is missing" if sizes[bad[0]] is None else "is empty"
        raise PoseError(f"picture {bad[0]} {what}{others}", hint=f"complete the folder {bad[0].parent}")


def _sizes(paths: Iterable[Path]) -> dict[Path, int | None]:
    """The size of each picture's file, None where there is none; archives are listed once."""
    sizes: dict[Path, int | None] = {}
    listed: dict[Path, Mapping[str, tuple[int, int]]] = {}
    for path in paths:
        place = archive.split(path)
        if place is None:
            sizes[path] = path.stat().st_size if path.is_file() else None
            continue
        file, name = place
        if file not in listed:
            listed[file] = archive.members(file)
        sizes[path] = listed[file][name][0] if name in listed[file] else None
    return sizes


def dataset_fingerprint(root: Path, image_set: str, *, image_format: str = "jpg") -> str:
    """sha256 (hex) over the annotation file's bytes and the names and sizes of the set's pictures.

    Of zipped pictures the archive also knows the checksums.

    Same fingerprint, same data, short of pictures that changed without changing their size: reading
    20 GB of pixels before every run would cost more than that guards against.
    """
    digest = hashlib.sha256(annotation_file(root, image_set).read_bytes())
    folder = image_folder(root, image_set)
    if image_format == "zip":
        for name, (size, checksum) in sorted(archive.members(folder.with_name(f"{folder.name}.zip")).items()):
            digest.update(f"{name}\0{size}\0{checksum}\n".encode())
        return digest.hexdigest()
    with os.scandir(folder) as entries:
        sizes = sorted((entry.name, entry.stat().st_size) for entry in entries if entry.is_file())
    for name, size in sizes:
        digest.update(f"{name}\0{size}\n".encode())
    return digest.hexdigest()


def _person(
    entry: Mapping[str, Any],
    category_id: int,
    joint_count: int,
    picture: Path,
    picture_size: tuple[int, int],
    image_size: tuple[int, int],
) -> Record | None:
    """The record of one annotation, or None where there is nothing to learn from."""
    if entry.get("iscrowd", 0) or entry["category_id"] != category_id:
        return None
    box = _clean_box(_numbers(entry, "bbox", 4), picture_size)
    area = float(entry["area"])
    keypoints = _numbers(entry, "keypoints", 3 * joint_count)
    if box is None or area <= 0 or max(keypoints) == 0:
        return None
    table = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
    center, scale = box_to_center_scale(box, image_size)
    return Record(
        image_id=int(entry["image_id"]),
        path=picture,
        box_xywh=np.array(box, dtype=np.float32),
        center=center,
        scale=scale,
        joints=table[:, :2].copy(),
        visible=np.minimum(table[:, 2], 1).astype(np.float32),  # hidden (1) and seen (2) count alike
        score=1.0,
        area=area,
    )


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
    return f"{prefix}{int(image['id']):012d}.jpg"


def _inside_zip(folder: Path) -> tuple[Path, frozenset[str]]:
    """Where the set's pictures lie in its archive, and their names; COCO's own archives hold a folder."""
    names = frozenset(archive.members(folder.with_name(f"{folder.name}.zip")))
    inner = f"{folder.name}/"
    if names and all(name.startswith(inner) for name in names):
        return archive.zip_of(folder) / folder.name, frozenset(name[len(inner) :] for name in names)
    return archive.zip_of(folder), names


def _inside_folder(folder: Path) -> tuple[Path, frozenset[str]]:
    try:
        return folder, frozenset(path.name for path in folder.iterdir())
    except FileNotFoundError:
        raise PoseError(
            f"there is no picture folder {folder}", hint="DATASET.ROOT is the folder above images/"
        ) from None
    except OSError as error:
        raise PoseError(f"cannot list {folder}: {error.strerror}") from error


def _read_json(file: Path, kind: type, what: str, hint: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        hint = (
            hint
            or "DATASET.ROOT is the folder above annotations/, DATASET.TRAIN_SET and TEST_SET name the set"
        )
        raise PoseError(f"{what} {file} is missing", hint=hint) from None
    except OSError as error:
        raise PoseError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:  # malformed JSON, or bytes that are no text
        raise PoseError(f"{file} is not valid JSON: {error}", hint="fetch or write it again") from error
    if not isinstance(document, kind):
        raise PoseError(f"{file} holds a {type(document).__name__}, {what} is a {kind.__name__}")
    return document


def _entries(
    document: Mapping[str, Any], key: str, file: Path, *, needed: bool = True
) -> list[Mapping[str, Any]]:
    if key not in document and not needed:
        return []
    entries = document.get(key)
    if not isinstance(entries, list):
        raise PoseError(f'{file} has no list "{key}"', hint="COCO files hold images, annotations, categories")
    return entries


def _category(document: Mapping[str, Any], file: Path, sigmas: tuple[float, ...]) -> tuple[int, Joints]:
    """Id and joints of the file's first category: the one that people belong to.

    Test sets do not list joints; there they are COCO's.
    """
    categories = _entries(document, "categories", file)
    with _naming(file, "categories", 0):
        category = {"keypoints": list(COCO.names), **categories[0]}
        names, bones = category["keypoints"], category.get("skeleton", [])
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            raise ValueError('"keypoints" is not a list of names')
        if len({name.lower() for name in names}) != len(names):
            raise ValueError('"keypoints" names a joint twice')
        skeleton = tuple((int(a) - 1, int(b) - 1) for a, b in bones)  # the file counts from 1
        if not all(0 <= end < len(names) for bone in skeleton for end in bone):
            raise ValueError(f'"skeleton" goes beyond the {len(names)} joints, counted from 1')
        category_id = int(category["id"])
    if sigmas and len(sigmas) != len(names):
        raise PoseError(
            f"TEST.OKS_SIGMAS has {len(sigmas)} numbers, {file} names {len(names)} joints",
            hint="one number for each joint, in the file's order; '()' takes the known ones",
        )
    return category_id, joints_named(names, skeleton, sigmas)


def _numbers(entry: Mapping[str, Any], key: str, count: int) -> list[float]:
    values = entry[key]
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f'"{key}" is not a list of {count} numbers')
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f'"{key}" holds a number that is not finite')
    return numbers


@contextlib.contextmanager
def _naming(file: Path, key: str, position: int) -> Iterator[None]:
    """Turns a missing or odd field into a sentence that names file and entry."""
    where = f"{file}: {key}[{position}]"
    try:
        yield
    except KeyError as error:
        field = error.args[0]
        known = isinstance(field, str)
        reason = f'has no field "{field}"' if known else f"names picture {field}, which is not in images"
        raise PoseError(f"{where} {reason}") from None
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise PoseError(f"{where} cannot be read: {error}") from None
