"""What can be wrong with the entries of COCO annotation and detection files, told as findings.

Pure: takes parsed JSON, opens nothing, and goes on after each finding, so that one look names them all. An
error is what would stop a training or a test, or spoil it in silence; a remark is what they cope with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pose.data.box import is_outside, side_fault
from pose.data.joints import COCO, joints_named, without_partner
from pose.data.reading import number, short, whole

VISIBILITIES = (0, 1, 2)
# Boxes are fractions of pixels: a rounding at the border is not worth a line.
BORDER = 1.0
FOR_ANYBODY = ("image_id", "category_id")
FOR_A_PERSON = ("bbox", "area", "keypoints")
FOR_A_CROWD = ("bbox", "area")  # where COCO's numbers are computed
FILLED_IN = ("id", "iscrowd", "num_keypoints")  # the numbers need them, `evaluate.py` knows them

Size = tuple[float, float]  # (height, width)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its kind, the entry or file, a few words, and whether it does harm."""

    kind: str
    where: str
    what: str
    is_error: bool = True


def remark(kind: str, where: str, what: str) -> Finding:
    """A finding that does no harm."""
    return Finding(kind, where, what, is_error=False)


def image_findings(images: Sequence[object]) -> Iterator[Finding]:
    """Of the entries of `images`: fields, ids and sizes."""
    first: dict[int, str] = {}
    for position, image in enumerate(images):
        where = f"images[{position}]"
        if not isinstance(image, Mapping):
            yield Finding("entry is no object", where, type(image).__name__)
            continue
        yield from _missing(image, ("id", "height", "width"), where)
        for key in ("height", "width"):
            if key in image and (number(image[key]) or 0) <= 0:
                yield Finding("picture size is none", where, f"{key} {short(image[key])}")
        if "file_name" not in image:
            yield remark("field is missing", where, "file_name; the id's twelve digits are tried")
        yield from _repeated("picture id twice", image, first, where)


def joint_names(category: object) -> tuple[str, ...]:
    """What the category calls its joints; COCO's where it does not say (as test sets do not)."""
    names = category.get("keypoints", COCO.names) if isinstance(category, Mapping) else COCO.names
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else COCO.names


def category_findings(categories: Sequence[object], joints: int) -> Iterator[Finding]:
    """Of the first category, the one that people belong to; `joints` is what the config expects of it."""
    where = "categories[0]"
    if not categories or not isinstance(categories[0], Mapping):
        yield Finding("no category", where, "there is none")
        return
    category = categories[0]
    if whole(category.get("id")) is None:
        yield Finding("no category", where, f"id {short(category.get('id'))}")
    names = category.get("keypoints", COCO.names)
    if not isinstance(names, (list, tuple)) or len(names) != joints:
        count = len(names) if isinstance(names, (list, tuple)) else short(names)
        yield Finding("joint count is wrong", where, f"names {count} joints, MODEL.NUM_JOINTS is {joints}")
    else:
        for name in without_partner(joints_named(list(map(str, names)))):
            yield remark("joint without its other side", where, f"{short(name)}: a mirror leaves it as it is")


def annotation_findings(
    annotations: Sequence[object],
    sizes: Mapping[int, Size | None],
    category: int | None,
    joints: Sequence[str],
    *,
    evaluated: bool,
) -> Iterator[Finding]:
    """Of the entries of `annotations`; `sizes` has every picture of the file, None where its size is none.

    `joints` are the category's names.
    """
    first: dict[int, str] = {}
    for position, entry in enumerate(annotations):
        where = f"annotations[{position}]"
        if not isinstance(entry, Mapping):
            yield Finding("entry is no object", where, type(entry).__name__)
            continue
        yield from _missing(entry, FOR_ANYBODY, where)
        yield from _missing(entry, FILLED_IN, where, is_error=False)
        yield from _repeated("annotation id twice", entry, first, where)
        yield from _odd_category(entry, where)
        image_id = whole(entry.get("image_id"))
        if "image_id" in entry and image_id not in sizes:
            yield Finding("picture is unknown", where, f"image_id {short(entry['image_id'])}")
        if entry.get("category_id", category) != category:  # passed over
            continue
        if entry.get("iscrowd", 0) not in (0, 1):
            yield Finding("crowd flag is no known kind", where, f"iscrowd {short(entry['iscrowd'])}")
        if _is_person(entry, category):
            size = sizes.get(image_id) if image_id is not None else None
            yield from _person_findings(entry, size, joints, where)
        else:
            found = _crowd_findings(entry, len(joints), where)
            yield from (replace(one, is_error=one.is_error and evaluated) for one in found)


def detection_findings(
    entries: Sequence[object], sizes: Mapping[int, Size | None], category: int | None, threshold: float
) -> Iterator[Finding]:
    """Of a detection file's entries; those below the threshold or of other categories do no harm."""
    usable = 0
    for position, entry in enumerate(entries):
        where = f"[{position}]"
        if not isinstance(entry, Mapping):
            yield Finding("entry is no object", where, type(entry).__name__)
            continue
        yield from _missing(entry, ("image_id", "category_id", "bbox", "score"), where)
        yield from _odd_category(entry, where)
        score, image_id = number(entry.get("score")), whole(entry.get("image_id"))
        if "score" in entry and score is None:
            yield Finding("score is no number", where, short(entry["score"]))
        is_wanted = entry.get("category_id") == category and score is not None and score >= threshold
        if "image_id" in entry and image_id not in sizes:
            is_id = image_id is not None
            yield Finding("picture is unknown", where, f"image_id {short(entry['image_id'])}", not is_id)
            is_wanted = False
        usable += is_wanted
        if "bbox" in entry:
            size = sizes.get(image_id) if image_id is not None else None
            yield from _box_findings(entry["bbox"], size, where, is_used=is_wanted)
    if not usable:
        what = f"none is of category {category}, scores {threshold:g} or more and is of a picture of the set"
        yield Finding("no usable detection", "the whole file", what)


def usable_people(
    annotations: Sequence[object], sizes: Collection[int], category: int | None
) -> Iterator[int]:
    """The picture of each person that has a labelled joint and a box: those that are opened."""
    for entry in annotations:
        if isinstance(entry, Mapping) and _is_person(entry, category) and _labelled(entry):
            image_id = whole(entry.get("image_id"))
            area = number(entry.get("area"))
            if image_id is not None and image_id in sizes and (area is None or area > 0):
                yield image_id


def _person_findings(
    entry: Mapping[str, Any], size: Size | None, joints: Sequence[str], where: str
) -> Iterator[Finding]:
    yield from _missing(entry, FOR_A_PERSON, where)
    keypoints = entry.get("keypoints")
    is_used = _labelled(entry)
    if "bbox" in entry:
        yield from _box_findings(entry["bbox"], size, where, is_used=is_used)
    area = number(entry.get("area"))
    if "area" in entry and (area is None or (area <= 0 and is_used)):
        yield Finding("area is none", where, f"area {short(entry['area'])}")
    if "keypoints" not in entry:
        return
    if not isinstance(keypoints, list):
        yield Finding("joint count is wrong", where, f"keypoints {short(keypoints)}")
    elif len(keypoints) == 2 * len(joints):
        what = f"{len(keypoints)} numbers: {len(joints)} times x, y without visibility"
        yield Finding("joints without visibility", where, what)
    elif len(keypoints) != 3 * len(joints):
        needed = f"{3 * len(joints)} are x, y, visibility of {len(joints)} joints"
        what = f"{len(keypoints)} numbers, {needed}"
        yield Finding("joint count is wrong", where, what)
    else:
        yield from _joint_findings(keypoints, size, joints, where)
        if not is_used:
            yield remark("person without labelled joints", where, "is passed over")


def _crowd_findings(entry: Mapping[str, Any], joint_count: int, where: str) -> Iterator[Finding]:
    """Of a crowd, who teaches nothing; whoever is found in it counts neither for nor against."""
    yield from _missing(entry, FOR_A_CROWD, where)
    yield from _missing(entry, ("keypoints",), where, is_error=False)
    box, area, keypoints = (entry.get(key) for key in ("bbox", "area", "keypoints"))
    if "bbox" in entry and _four_numbers(box) is None:
        yield Finding("box is not four numbers", where, f"bbox {short(box)}")
    if "area" in entry and number(area) is None:
        yield Finding("area is none", where, f"area {short(area)}")
    if keypoints and not (isinstance(keypoints, list) and len(keypoints) == 3 * joint_count):
        yield Finding("joint count is wrong", where, f"keypoints {short(keypoints)}")
    elif keypoints and None in map(number, keypoints):
        yield Finding("joint is no number", where, f"keypoints {short(keypoints)}")


def _joint_findings(
    keypoints: list[Any], size: Size | None, joints: Sequence[str], where: str
) -> Iterator[Finding]:
    for name, start in zip(joints, range(0, 3 * len(joints), 3), strict=True):
        x, y, visibility = (number(value) for value in keypoints[start : start + 3])
        if x is None or y is None:
            yield Finding("joint is no number", where, f"{name} {short(keypoints[start : start + 2])}")
            continue
        if visibility is None:
            what = f"{name}: visibility {short(keypoints[start + 2])}"
            yield Finding("joints without visibility", where, what)
        elif visibility not in VISIBILITIES:
            yield Finding(
                "visibility of no known kind", where, f"{name}: {visibility:g}, 0, 1 and 2 are known"
            )
        elif visibility == 0 and (x or y):
            yield remark("joint placed, not labelled", where, f"{name} at {x:g}, {y:g}")
        elif visibility and size is not None and not (0 <= x <= size[1] and 0 <= y <= size[0]):
            what = f"{name} at {x:g}, {y:g} of {size[1]:g}x{size[0]:g}"
            yield Finding("labelled joint outside the picture", where, what)


def _box_findings(box: object, size: Size | None, where: str, *, is_used: bool) -> Iterator[Finding]:
    """A box that cannot be read stops the loader whoever it belongs to; the rest matters where it is used."""
    numbers = _four_numbers(box)
    if numbers is None:
        yield Finding("box is not four numbers", where, f"bbox {short(box)}")
        return
    x, y, width, height = numbers
    sides = side_fault(numbers, size)
    if width <= 0 or height <= 0:
        yield Finding("box of zero or negative size", where, f"{width:g}x{height:g}", is_used)
    elif sides is not None:
        yield Finding("box of absurd size", where, sides, is_used)
    elif size is not None:
        what = f"{short(box)} of {size[1]:g}x{size[0]:g}"
        if is_outside(numbers, size):
            yield Finding("box outside the picture", where, what, is_used)
        elif max(-x, -y, x + width - size[1], y + height - size[0]) > BORDER:
            yield remark("box partly outside the picture", where, what)


def _four_numbers(box: object) -> list[float] | None:
    found = [number(value) for value in box] if isinstance(box, list) else []
    numbers = [value for value in found if value is not None]
    return numbers if len(found) == len(numbers) == 4 else None


def _missing(
    entry: Mapping[str, Any], keys: Sequence[str], where: str, *, is_error: bool = True
) -> Iterator[Finding]:
    for key in keys:
        if key not in entry:
            yield Finding("field is missing", where, key, is_error)


def _repeated(kind: str, entry: Mapping[str, Any], first: dict[int, str], where: str) -> Iterator[Finding]:
    """An id that is none, or that an earlier entry has; `first` remembers where."""
    if "id" not in entry:
        return
    own = whole(entry["id"])
    if own is None:
        yield Finding("id is no whole number", where, f"id {short(entry['id'])}")
    elif own in first:
        yield Finding(kind, where, f"id {own}, as {first[own]}")
    else:
        first[own] = where


def _odd_category(entry: Mapping[str, Any], where: str) -> Iterator[Finding]:
    if "category_id" in entry and whole(entry["category_id"]) is None:
        yield Finding("id is no whole number", where, f"category_id {short(entry['category_id'])}")


def _is_person(entry: Mapping[str, Any], category: int | None) -> bool:
    return not entry.get("iscrowd", 0) and entry.get("category_id", category) == category


def _labelled(entry: Mapping[str, Any]) -> bool:
    """Whether any joint has a visibility above 0, as far as can be read."""
    keypoints = entry.get("keypoints")
    return isinstance(keypoints, list) and any((number(value) or 0) > 0 for value in keypoints[2::3])
