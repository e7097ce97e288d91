"""What nobody has used for long, removed: never what a run holds, never what is being built."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from envcheck.cache.careful import removed
from envcheck.cache.images import clear_builds, image_removed
from envcheck.cache.kept import Contents, Kept, last_used, written
from envcheck.errors import UsageError

SCHEMA = "envcheck.cache-pruned/1"

# What looks like a leftover is somebody's who is building right now, when it is younger.
_BUSY_DAYS = 1.0
_MOST_DAYS = 36_500
# Nobody used it tomorrow: the clock was ahead then, by nobody knows how much. It counts from today on.
_TOMORROW = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, and what stayed although it is old enough."""

    schema: str = SCHEMA
    folder: Path
    bytes: int
    removed: tuple[Kept, ...]
    held: tuple[Kept, ...]
    dry_run: bool = False  # nothing was: this is what would be


def prune(
    contents: Contents, keep_days: float, now: datetime | None = None, *, dry_run: bool = False
) -> Pruned:
    """Remove what was last used more than `keep_days` ago, and what killed builds have left.

    What was used in the future, before the clock was set back, counts as used `now`.
    Raises `UsageError` for days that are none.
    """
    if not 0 <= keep_days <= _MOST_DAYS:  # nor is nan
        raise UsageError(
            f"--keep-days is {keep_days:g}", f"It is a number of days between 0 and {_MOST_DAYS:,}."
        )
    now = now or datetime.now(timezone.utc)
    fates: dict[str, list[Kept]] = {"removed": [], "held": [], "left": []}
    # Pose's images stand on those of environments, and go first.
    for one in sorted(contents.kept, key=lambda one: one.kind == "image" and "/pose:" not in one.name):
        if one.used > written(now + _TOMORROW) and not dry_run:
            _use(one.path, now)
        days = max(keep_days, _BUSY_DAYS) if one.kind == "leftover" else keep_days
        before = written(now - timedelta(days=days))
        if one.used < before:
            remove = image_removed if one.kind == "image" else removed
            fate = remove(one, partial(_is_older, one.path, before), dry_run=dry_run)
            fates[fate].append(one)
    engines = {one.engine for one in contents.kept if one.kind == "image"}
    if engines and not dry_run:
        clear_builds(engines)
    return Pruned(
        folder=contents.folder,
        bytes=sum(one.bytes for one in fates["removed"]),
        removed=tuple(fates["removed"]),
        held=tuple(fates["held"]),
        dry_run=dry_run,
    )


def _use(path: Path, now: datetime) -> None:
    with contextlib.suppress(OSError):  # somebody else has removed it, or it is another user's
        os.utime(path, (now.timestamp(), now.timestamp()))


def _is_older(path: Path, before: str) -> bool:
    return last_used(path) < before
