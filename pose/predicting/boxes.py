"""A detection file's boxes for `pred`: COCO results, matched to pictures by name or by number.

Reads and checks the whole file before anything is computed; opens no picture.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose.data import reading
from pose.data.box import side_fault
from pose.errors import PoseError
from pose.predicting.sources import Source, digits

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Boxed:
    """A box (x, y, width, height) in a picture's pixels, its detector's score, and where it was given."""

    box: Box
    score: float
    origin: str


def whole(height: int, width: int) -> Boxed:
    """The box that a picture of that size itself is."""
    return Boxed((0.0, 0.0, float(width), float(height)), 1.0, "the whole picture")


def load_boxes(
    file: Path, source: Source, threshold: float, person: int
) -> dict[str | int, tuple[Boxed, ...]]:
    """The boxes of that category and at least that score, by picture name; for a video by frame number.

    Frames count from 0.

    Raises:
        PoseError: for a file or an entry that cannot be used, or when no box is of a picture that is here.
    """
    by_number: dict[int, list[str]] = {}
    for name in source.names:
        number = digits(name)
        if number is not None:
            by_number.setdefault(number, []).append(name)
    names = frozenset(source.names)
    found: dict[str | int, list[Boxed]] = {}
    for position, entry in enumerate(_entries(file)):
        where = f"{file}: [{position}]"
        boxed, category = _read(entry, where, person)
        if category != person or boxed.score < threshold:
            continue
        key = _picture_of(entry, where, source, by_number, names)
        if key is not None:
            found.setdefault(key, []).append(boxed)
    if not found:
        raise PoseError(
            f"no person's box in {file} scores {threshold:g} or more and lies in a picture of {source.path}",
            "image_id is the number in a picture's name (a video's frame, from 0); file_name is its name",
        )
    return {key: tuple(boxes) for key, boxes in found.items()}


def _entries(file: Path) -> list[Any]:
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise PoseError(
            f"cannot read --boxes {file}: {error.strerror}", "--boxes FILE: COCO results"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PoseError(f"--boxes {file} is not valid JSON: {error}", "COCO results were expected") from error
    if not isinstance(document, list):
        raise PoseError(f"--boxes {file} holds no list", "COCO results: a list of image_id, bbox, score")
    return document


def _read(entry: Any, where: str, person: int) -> tuple[Boxed, object]:  # noqa: ANN401 - JSON is anything
    if not isinstance(entry, dict):
        raise PoseError(f"{where} is no object", "image_id or file_name, bbox and score were expected")
    bbox = entry.get("bbox")
    numbers = tuple(_number(side) for side in bbox) if isinstance(bbox, list) else ()
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise PoseError(f'{where} "bbox" is not four finite numbers', "x, y, width, height in pixels")
    fault = side_fault(numbers)
    if fault is not None:
        raise PoseError(f'{where} "bbox" {fault}', "x, y, width, height in pixels")
    score = _number(entry.get("score", 1.0))
    if not math.isfinite(score):
        raise PoseError(f'{where} "score" is no finite number', "a detector's score, 0 to 1")
    box = (numbers[0], numbers[1], numbers[2], numbers[3])
    return Boxed(box, score, f"{where} bbox"), entry.get("category_id", person)


def _number(value: object) -> float:
    """The number, or NaN for what is none."""
    found = reading.number(value)
    return math.nan if found is None else found


def _picture_of(
    entry: dict[str, Any], where: str, source: Source, by_number: dict[int, list[str]], names: frozenset[str]
) -> str | int | None:
    """The entry's picture or frame; None for one that is not here."""
    if source.kind != "video" and "file_name" in entry:
        name = Path(str(entry["file_name"])).name
        return name if name in names else None
    number = reading.whole(entry.get("image_id"))
    if number is None:
        raise PoseError(f'{where} "image_id" is no whole number', "or name the picture: file_name")
    if source.kind == "video":
        return number if 0 <= number < (source.promised or math.inf) else None
    known = by_number.get(number, [])
    if len(known) > 1:
        raise PoseError(
            f"{where} is of picture {number}, and {known[0]} and {known[1]} both have that number",
            "file_name in the entries tells them apart",
        )
    return known[0] if known else None
