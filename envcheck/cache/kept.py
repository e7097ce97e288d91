"""What the cache holds: each thing with its kind, size and last use. Nothing is removed here.

Wheels, environments, copies of pose and unpacked bundles lie in folders that are named by their content.
Images, which lie with an engine, are listed by `images`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

SCHEMA = "envcheck.cache/1"

Kind = Literal["wheel", "environment", "pose", "bundle", "proof", "log", "leftover", "image"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Where else folders lie that are named by their content.
_FOLDERS: dict[Kind, str] = {"environment": "envs", "pose": "pose", "bundle": "bundles"}
# What a killed fetch, build, copy, proof or removal leaves behind.
_LEFTOVERS = (
    "wheels/.fetch-*",  # of environments.wheelhouse
    "envs/.*.new-*",  # of environments.venv
    "images/.*.context-*",  # of environments.images
    "bundles/.*.new-*",  # of bundle.unpack
    "pose/.*.new-*",  # of environments.program
    ".proof-*",  # of trials.proof
    "proofs/[!.]*.[0-9]*",  # of runs.proofs
    ".*.gone-*",  # of environments.held
    "*/.*.gone-*",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing in the cache."""

    kind: Kind
    name: str  # as a person would call it
    path: Path  # the file, or the folder that is named by its content
    bytes: int
    used: str  # when last, in UTC: "2026-11-24T08:34:29Z"
    engine: str = ""  # the address of the one that has an image

    @property
    def id(self) -> str:
        """What tells it from the others, for messages and documents."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The cache as it is now."""

    schema: str = SCHEMA
    folder: Path
    bytes: int
    kept: tuple[Kept, ...]
    notes: tuple[str, ...] = ()  # what could not be listed, and why


def contents(cache: Path) -> Contents:
    """Return what the folder `cache` holds, each kind from the longest unused on; it need not be there."""
    kept = tuple(sorted(_all(cache), key=lambda one: (one.kind, one.used, one.name)))
    return Contents(folder=cache, bytes=sum(one.bytes for one in kept), kept=kept)


def last_used(path: Path) -> str:
    """Return when a thing was used last, as `Kept.used` has it. Raises `FileNotFoundError`."""
    return written(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc))


def written(moment: datetime) -> str:
    """Return a moment as `Kept.used` has it, so that the later one is the greater."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _all(cache: Path) -> Iterator[Kept]:
    for folder in _folders(cache / "wheels"):
        if _DIGEST.fullmatch(folder.name):
            wheel = next(iter(sorted(folder.glob("*.whl"))), folder)
            yield from _kept("wheel", wheel.name, folder)
    for kind, where in _FOLDERS.items():
        for folder in _folders(cache / where):
            yield from _kept(kind, folder.name, folder)
    for file in sorted(cache.glob("proofs/*.json")):
        yield from _kept("proof", file.name, file)
    for file in sorted(cache.glob("logs/*.log")):
        yield from _kept("log", file.name, file)
    for pattern in _LEFTOVERS:
        for path in sorted(cache.glob(pattern)):
            yield from _kept("leftover", path.name, path)


def _folders(parent: Path) -> Iterator[Path]:
    yield from (path for path in sorted(parent.glob("*")) if path.is_dir() and not path.name.startswith("."))


def _kept(kind: Kind, name: str, path: Path) -> Iterator[Kept]:
    """Yield the thing, unless somebody has removed it meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        yield Kept(kind, name, path, _weight(path), last_used(path))


def _weight(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):
            total += file.lstat().st_size
    return total
