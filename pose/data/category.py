"""What an annotation file of the dataset at hand calls its joints, for stages that read no people.

Only `categories` is looked at, not the hundreds of megabytes around it; where the file says nothing that can
be used, nothing is known: it is not the file that such a stage was asked about.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose.data import coco_files
from pose.data.joints import COCO, Joints, joints_named

PERSON = 1  # COCO's category
KEY = b'"categories"'
LONGEST = 2**20  # bytes; COCO's own take 700


@dataclass(frozen=True)
class Category:
    """What people belong to: its id in COCO's results, their joints, and whether these have names."""

    number: int
    joints: Joints
    is_named: bool = True


def file_of(root: Path, *image_sets: str) -> Path | None:
    """The annotation file of the first of the sets that has one."""
    files = [coco_files.annotation_file(root, name) for name in image_sets]
    with suppress(ValueError, OSError):  # a null character, a folder that may not be entered
        return next((file for file in files if file.is_file()), None)
    return None


def category_in(file: Path, count: int, sigmas: Sequence[float] = ()) -> Category | None:
    """The file's first category, if it has so many joints (test sets list none: there they are COCO's)."""
    found = (_category(categories[0], count, sigmas) for categories in _lists(file))
    return next(filter(None, found), None)


def _lists(file: Path) -> Iterator[list[Any]]:
    """The values of the file's keys `categories` that are lists; COCO's files end with theirs."""
    with (
        suppress(OSError, ValueError),  # ValueError: an empty file has no map
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        at = content.rfind(KEY)
        while at >= 0:
            text = content[at + len(KEY) : at + LONGEST].decode("utf-8", errors="replace")
            colon = re.match(r"\s*:\s*(?=\[)", text)
            with suppress(ValueError, RecursionError):
                found = json.JSONDecoder().raw_decode(text, colon.end())[0] if colon else []
                if found:
                    yield found
            at = content.rfind(KEY, 0, at)


def _category(entry: object, count: int, sigmas: Sequence[float]) -> Category | None:
    if not isinstance(entry, dict) or "id" not in entry:
        return None
    entry = {"keypoints": list(COCO.names), "skeleton": [], **entry}
    names = entry["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) != count:
        return None
    try:
        number = int(entry["id"])
        skeleton = tuple((int(a) - 1, int(b) - 1) for a, b in entry["skeleton"])  # the file counts from 1
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(0 <= end < count for bone in skeleton for end in bone):
        return None
    return Category(number, joints_named(names, skeleton, sigmas if len(sigmas) == count else ()))
