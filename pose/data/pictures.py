"""A set's pictures as files, in a folder or in the zip file beside it: listed, checked, fingerprinted.

Decodes none of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pose.data import archive
from pose.data.record import Record
from pose.errors import PoseError


def listed(folder: Path, image_format: str) -> tuple[Path, frozenset[str]]:
    """Where the pictures lie, as the first part of their paths, and what they are called there."""
    return (_inside_zip if image_format == "zip" else _inside_folder)(folder)


def check_pictures(records: Iterable[Record]) -> None:
    """Stop unless every record's picture is there and holds something."""
    paths = dict.fromkeys(record.path for record in records)
    sizes = _sizes(paths)
    bad = [path for path in paths if not sizes[path]]
    if bad:
        others = f" (and {len(bad) - 1} more of {len(paths)})" if len(bad) > 1 else ""
        what = "is missing" if sizes[bad[0]] is None else "is empty"
        raise PoseError(f"picture {bad[0]} {what}{others}", hint=f"complete the folder {bad[0].parent}")


def fingerprint(documents: Iterable[Path], folder: Path, image_format: str) -> str:
    """sha256 (hex) over the documents' bytes and the names and sizes of the pictures.

    Of zipped pictures the archive also knows the checksums.

    Same fingerprint, same data, short of pictures that changed without changing their size: reading
    20 GB of pixels before every run would cost more than that guards against.
    """
    digest = hashlib.sha256()
    for document in documents:
        digest.update(document.read_bytes())
    if image_format == "zip":
        for name, (size, checksum) in sorted(archive.members(archive.file_of(folder)).items()):
            digest.update(f"{name}\0{size}\0{checksum}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
    with os.scandir(folder) as entries:
        sizes = sorted((entry.name, entry.stat().st_size) for entry in entries if entry.is_file())
    for name, size in sizes:
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _sizes(paths: Iterable[Path]) -> dict[Path, int | None]:
    """The size of each picture's file, None where there is none; archives are listed once."""
    sizes: dict[Path, int | None] = {}
    known: dict[Path, Mapping[str, tuple[int, int]]] = {}
    for path in paths:
        place = archive.split(path)
        if place is None:
            sizes[path] = path.stat().st_size if path.is_file() else None
            continue
        file, name = place
        if file not in known:
            known[file] = archive.members(file)
        sizes[path] = known[file][name][0] if name in known[file] else None
    return sizes


def _inside_zip(folder: Path) -> tuple[Path, frozenset[str]]:
    """The place inside the archive; COCO's own archives hold a folder."""
    names = frozenset(archive.members(archive.file_of(folder)))
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
