"""What a run uses of the cache is marked as used now, and held until this program ends.

Nobody prunes what somebody holds: the kernel lets go of it when the program has gone, however it went. Where
the file system knows no locks, what was used lately is still not pruned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_HELD: list[int] = []


def hold(thing: Path) -> None:
    """Mark a file or folder as used now, and hold it until the program ends."""
    with contextlib.suppress(OSError):  # a cache that is another user's is read only
        os.utime(thing)
    with contextlib.suppress(OSError):
        handle = os.open(thing, os.O_RDONLY)
        _HELD.append(handle)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


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
