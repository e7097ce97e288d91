"""Stage `check-data`: everything that is wrong with a dataset, in one table, before a training meets it.

Reads the files leniently, where pose.coco stops at the first fault, and looks at each picture's bytes.
What a fault in an entry is, pose.data_checks knows. Writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pose.arguments import Arguments
from pose.coco_files import annotation_file, image_folder
from pose.config import Config
from pose.data_checks import (
    Finding,
    Size,
    annotation_findings,
    category_findings,
    detection_findings,
    image_findings,
    joint_names,
    number,
    usable_people,
    whole,
)
from pose.errors import FAILED, PoseError
from pose.picture_header import is_cut_off, picture_size
from pose.report import Result, bar, data, note

EXAMPLES = 3
LONGEST = 300


@dataclass
class Contents:
    """What a set's annotation file lists, as far as it can be read."""

    names: dict[int, str] = field(default_factory=dict)  # image id -> file_name
    places: dict[int, str] = field(default_factory=dict)  # image id -> its entry
    sizes: dict[int, Size | None] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)  # pictures that a training or test opens
    people: int = 0
    category: int | None = None


def run(arguments: Arguments, result: Result) -> None:
    """Prints the table, and stops with exit code 1 where there is an error in it."""
    config, _ = arguments.configuration
    if config.DATASET.DATA_FORMAT == "zip":
        raise PoseError(
            "DATASET.DATA_FORMAT zip: only pictures in folders can be checked",
            "unpack the pictures into images/<set>/ and set DATASET.DATA_FORMAT jpg",
        )
    findings: list[Finding] = []
    for image_set in dict.fromkeys((config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)):
        findings += _check_set(config, image_set, is_decoding="--decode" in arguments.values)
    for line in table(findings):
        data(line)
    errors = sum(finding.is_error for finding in findings)
    remarks = len(findings) - errors
    result.metrics = {"errors": float(errors), "remarks": float(remarks)}
    data(f"{_counted(errors, 'error')}, {_counted(remarks, 'remark')}")
    if errors:
        raise PoseError(
            f"{_counted(errors, 'error')} in {config.DATASET.ROOT} would stop or spoil a training",
            "the table names the first of each kind; remarks do no harm",
            FAILED,
        )


def table(findings: Iterable[Finding]) -> list[str]:
    """Errors first: how many of a kind, and the first few of them; nothing where nothing was found."""
    kinds: dict[tuple[bool, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((not finding.is_error, finding.kind), []).append(finding)
    width = max((len(kind) for _, kind in kinds), default=0)
    lines = []
    for (is_remark, kind), members in sorted(kinds.items(), key=lambda item: item[0][0]):
        head = f"{'remark' if is_remark else 'error':<7} {kind:<{width}} {len(members):>7}"
        for member in members[:EXAMPLES]:
            lines.append(_plain(f"{head}   {member.where}: {member.what}"))
            head = " " * len(head)
        if len(members) > EXAMPLES:
            lines.append(f"{head}   ...")
    return lines


def _check_set(config: Config, image_set: str, *, is_decoding: bool) -> list[Finding]:
    root, is_tested = Path(config.DATASET.ROOT), image_set == config.DATASET.TEST_SET
    file, folder = annotation_file(root, image_set), image_folder(root, image_set)
    document, findings = _read(file, dict, "annotation file")
    contents = Contents()
    if document is not None:
        evaluated = is_tested and "test" not in image_set
        contents, found = _contents(
            document, config.MODEL.NUM_JOINTS, has_truth="test" not in image_set, evaluated=evaluated
        )
        findings += _named(found, file)
        note(f"{file}: {len(contents.names)} pictures, {contents.people} persons with labelled joints")
        if not contents.people and "test" not in image_set:
            findings.append(Finding("no usable person", str(file), "none has a labelled joint"))
    if is_tested and not config.TEST.USE_GT_BBOX:
        findings += _check_detections(config, contents, has_set=document is not None)
    if not folder.is_dir():
        return [*findings, Finding("picture folder is missing", str(folder), "DATASET.ROOT is above images/")]
    with bar(image_set, len(contents.names)) as progress:
        for image_id in contents.names:
            findings += _check_picture(folder, image_set, image_id, contents, is_decoding=is_decoding)
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
    entries, findings = _read(file, list, "detection file")
    if entries is None or not has_set:  # without the set's pictures every box would be a stranger
        return findings
    threshold = config.TEST.IMAGE_THRE
    found = detection_findings(entries, contents.sizes, contents.category, threshold)
    findings += _named(found, file)
    for entry in entries:
        if isinstance(entry, Mapping) and (number(entry.get("score")) or 0.0) >= threshold:
            image_id = whole(entry.get("image_id"))
            if image_id in contents.sizes and entry.get("category_id") == contents.category:
                contents.opened.add(image_id)
    return findings


def _check_picture(
    folder: Path, image_set: str, image_id: int, contents: Contents, *, is_decoding: bool
) -> list[Finding]:
    """What is wrong with one picture: an error where it is opened, else a remark."""
    fault: tuple[str, str] | None
    path = _picture(folder, image_set, image_id, contents.names[image_id])
    where, is_opened = f"{path} ({contents.places[image_id]})", image_id in contents.opened
    try:
        encoded = path.read_bytes()
    except FileNotFoundError:
        fault = ("picture is missing", "is not there")
    except OSError as error:
        fault = ("picture cannot be read", error.strerror or type(error).__name__)
    else:
        fault = _fault(path, encoded, contents.sizes[image_id], is_decoding=is_decoding)
    if fault is None:
        return []
    kind, what = fault
    return [Finding(kind, where, what if is_opened else f"{what}; no usable person in it", is_opened)]


def _fault(path: Path, encoded: bytes, told: Size | None, *, is_decoding: bool) -> tuple[str, str] | None:
    """The picture's own fault, if any, as kind and words; `told` is the size that the annotation file has."""
    if not encoded:
        return "picture is empty", "0 bytes"
    if is_cut_off(encoded):
        return "picture is cut off", f"{len(encoded)} bytes and no end"
    size = picture_size(encoded)
    if is_decoding or size is None:
        size = _decoded_size(path)
    if size is None:
        return "picture cannot be decoded", f"{len(encoded)} bytes"
    if told is not None and size != told:
        what = f"{size[1]}x{size[0]}, the annotation file says {told[1]:g}x{told[0]:g}"
        return "picture size is another", what
    return None


def _decoded_size(path: Path) -> tuple[int, int] | None:
    from pose.dataset import read_picture  # noqa: PLC0415 - loads torch, which the rest can do without

    try:
        height, width = read_picture(path).shape[:2]
    except PoseError:
        return None
    return height, width


def _picture(folder: Path, image_set: str, image_id: int, name: str) -> Path:
    """The picture's own name where that is a file below the folder, else COCO's habit of twelve digits."""
    own = Path(name)
    if name and "\0" not in name and ".." not in own.parts and not own.is_absolute():
        try:
            if (folder / own).is_file():
                return folder / own
        except OSError:  # a name longer than the file system's
            pass
    prefix = f"COCO_{image_set}_" if "2014" in image_set else ""
    return folder / f"{prefix}{image_id:012d}.jpg"


def _read(file: Path, kind: type, what: str) -> tuple[Any, list[Finding]]:
    """The parsed file, or None and why not."""
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None, [Finding(f"{what} is missing", str(file), "is not there")]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return None, [Finding(f"{what} cannot be read", str(file), reason)]
    except (ValueError, RecursionError) as error:
        return None, [Finding(f"{what} is no valid JSON", str(file), str(error))]
    if not isinstance(document, kind):
        shape = f"holds a {type(document).__name__}, not a {kind.__name__}"
        return None, [Finding(f"{what} has another shape", str(file), shape)]
    return document, []


def _named(findings: Iterable[Finding], file: Path) -> list[Finding]:
    return [replace(finding, where=f"{file}: {finding.where}") for finding in findings]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _plain(line: str) -> str:
    """Names out of files cannot move the cursor or fill the screen."""
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
