"""A set's pictures as files, in a folder or in the zip file beside it: listed, checked, fingerprinted.

Decodes none of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pose.data import archive
from pose.data.record import Record
from pose.digests import add_file, digest_of
from pose.errors import PoseError
from pose.report import bar

if TYPE_CHECKING:
    from hashlib import _Hash


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
    20 GB of pixels before every run would cost more than that guards against. `contents` does.
    """
    digest = hashlib.sha256()
    for document in documents:
        with document.open("rb") as file:
            add_file(digest, file)
    if image_format == "zip":
        for name, (size, checksum) in sorted(archive.members(archive.file_of(folder)).items()):
            digest.update(f"{name}\0{size}\0{checksum}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
    _add_sizes(digest, _files(folder))
    return digest.hexdigest()


def fingerprint_of(folder: Path, names: Iterable[str]) -> str:
    """sha256 (hex) over the names and sizes of these pictures of a folder."""
    digest = hashlib.sha256()
    try:
        _add_sizes(digest, ((name, (folder / name).stat().st_size) for name in names))
    except OSError as error:
        raise PoseError(f"picture {error.filename} cannot be looked at: {error.strerror}") from error
    return digest.hexdigest()


def contents(folder: Path, image_format: str) -> str:
    """sha256 (hex) over the names and the contents of the pictures: the same in a folder and in a zip file.

    Reads all of them.
    """
    if image_format == "zip":
        place, found = listed(folder, image_format)
        names, hashed = sorted(found), _digest_inside_zip
    else:
        place, names, hashed = folder, [name for name, _ in _files(folder)], _digest_of_file
    return _contents(place, names, hashed)


def contents_of(folder: Path, names: Sequence[str]) -> str:
    """The same of these pictures of a folder."""
    return _contents(folder, names, _digest_of_file)


def _contents(place: Path, names: Sequence[str], hashed: Callable[[Path], str]) -> str:
    whole = hashlib.sha256()
    with bar("hash the pictures", len(names)) as progress:
        for name in names:
            whole.update(f"{name}\0{hashed(place / name)}\n".encode(errors="surrogateescape"))
            progress.advance()
    return whole.hexdigest()


def _add_sizes(digest: _Hash, found: Iterable[tuple[str, int]]) -> None:
    for name, size in found:
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))


def _files(folder: Path) -> list[tuple[str, int]]:
    """Name and size of every file in a folder, in the order of the names."""
    with os.scandir(folder) as entries:
        return sorted((entry.name, entry.stat().st_size) for entry in entries if entry.is_file())


def _digest_inside_zip(path: Path) -> str:
    return hashlib.sha256(archive.read(path)).hexdigest()


def _digest_of_file(path: Path) -> str:
    try:
        return digest_of(path)
    except OSError as error:
        raise PoseError(
            f"picture {path} cannot be read: {error.strerror}",
            "--fingerprint names goes by names and sizes, and reads no picture",
        ) from error


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
