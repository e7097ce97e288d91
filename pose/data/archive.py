"""Pictures inside a zip file: DATASET.DATA_FORMAT zip, a set's pictures as one file.

A picture's path is `images/<set>.zip@/<name in the archive>`. Nothing is ever unpacked to disk, and every
process opens the archive for itself: workers that shared one would move each other's place in the file.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

from pose.errors import PoseError

MARK = ".zip@"
LARGEST_PICTURE = 256 * 2**20  # bytes; what unpacks to more than this is no photograph


def zip_of(folder: Path) -> Path:
    """The folder's name for pictures that lie in the zip file beside it."""
    return folder.with_name(f"{folder.name}{MARK}")


def file_of(folder: Path) -> Path:
    """The zip file beside a folder's place."""
    return folder.with_name(f"{folder.name}.zip")


def split(path: Path) -> tuple[Path, str] | None:
    """The archive and the name inside it, or None for an ordinary path."""
    for parent in path.parents:
        if parent.name.endswith(MARK):
            return parent.with_name(parent.name[:-1]), path.relative_to(parent).as_posix()
    return None


def members(archive: Path) -> dict[str, tuple[int, int]]:
    """Size and checksum of every file in the archive, by name."""
    return {
        info.filename: (info.file_size, info.CRC)
        for info in _open(archive, os.getpid()).infolist()
        if not info.is_dir()
    }


def holds(path: Path) -> bool:
    """Whether a picture's archive has it."""
    archive, name = split(path) or (path, "")
    return name in _open(archive, os.getpid()).NameToInfo


def read(path: Path) -> bytes:
    """The bytes of one picture in an archive, checked against their checksum."""
    archive, name = split(path) or (path, "")
    opened = _open(archive, os.getpid())
    try:
        info = opened.getinfo(name)
        if info.file_size > LARGEST_PICTURE:
            raise PoseError(f"picture {path} unpacks to {info.file_size} bytes", "is it a picture?")
        return opened.read(info)
    except KeyError:
        raise PoseError(f"picture {path} is missing: {archive} has no {name}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise PoseError(f"picture {path} cannot be unpacked: {error}", "make the archive again") from error


@lru_cache(maxsize=8)
def _open(archive: Path, _process: int) -> zipfile.ZipFile:
    """The open archive of this process; a forked worker has another number and opens its own."""
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError:
        raise PoseError(
            f"there is no {archive}",
            "DATASET.DATA_FORMAT jpg reads the folder of that name",
        ) from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise PoseError(f"{archive} cannot be read as a zip file: {error}", "make it again") from error
