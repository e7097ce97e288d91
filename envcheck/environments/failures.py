"""What goes wrong while an environment is built, in words that say what to do."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from envcheck.errors import INTERRUPTED, EnvcheckError, RetryError

_ENDED_BY_SIGNAL = (INTERRUPTED, 128 + signal.SIGTERM, 128 + signal.SIGHUP)
_FULL_BYTES = 1 << 20
_FREE_SOME = "Free some space, or move the cache with ENVCHECK_CACHE=DIR."
# pip takes Ctrl-C for an ordinary failure, with exit code 1.
_CANCELLED = "Operation cancelled by user"


class WheelNotFoundError(EnvcheckError):
    """No index that was asked has a wheel; another one may."""


# Text in pip's output -> what it means, what to do, and the kind of error. First match wins.
_PIP_SYMPTOMS: tuple[tuple[str, str, str, type[EnvcheckError]], ...] = (
    (
        "No space left on device",
        "the disk is full",
        _FREE_SOME,
        EnvcheckError,
    ),
    (
        "DO NOT MATCH THE HASHES",
        "a wheel does not have the digest that the lock names",
        "The index or mirror serves another file under the same name; nothing of it was kept.",
        EnvcheckError,
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the package index's certificate was not accepted",
        "Behind an inspecting proxy, tell pip its CA bundle: pip config set global.cert FILE.",
        EnvcheckError,
    ),
    (
        "Permission denied",
        "a file could not be written",
        "Is the cache folder yours? ENVCHECK_CACHE=DIR moves it.",
        EnvcheckError,
    ),
    (
        "No matching distribution found",
        "no index that pip knows has a wheel that the lock names",
        "Give pip a mirror or a find-links folder that has it (pip config), or check the network.",
        WheelNotFoundError,
    ),
    (
        "Connection",
        "the package index could not be reached",
        "Check network and proxy, then run again.",
        RetryError,
    ),
    (
        "Read timed out",
        "the package index stopped answering",
        "Run again; what was fetched is kept.",
        RetryError,
    ),
)


def check_pip(code: int, said: str, log: Path, failed: str = "The environment was not built") -> None:
    """Raise what an installer's exit `code` means; `said` is its output, which is also in `log`.

    Raises `EnvcheckError`, `RetryError` where a second try may succeed, `KeyboardInterrupt` after a signal.
    """
    if code == 0:
        return
    if code in _ENDED_BY_SIGNAL or _CANCELLED in said:
        raise KeyboardInterrupt
    for symptom, meaning, hint, kind in _PIP_SYMPTOMS:
        if symptom in said:
            raise kind(f"{failed}: {meaning}", f"{hint}\nThe whole story: {log}")
    if shutil.disk_usage(log.parent).free < _FULL_BYTES:  # venv hides what its own pip said
        raise EnvcheckError(f"{failed}: the disk is full", _FREE_SOME)
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), "")
    raise EnvcheckError(f"{failed}: pip ended with code {code}. {last[:200]}", f"See {log}")


def require_disk(folder: Path, mib: int, what: str) -> None:
    """Raise `EnvcheckError` when `folder` has less than `mib` free; `what` is who needs it, and "needs"."""
    free = shutil.disk_usage(folder).free >> 20
    if free < mib:
        raise EnvcheckError(
            f"{what} {mib:,} MiB and {folder} has {free:,} MiB free",
            _FREE_SOME,
        )
