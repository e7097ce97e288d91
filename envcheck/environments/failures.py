"""What goes wrong while an environment is built, in words that say what to do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from envcheck.errors import STOPPED, EnvcheckError
from envcheck.symptoms import FULL_DISK, PIP, error_kind, find

_FULL_BYTES = 1 << 20
# pip takes Ctrl-C for an ordinary failure, with exit code 1.
_CANCELLED = "Operation cancelled by user"
# How pip names the wheel that was not there, or was another one.
_NAMED = re.compile(r"No matching distribution found for (\S+==\S+)|^\s+(\S+==\S+) from .*$", re.MULTILINE)


class WheelNotFoundError(EnvcheckError):
    """No index that was asked has a wheel; another one may."""


def check_pip(code: int, said: str, log: Path, failed: str = "The environment was not built") -> None:
    """Raise what an installer's exit `code` means; `said` is its output, which is also in `log`.

    Raises `EnvcheckError`, `RetryError` where a second try may succeed, `KeyboardInterrupt` after a signal.
    """
    if code == 0:
        return
    if code in STOPPED or _CANCELLED in said:
        raise KeyboardInterrupt
    symptom = find(PIP, said)
    if symptom is not None:
        kind = WheelNotFoundError if symptom.id == "wheel.absent" else error_kind(symptom)
        named = _NAMED.search(said) if symptom.id in {"wheel.absent", "wheel.hash"} else None
        which = f" ({named[1] or named[2]:.80})" if named else ""
        raise kind(
            f"{failed}: {symptom.meaning}{which}", f"{symptom.fix.hint}\nThe whole story: {log}", symptom.id
        )
    if shutil.disk_usage(log.parent).free < _FULL_BYTES:  # venv hides what its own pip said
        raise EnvcheckError(f"{failed}: the disk is full", FULL_DISK)
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), "")
    raise EnvcheckError(f"{failed}: pip ended with code {code}. {last[:200]}", f"See {log}")


def require_disk(folder: Path, mib: int, what: str, hint: str = FULL_DISK) -> None:
    """Raise `EnvcheckError` when `folder` has less than `mib` free; `what` is who needs it, and "needs"."""
    free = shutil.disk_usage(folder).free >> 20
    if free < mib:
        raise EnvcheckError(
            f"{what} {mib:,} MiB and {folder} has {free:,} MiB free",
            hint,
            "disk.full",
        )
