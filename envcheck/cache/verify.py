"""The cache held against its digests, file by file; what is damaged is named, and may be removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from envcheck.cache.careful import removed
from envcheck.cache.kept import Contents, Kept
from envcheck.digests import sha256_of
from envcheck.documents import read_json
from envcheck.environments.place import Watcher
from envcheck.environments.program import is_whole
from envcheck.environments.venv import SCHEMA as ENVIRONMENT
from envcheck.environments.venv import Marker
from envcheck.environments.whole import changed_files, unrecorded
from envcheck.errors import UsageError

SCHEMA = "envcheck.cache-verified/1"

# Of a damaged environment a few files show it; all of them fill screens.
_MOST = 5


@dataclass(frozen=True, slots=True)
class Damage:
    """A thing that is not what its name says."""

    kind: str
    name: str
    path: Path
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How it came out."""

    schema: str = SCHEMA
    folder: Path
    whole: int
    damaged: tuple[Damage, ...]
    removed: bool = False  # the damaged ones were removed, and are made anew when they are needed
    held: tuple[Damage, ...] = ()  # those of them that stayed, as a run uses them


def verify(contents: Contents, watch: Watcher, *, repair: bool) -> Verified:
    """Return which wheels, environments and copies of pose are damaged; `repair` removes those.

    Proofs, logs and leftovers have no digest to hold them against; a bundle is held against its own whenever
    it is used. What a run uses stays, and is named.
    """
    checked = [one for one in contents.kept if one.kind in _LOOK]
    damaged: list[Damage] = []
    held: list[Damage] = []
    with watch.step(f"hold {len(checked)} things against their digests") as update:
        for one in checked:
            update(one.name)
            if not (what := _damage(one)):
                continue
            damaged.append(Damage(one.kind, one.name, one.path, what))
            # Looked at once more: somebody may have made it anew meanwhile.
            if repair and removed(one, partial(_is_damaged, one)) == "held":
                held.append(damaged[-1])
    return Verified(
        folder=contents.folder,
        whole=len(checked) - len(damaged),
        damaged=tuple(damaged),
        removed=repair and len(damaged) > len(held),
        held=tuple(held),
    )


def _is_damaged(one: Kept) -> bool:
    return bool(_damage(one))


def _damage(one: Kept) -> tuple[str, ...]:
    """Return what is wrong with a thing; nothing, where somebody has removed it meanwhile."""
    try:
        what = tuple(islice(_LOOK[one.kind](one), _MOST))
    except OSError as error:
        what = (f"{error.filename}: {error.strerror}",)
    return what if os.path.lexists(one.path) else ()


def _wheel(one: Kept) -> Iterator[str]:
    wheels = sorted(one.path.glob("*.whl"))
    if not wheels:
        yield "there is no wheel in its folder"
    for wheel in wheels:
        if sha256_of(wheel).hexdigest() != one.path.name:
            yield f"{wheel.name} has another digest than {one.path.name}"


def _environment(one: Kept) -> Iterator[str]:
    try:
        marker = read_json(one.path / "envcheck.json", Marker, schema=ENVIRONMENT)
    except UsageError as error:
        yield error.message
        return
    if not (one.path / "bin" / "python").exists():
        yield "its interpreter is gone"
    yield from unrecorded(one.path, marker.installed)
    yield from changed_files(one.path)


def _pose(one: Kept) -> Iterator[str]:
    if not is_whole(one.path):
        yield "its files are not those that it is named by"


_LOOK = {"wheel": _wheel, "environment": _environment, "pose": _pose}
