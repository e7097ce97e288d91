"""What an environment is to the rest of envcheck: the small contract that docker, venv and current keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from envcheck.engine.containers import Ended
from envcheck.recipes import Recipe

Kind = Literal["docker", "venv", "current"]
Update = Callable[[str], None]


class Watcher(Protocol):
    """Whoever watches a build: the command line draws it, tests listen."""

    def step(self, title: str) -> AbstractContextManager[Update]:
        """Announce a step that takes a while; the value takes what there is to say meanwhile."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a container is started from."""

    engine: str  # "docker 27.3.1"
    id: str  # "sha256:...", of the environment and pose
    name: str
    base: str  # as the recipe or --base-image names it
    base_id: str  # the digest of the recipe, or the id of the image that was named instead
    is_recipes_base: bool
    base_digest: str | None = None  # as registries know it; null where the engine has it from none


@dataclass(frozen=True, slots=True)
class Place:
    """A prepared environment: where a command can run."""

    kind: Kind
    recipe: str
    lock_hash: str
    python: Path  # the interpreter, as it is called in there
    python_version: str  # "3.11.7"; a container's as its recipe has it, "3.11"
    reused: bool
    differences: tuple[str, ...] = ()  # from the lock, one sentence each
    image: Image | None = None
    is_locked: bool = True  # it holds what the lock names; else it is taken as it is, and nothing is promised

    @property
    def is_container(self) -> bool:
        """Whether a command is alone in there, with what it is shown and no more."""
        return self.image is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may have; None where nobody said."""

    network: bool = False  # only a container is without
    memory: int | None = None  # bytes
    cpus: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A command, and what it needs of this machine. A virtual environment has all of it anyway."""

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)  # beside what the caller's gives
    gpus: tuple[str, ...] = ()  # UUIDs
    device: Literal["cpu", "cuda"] = "cpu"
    reads: tuple[Path, ...] = ()
    mentions: tuple[Path, ...] = ()  # what its words may mean, to be read
    writes: tuple[Path, ...] = ()  # folders, made where they are not there
    owns_directory: bool = False  # it may write into the working directory
    limits: Limits = NO_LIMITS
    stdin: bool = False
    ends_with_reader: bool = False  # as in a shell's pipe: it goes when nobody reads our stdout any more
    terminal: bool = False  # a person at a terminal; there is no log of that
    show: bool = True  # pass on what it says
    log: Path | None = None
    heard: bytearray | None = None  # takes the last that it says
    begun: Callable[[], None] | None = None  # called when it has been started, before its output is passed on


class Environment(Protocol):
    """A kind of place, able to prepare itself for a recipe and to run commands."""

    def prepare(self, recipe: Recipe, python: str, *, watch: Watcher) -> Place:
        """Return the place for `recipe` on Python `python` ("3.11"), building it when it is not there yet.

        Raises `EnvcheckError` when it cannot be had; an interrupted or failed build leaves nothing half-made.
        """

    def stage(self, place: Place, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the argv that runs pose in there."""

    def shell(self, place: Place, folder: Path) -> tuple[str, ...]:
        """Return the argv of a shell in there; `folder` is the run's, for what it needs to be told."""

    def run(self, place: Place, work: Work) -> Ended:
        """Run a command to its end, its output passed on live, SIGINT, SIGTERM and SIGHUP handed on once.

        Raises `EnvcheckError` where it could not be started, or where nobody knows how it ended.
        """
