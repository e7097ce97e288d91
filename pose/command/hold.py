"""One run at a time in an output folder: the second one is told whose it is.

The lock is the kernel's, on a file in the folder, and ends with its process however that ends; it holds among
containers of one machine. It is one of the process, not of the open file (flock): a loader's workers, which
outlive a killed parent by seconds, would keep the other one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from pose.errors import FAILED, PoseError
from pose.report import note
from pose.writing import sweep

LOCK = ".run.json"
LONGEST = 200  # characters of a name that another process wrote
TAKEN = frozenset({errno.EACCES, errno.EAGAIN})


@contextmanager
def hold(folder: Path, stage: str, run_dir: Path | None) -> Iterator[None]:
    """The folder is this process's while the block runs; what killed writers left half-written is removed.

    It is made where it is not there, and goes again where nothing came into it. Where the file system knows
    no locks, that is said, and nobody is kept out.

    Raises:
        PoseError: exit code 1, where another run has it, or it cannot be written to.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    handle = None
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = _locked(folder)
            _sign(handle, stage, run_dir)
        except OSError as error:
            raise PoseError(
                f"the output folder {folder} cannot be written to: {error.strerror}",
                "--output DIR (or OUTPUT_DIR) names another one",
                FAILED,
            ) from None
        for place in (folder, folder / "results"):
            sweep(place)
        yield
    finally:
        with contextlib.suppress(OSError):
            if handle is not None:
                (folder / LOCK).unlink()  # before the lock goes, or it might be another's by then
        if handle is not None:
            os.close(handle)
        with contextlib.suppress(OSError):  # as soon as one is not empty
            for place in made:
                place.rmdir()


def _locked(folder: Path) -> int:
    """The open lock file, which is this process's alone."""
    path = folder / LOCK
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in TAKEN:
                who = _signed(handle)
                os.close(handle)
                raise PoseError(
                    f"the output folder {folder} is in use by {who}",
                    "wait until that has ended, or --output DIR (or OUTPUT_DIR) names another folder",
                    FAILED,
                ) from None
            note(f"{folder}: {error.strerror}; nothing keeps a second run from writing there too")
            return handle
        if _lies_at(handle, path):
            return handle
        os.close(handle)  # whoever had it before has just removed it


def _lies_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sign(handle: int, stage: str, run_dir: Path | None) -> None:
    """Writes down who has it, for whoever comes second."""
    about = {
        "run": run_dir.absolute().name if run_dir else None,
        "stage": stage,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    os.ftruncate(handle, 0)
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name as well
        os.pwrite(handle, json.dumps(about).encode(), 0)


def _signed(handle: int) -> str:
    """Who has it, as they wrote it down; a number of a process means little outside of its container."""
    try:
        about = json.loads(os.pread(handle, 1 << 12, 0))
        run, stage, pid, host, since = (about[name] for name in ("run", "stage", "pid", "host", "since"))
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
    name = f"run {run}" if run else "another run"
    return f"{name} ({stage}, process {pid} on {host}, since {since})"[:LONGEST]
