"""Audits recipes: every check, in order, for the recipe and for each of its locks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envcheck.audit import tried, written
from envcheck.audit.result import Result, State, failed, not_verified
from envcheck.environments.place import Watcher
from envcheck.environments.wheelhouse import Wheelhouse
from envcheck.errors import UsageError
from envcheck.recipes import Recipe, read_lock

SCHEMA = "envcheck.audit/1"


@dataclass(frozen=True, slots=True)
class Inspection:
    """One check of one recipe."""

    recipe: str
    lock: str  # "3.11", "3.11 aarch64"; empty: the recipe as a whole
    check: str
    state: State
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The document `envcheck.audit/1`."""

    schema: str = SCHEMA
    checks: tuple[Inspection, ...]

    @property
    def fails(self) -> bool:
        """Whether any promise is broken."""
        return any(check.state == "failed" for check in self.checks)


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to look with."""

    cache: Path
    watch: Watcher
    online: bool  # may indexes be asked
    deep: bool = False  # may gigabytes be fetched


def audit(recipe: Recipe, means: Means) -> tuple[Inspection, ...]:
    """Return every check of a recipe, made or not."""
    whole = (
        ("base image", written.base_image(recipe)),
        ("container", written.container(recipe)),
        ("locks", written.locks(recipe)),
        ("addresses", written.addresses(recipe.file)),
    )
    checks = [Inspection(recipe.name, "", name, result.state, result.because) for name, result in whole]
    for seen in recipe.machines():
        for python in seen.pythons:
            checks += [
                Inspection(recipe.name, seen.key(python), name, result.state, result.because)
                for name, result in _lock(seen, python, means)
            ]
    return tuple(checks)


def _lock(recipe: Recipe, python: str, means: Means) -> Iterator[tuple[str, Result]]:
    """Yield the checks of one lock; one that cannot be read has no others."""
    lock = recipe.lock_path(python)
    try:
        pins = read_lock(lock)
    except UsageError as error:
        yield "pins", failed(error.message)
        return
    readable = written.pinned(lock, pins)
    yield "pins", readable
    if readable.state == "failed":
        return
    yield "addresses", written.addresses(lock)
    yield "versions", written.versions(recipe, pins)
    yield "numpy", written.numpy(recipe, pins)
    yield (
        "complete",
        tried.completeness(recipe, python, pins, means.watch)
        if means.online
        else not_verified("No index was asked (--offline)."),
    )
    yield (
        "wheel",
        tried.wheel(recipe, python, pins, Wheelhouse(means.cache), means.watch if means.deep else None),
    )
    yield "environment", tried.environment(recipe, lock, means.cache)
