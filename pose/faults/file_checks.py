"""Files of a dataset looked at for `check-data`: what cannot be read is a finding, not an error.

Reads leniently, where a training stops at the first fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pose.data import archive, pictures
from pose.data.picture_header import is_cut_off, picture_size
from pose.errors import PoseError
from pose.faults.data_checks import Finding, Size


def read_leniently(file: Path, kind: type, what: str) -> tuple[Any, list[Finding]]:
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


def listed(folder: Path, image_format: str) -> tuple[Path, frozenset[str], list[Finding]]:
    """As `pictures.listed`, with a finding and no names where nothing can be listed."""
    try:
        return *pictures.listed(folder, image_format), []
    except PoseError as error:
        kind = "zip file of pictures cannot be used" if image_format == "zip" else "picture folder is missing"
        return folder, frozenset(), [Finding(kind, str(folder), error.message)]


def named(findings: Iterable[Finding], file: Path) -> list[Finding]:
    """The findings, each with the file before its place."""
    return [replace(finding, where=f"{file}: {finding.where}") for finding in findings]


def picture_fault(path: Path, told: Size | None, *, is_decoding: bool) -> tuple[str, str] | None:
    """What is wrong with the picture, if anything, as kind and words; `told` is the size it should have."""
    fault, size = look_at(path, is_decoding=is_decoding)
    if fault is not None or size is None:
        return fault
    if told is not None and size != told:
        what = f"{size[1]}x{size[0]}, the annotation file says {told[1]:g}x{told[0]:g}"
        return "picture size is another", what
    return None


def look_at(path: Path, *, is_decoding: bool) -> tuple[tuple[str, str] | None, Size | None]:
    """The picture's fault and its size, one of which is None."""
    try:
        encoded = _encoded(path)
    except PoseError as error:
        return ("picture cannot be unpacked", error.message), None
    except FileNotFoundError:
        return ("picture is missing", "is not there"), None
    except OSError as error:
        return ("picture cannot be read", error.strerror or type(error).__name__), None
    if not encoded:
        return ("picture is empty", "0 bytes"), None
    if is_cut_off(encoded):
        return ("picture is cut off", f"{len(encoded)} bytes and no end"), None
    size = picture_size(encoded)
    if is_decoding or size is None:
        size = _decoded_size(path)
    return (None, size) if size else (("picture cannot be decoded", f"{len(encoded)} bytes"), None)


def _encoded(path: Path) -> bytes:
    """The picture's bytes, in a folder or an archive."""
    if archive.split(path) is None:
        return path.read_bytes()
    if not archive.holds(path):
        raise FileNotFoundError
    return archive.read(path)


def _decoded_size(path: Path) -> tuple[int, int] | None:
    from pose.data.dataset import read_picture  # noqa: PLC0415 - loads torch, which the rest can do without

    try:
        height, width = read_picture(path).shape[:2]
    except PoseError:
        return None
    return height, width
