"""Files written whole or not at all: an interruption or a full disk leaves what was there before."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pose.errors import FAILED, WRITE_HINT, PoseError

# What `replacing` writes to, and leaves where its process is killed.
PARTIAL = re.compile(r"\.(?P<name>.+\.[a-z0-9]+)-[a-z0-9_]{8}")
# Of a disk that has failed, or has no room for the folder; whatever else fsync says it says of a file system.
FAILING = frozenset({errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT})
# Of a file system that has no hard links, or of a file that may have no more.
LINKLESS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


@contextmanager
def replacing(path: Path, *, before: Path | None = None) -> Iterator[Path]:
    """A path beside `path` to write to; moved there when the block ends well, removed otherwise.

    `before` then names the file that was there. At no moment, not even of a power failure, is there neither.

    Raises:
        PoseError: exit code 1, when the folder or the disk does not take it.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(handle)
        partial = Path(name)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o666 & ~_umask())  # mkstemp makes it private
        if before is not None and path.exists():
            link(path, before)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise PoseError(f"{path} cannot be written: {error.strerror or error}", WRITE_HINT, FAILED) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def link(path: Path, name: Path) -> None:
    """Gives the file a second name, in place of the file of that name; where there are no links, to a copy.

    Raises:
        OSError: when the folder or the disk does not take it; the file of that name is what it was.
    """
    if name.exists() and name.samefile(path):
        return  # to rename one name of a file to another does nothing, and leaves both
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name.name}-") as folder:
        second = Path(folder, name.name)
        try:
            os.link(path, second)
        except OSError as error:
            if error.errno not in LINKLESS:
                raise
            shutil.copyfile(path, second)
            with second.open("rb") as file:
                os.fsync(file.fileno())
        second.replace(name)


def sweep(folder: Path) -> None:
    """Removes what killed writers left half-written, out of a folder in which nobody else writes."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if not PARTIAL.fullmatch(path.name):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _umask() -> int:
    """What new files are kept from; to read it is to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync(folder: Path) -> None:
    """Makes the new name last. Raises OSError where the disk has failed; some can sync no folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in FAILING:
            raise


def write_json(path: Path, document: dict[str, Any]) -> None:
    """The document as indented JSON."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def write_picture(path: Path, picture: Any) -> None:  # noqa: ANN401 - a BGR array; annotating it would import NumPy
    """A BGR picture (H, W, 3) uint8 in the format that the name ends in."""
    import cv2  # noqa: PLC0415 - stages without pictures, and --help, need not load it

    encoded = cv2.imencode(path.suffix, picture)[1]
    with replacing(path) as partial:
        partial.write_bytes(encoded.tobytes())
