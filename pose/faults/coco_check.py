"""What is wrong with one set of a COCO dataset, for `check-data`.

What a fault in an entry is, `data_checks.py` knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose.command.config import Config
from pose.data.coco_files import annotation_file, image_folder
from pose.data.reading import number, whole
from pose.faults.data_checks import (
    Finding,
    Size,
    annotation_findings,
    category_findings,
    detection_findings,
    image_findings,
    joint_names,
    usable_people,
)
from pose.faults.file_checks import listed, named, picture_fault, read_leniently
from pose.report import bar, note


@dataclass
class Contents:
    """What a set's annotation file lists, as far as it can be read."""

    names: dict[int, str] = field(default_factory=dict)  # image id -> file_name
    places: dict[int, str] = field(default_factory=dict)  # image id -> its entry
    sizes: dict[int, Size | None] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)  # pictures that a training or test opens
    people: int = 0
    category: int | None = None


def check_set(config: Config, image_set: str, *, is_decoding: bool) -> list[Finding]:
    """Everything that is wrong with one set: annotations, a detector's boxes, pictures."""
    root, is_tested = Path(config.DATASET.ROOT), image_set == config.DATASET.TEST_SET
    file, folder = annotation_file(root, image_set), image_folder(root, image_set)
    document, findings = read_leniently(file, dict, "annotation file")
    contents = Contents()
    if document is not None:
        evaluated = is_tested and "test" not in image_set
        contents, found = _contents(
            document, config.MODEL.NUM_JOINTS, has_truth="test" not in image_set, evaluated=evaluated
        )
        findings += named(found, file)
        note(f"{file}: {len(contents.names)} pictures, {contents.people} persons with labelled joints")
        if not contents.people and "test" not in image_set:
            findings.append(Finding("no usable person", str(file), "none has a labelled joint"))
    if is_tested and not config.TEST.USE_GT_BBOX:
        findings += _check_detections(config, contents, has_set=document is not None)
    place, present, unlisted = listed(folder, config.DATASET.DATA_FORMAT)
    findings += unlisted
    if unlisted:
        return findings
    with bar(image_set, len(contents.names)) as progress:
        for image_id, name in contents.names.items():
            path = _picture(place, present, image_set, image_id, name)
            findings += _check_picture(path, image_id, contents, is_decoding=is_decoding)
            progress.advance()
    return findings


def _contents(
    document: Mapping[str, Any], joints: int, *, has_truth: bool, evaluated: bool
) -> tuple[Contents, list[Finding]]:
    found: list[Finding] = []
    lists: dict[str, Sequence[object]] = {}
    for key in ("images", "categories", "annotations"):
        entries = document.get(key)
        lists[key] = entries if isinstance(entries, list) else ()
        if not isinstance(entries, list) and (key != "annotations" or has_truth):
            found.append(Finding("list is missing", key, "COCO files hold images, annotations, categories"))
    contents = Contents()
    for position, image in enumerate(lists["images"]):
        image_id = whole(image.get("id")) if isinstance(image, Mapping) else None
        if image_id is None or image_id in contents.sizes or not isinstance(image, Mapping):
            continue
        height, width = number(image.get("height")) or 0.0, number(image.get("width")) or 0.0
        contents.sizes[image_id] = (height, width) if height > 0 and width > 0 else None
        contents.names[image_id] = str(image.get("file_name", ""))
        contents.places[image_id] = f"images[{position}]"
    found += image_findings(lists["images"])
    if isinstance(document.get("categories"), list):
        found += category_findings(lists["categories"], joints)
    if lists["categories"] and isinstance(lists["categories"][0], Mapping):
        contents.category = whole(lists["categories"][0].get("id"))
    people = list(usable_people(lists["annotations"], contents.sizes, contents.category))
    contents.people, contents.opened = len(people), set(people)
    names = joint_names(next(iter(lists["categories"]), None))
    found += annotation_findings(
        lists["annotations"], contents.sizes, contents.category, names, evaluated=evaluated
    )
    return contents, found


def _check_detections(config: Config, contents: Contents, *, has_set: bool) -> list[Finding]:
    """The detected boxes' findings; their pictures are opened too."""
    if not config.TEST.COCO_BBOX_FILE:
        what = "names no file, and TEST.USE_GT_BBOX is False"
        return [Finding("detection file is missing", "TEST.COCO_BBOX_FILE", what)]
    file = Path(config.TEST.COCO_BBOX_FILE)
    entries, findings = read_leniently(file, list, "detection file")
    if entries is None or not has_set:  # without the set's pictures every box would be a stranger
        return findings
    threshold = config.TEST.IMAGE_THRE
    found = detection_findings(entries, contents.sizes, contents.category, threshold)
    findings += named(found, file)
    for entry in entries:
        if isinstance(entry, Mapping) and (number(entry.get("score")) or 0.0) >= threshold:
            image_id = whole(entry.get("image_id"))
            if image_id in contents.sizes and entry.get("category_id") == contents.category:
                contents.opened.add(image_id)
    return findings


def _check_picture(path: Path, image_id: int, contents: Contents, *, is_decoding: bool) -> list[Finding]:
    """What is wrong with one picture: an error where it is opened, else a remark."""
    where, is_opened = f"{path} ({contents.places[image_id]})", image_id in contents.opened
    fault = picture_fault(path, contents.sizes[image_id], is_decoding=is_decoding)
    if fault is None:
        return []
    kind, what = fault
    return [Finding(kind, where, what if is_opened else f"{what}; no usable person in it", is_opened)]


def _picture(place: Path, present: frozenset[str], image_set: str, image_id: int, name: str) -> Path:
    """The picture's own name where that is a file at the place, else COCO's habit of twelve digits."""
    own = Path(name)
    if name in present:
        return place / name
    if name and "\0" not in name and ".." not in own.parts and not own.is_absolute():
        try:
            if (place / own).is_file():  # in a folder of the folder
                return place / own
        except OSError:  # a name longer than the file system's
            pass
    prefix = f"COCO_{image_set}_" if "2014" in image_set else ""
    return place / f"{prefix}{image_id:012d}.jpg"
