"""What nobody has used for long, removed: never what a run holds, never what is being built."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from envcheck.cache.kept import Contents, Kept
from envcheck.environments.held import let_go

SCHEMA = "envcheck.cache-pruned/1"

# What looks like a leftover is somebody's who is building right now, when it is younger.
_BUSY_DAYS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, and what stayed although it is old enough."""

    schema: str = SCHEMA
    folder: Path
    bytes: int
    removed: tuple[Kept, ...]
    held: tuple[Kept, ...]


def prune(contents: Contents, keep_days: float, now: datetime | None = None) -> Pruned:
    """Remove what was last used more than `keep_days` ago, and what killed builds have left."""
    now = now or datetime.now(timezone.utc)
    removed: list[Kept] = []
    held: list[Kept] = []
    for one in contents.kept:
        days = max(keep_days, _BUSY_DAYS) if one.kind == "leftover" else keep_days
        if one.used >= (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"):
            continue
        (removed if _remove(one.path) else held).append(one)
    return Pruned(
        folder=contents.folder,
        bytes=sum(one.bytes for one in removed),
        removed=tuple(removed),
        held=tuple(held),
    )


def _remove(path: Path) -> bool:
    """Remove a file or folder unless somebody holds it; tell whether it is gone.

    It is moved away first: what is half removed would be taken for whole.
    """
    try:
        with let_go(path) as is_free:
            if not is_free:
                return False
            away = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.gone-")
            path.replace(Path(away) / path.name)
    except FileNotFoundError:  # somebody else was faster
        return True
    shutil.rmtree(away, ignore_errors=True)
    return True
