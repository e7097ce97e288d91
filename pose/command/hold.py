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
import stat
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
# Whoever may write into the folder may have laid a link there: what it leads to is left alone.
CAUTIOUS = os.O_NOFOLLOW | os.O_CLOEXEC
NO_FILE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO})  # of a link, a folder, a socket


@contextmanager
def hold(folder: Path, stage: str, run_dir: Path | None) -> Iterator[None]:
    """The folder is this process's while the block runs; what killed writers left half-written is removed.

    It is made where it is not there, and goes again where nothing came into it. Where the file system knows
    no locks, that is said, and nobody is kept out.

    Raises:
        PoseError: exit code 1, where another run has it, it cannot be written to, or something else lies
            where the lock belongs.
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
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | CAUTIOUS, 0o644)
        except PermissionError:
            raise _of_another_user(path) from None
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            raise _no_lock(path) from None
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            os.close(handle)
            raise _no_lock(path)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in TAKEN:
                who = _signed(handle)
                os.close(handle)
                raise _in_use(folder, who) from None
            note(f"{folder}: {error.strerror}; nothing keeps a second run from writing there too")
            return handle
        if _lies_at(handle, path):
            return handle
        os.close(handle)  # whoever had it before has just removed it


def _in_use(folder: Path, who: str) -> PoseError:
    return PoseError(
        f"the output folder {folder} is in use by {who}",
        "wait until that has ended, or --output DIR (or OUTPUT_DIR) names another folder",
        FAILED,
    )


def _no_lock(path: Path) -> PoseError:
    """What lies there could be anybody's file, or lead to it: nothing is written into it."""
    return PoseError(
        f"{path} is no plain file, and so not the lock of a run",
        "look what it is, and remove it; or --output DIR (or OUTPUT_DIR) names another folder",
        FAILED,
    )


def _of_another_user(path: Path) -> Exception:
    """Why a lock that may only be read keeps one out: its run is at work, or left it behind.

    It is not removed for them: between a look and the removal it could become another run's.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | CAUTIOUS)
    except OSError as error:  # there is none, and the folder takes none
        return error if not isinstance(error, FileNotFoundError) else _denied(path)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return _no_lock(path)
        who = _signed(handle)
        try:
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as much as one may who only reads
        except OSError as error:
            if error.errno in TAKEN:
                return _in_use(path.parent, who)
    finally:
        os.close(handle)
    return PoseError(
        f"{path} was left behind by another user's {who}, and cannot be written to",
        f"if that has ended, remove {path}; or --output DIR (or OUTPUT_DIR) names another folder",
        FAILED,
    )


def _denied(path: Path) -> OSError:
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


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
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another run"
    name = f"run {run}" if run else "another run"
    return f"{name} ({stage}, process {pid} on {host}, since {since})"[:LONGEST]
