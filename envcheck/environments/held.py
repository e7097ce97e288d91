"""What a run uses of the cache is marked as used now, and held until this program and its commands end.

Nobody prunes what somebody holds: the kernel lets go of it when all of them have gone, however they went: a
command that goes on when we were killed holds it still. Where the file system knows no locks, what was used
lately is still not pruned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from envcheck.processes import SHARED


def hold(thing: Path) -> bool:
    """Mark a file or folder as used now, and hold it until the program ends; False where it is not there.

    To be asked before anybody looks whether it is whole: what was looked at first may be gone by now. Waits
    for whoever is just about to move it away.
    """
    with contextlib.suppress(OSError):  # a cache that is another user's is read only
        if thing.stat().st_mtime < time.time():  # a clock that was set back does not make it older
            os.utime(thing)
    try:
        handle = os.open(thing, os.O_RDONLY)
    except OSError:
        return thing.exists()
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)
    if not _lies_at(handle, thing):
        os.close(handle)
        return False
    if any(os.path.samestat(os.fstat(handle), os.fstat(other)) for other in SHARED):
        os.close(handle)  # held already
    else:
        SHARED.append(handle)
    return True


@contextlib.contextmanager
def let_go(thing: Path) -> Iterator[bool]:
    """While open, nobody can begin to hold it; gives whether nobody did."""
    handle = os.open(thing, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody holds it, or nobody can say
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def remove(thing: Path, instead: Path | None = None) -> None:
    """Remove a file, folder or link, and put something else into its place.

    It is moved away first: what is half removed would be taken for whole. Raises `OSError`.
    """
    away = tempfile.mkdtemp(dir=thing.parent, prefix=f".{thing.name}.gone-")
    try:
        thing.replace(Path(away) / thing.name)
        if instead is not None:
            instead.replace(thing)
    finally:
        shutil.rmtree(away, ignore_errors=True)


def _lies_at(handle: int, thing: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), thing.stat())
    except OSError:
        return False
