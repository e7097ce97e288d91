"""What an environment is to the rest of envcheck: the small contract that venv and current keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from envcheck.recipes import Recipe

Kind = Literal["venv", "current"]
Update = Callable[[str], None]


class Watcher(Protocol):
    """Whoever watches a build: the command line draws it, tests listen."""

    def step(self, title: str) -> AbstractContextManager[Update]:
        """Announce a step that takes a while; the value takes what there is to say meanwhile."""


@dataclass(frozen=True, slots=True)
class Place:
    """A prepared environment: where a command can run."""

    kind: Kind
    recipe: str
    lock_hash: str
    python: Path  # the interpreter inside
    python_version: str  # "3.11.7"
    flags: tuple[str, ...]  # interpreter flags that keep the caller's own packages out
    reused: bool
    differences: tuple[str, ...] = ()  # from the lock, one sentence each

    def command(self, program: Path, arguments: Sequence[str]) -> list[str]:
        """Return the argv that runs `program` (a file, or a folder with a `__main__.py`) in here."""
        return [str(self.python), *self.flags, str(program), *arguments]


class Environment(Protocol):
    """A kind of place, able to prepare itself for a recipe."""

    def prepare(self, recipe: Recipe, python: str, *, watch: Watcher) -> Place:
        """Return the place for `recipe` on Python `python` ("3.11"), building it when it is not there yet.

        Raises `EnvcheckError` when it cannot be had; an interrupted or failed build leaves nothing half-made.
        """
