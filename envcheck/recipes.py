"""Recipes: one YAML and its hashed locks become one frozen `Recipe`.

A recipe pins a base image, one torch build and a Python for containers; its locks, one for each Python and
kind of machine that it serves, lie in `locks/` beside it. How a lock is made is known to `locks`, where a
recipe fits to `choice`.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Literal

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.documents import read_text, read_yaml
from envcheck.errors import UsageError
from envcheck.paths import shipped

# What a lock is for that names no machine: `NAME-cp311.txt`, and `NAME-cp311-aarch64.txt` for another.
MACHINE = "x86_64"
# What a new recipe is locked for when nobody says: the Python of the base image.
CONTAINER_PYTHON = "3.11"

# How the head of a lock says how many wheels it names (`locks.lock_text`).
_COMPLETE = re.compile(r"# Complete, (?P<count>[0-9]{1,6}) wheels?: .*")
BY_HAND = "Locks are written by `envcheck recipes lock`, not by hand."
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock: exactly one wheel."""

    name: str
    version: str
    sha256: str
    where: str = field(default="", compare=False)  # "cpu-cp311.txt:7", for whoever has to mend it

    @property
    def line(self) -> str:
        """The pin as pip reads it."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def is_local(self) -> bool:
        """Whether it is a build such as 2.13.0+cpu, which is on PyTorch's own index only."""
        return "+" in self.version


@dataclass(frozen=True, slots=True)
class Base:
    """The image that a container starts from, pinned by what it holds."""

    image: str  # "python:3.11.16-slim-bookworm"
    digest: str  # "sha256:..."


@dataclass(frozen=True, slots=True)
class Size:
    """What the recipe weighs on its container's Python."""

    download_mib: int
    installed_mib: int


@dataclass(frozen=True, slots=True)
class Tried:
    """How far one lock was really tried: installed whole, only resolved, or not even that."""

    state: Literal["installed", "resolved", "no"]
    when: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands in a recipe's YAML."""

    name: str
    summary: str
    why: str
    base: Base
    torch: Version
    tag: str  # the build's row in compat/tables/torch.yaml: "cpu", "cu128"
    requirement: str  # what makes pip choose this build: "torch==2.13.0+cpu"
    packages: tuple[str, ...] = ()  # somebody's own, beside those of pose.in
    constraints: tuple[str, ...] = ()  # for all of them
    container_python: str  # "3.11"
    glibc: Version  # the oldest that every wheel of the locks runs on
    size: Size
    checked: dict[str, Tried]  # "3.11", "3.11 aarch64" -> how that lock was tried
    wheels: dict[str, str] = field(default_factory=dict)  # torch's own, for when no index at hand has them
    wheels_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Written):
    """A recipe with its place in the file system, as one kind of machine sees it."""

    file: Path
    builds: tuple[Build, ...]  # its rows of the tables, narrowed to what the locks for each machine serve
    build: Build  # the one of them that is meant; see `on`

    @property
    def cuda(self) -> Version | None:
        """The CUDA inside the wheels, None for the CPU."""
        return self.build.cuda

    @property
    def machine(self) -> str:
        """The kind of machine that is meant, as uname says it."""
        return self.build.machines[0]

    @property
    def pythons(self) -> tuple[str, ...]:
        """The Pythons that a lock serves on that kind of machine, the oldest first."""
        return self.build.pythons

    def on(self, machine: str | None) -> Recipe:
        """Return the recipe as `machine` sees it; one that it does not serve sees it as it is."""
        meant = next((build for build in self.builds if machine in build.machines), self.build)
        return self if meant is self.build else replace(self, build=meant)

    def machines(self) -> tuple[Recipe, ...]:
        """Return the recipe as each kind of machine that it serves sees it."""
        return tuple(replace(self, build=build) for build in self.builds)

    def key(self, python: str) -> str:
        """Return how `checked` calls the lock for a Python: "3.11", "3.11 aarch64"."""
        return python if self.machine == MACHINE else f"{python} {self.machine}"

    def tried(self, python: str) -> Tried:
        """Return how far the lock for a Python ("3.11") was tried."""
        return self.checked.get(self.key(python), Tried("no"))

    def lock_path(self, python: str, machine: str = "") -> Path:
        """Return where the lock for a Python ("3.11") stands, or would stand, also for another `machine`."""
        machine = machine or self.machine
        suffix = "" if machine == MACHINE else f"-{machine}"
        return self.file.parent / "locks" / f"{self.name}-cp{python.replace('.', '')}{suffix}.txt"

    def lock_for(self, python: str) -> Path | None:
        """Return the lock for a Python ("3.11"), None when the recipe does not serve it."""
        path = self.lock_path(python)
        return path if path.is_file() else None


def load_recipes() -> tuple[Recipe, ...]:
    """Return the shipped recipes, ordered by name. Raises `UsageError`."""
    return tuple(_load(file) for file in sorted(shipped("recipes").glob("*.yaml")))


def is_recipe(name_or_file: str) -> bool:
    """Tell whether that is how one speaks of a recipe: by a shipped one's name, or by a YAML file."""
    return name_or_file.endswith((".yaml", ".yml")) or name_or_file in {
        file.stem for file in shipped("recipes").glob("*.yaml")
    }


def load_recipe(name_or_file: str) -> Recipe:
    """Return a shipped recipe by its name, or anybody's by its file. Raises `UsageError`."""
    if name_or_file.endswith((".yaml", ".yml")) or "/" in name_or_file:
        return _load(Path(name_or_file))
    files = {file.stem: file for file in shipped("recipes").glob("*.yaml")}
    if name_or_file in files:
        return _load(files[name_or_file])
    raise no_such_recipe(name_or_file, tuple(files))


def no_such_recipe(name: str, known: tuple[str, ...]) -> UsageError:
    """Return the error for a name that no recipe has, with the nearest one that exists."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(known))}"
    return UsageError(f"There is no recipe {name!r:.80}", hint)


def is_shipped(recipe: Recipe) -> bool:
    """Tell whether a recipe is found by its name alone."""
    return recipe.file.parent.resolve() == shipped("recipes").resolve()


def recipe_hash(file: Path) -> str:
    """Return the SHA-256 of a recipe's YAML in hexadecimal. Raises `OSError`."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def read_lock(path: Path) -> tuple[Pin, ...]:
    """Return the pins of a lock.

    Raises `UsageError` for a line that is not a pin with exactly one hash, for a package pinned twice,
    and where there are more or fewer pins than the lock's own head says: it was edited, or cut off.
    """
    pins: dict[str, Pin] = {}
    complete: int | None = None
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        line, where = text.strip(), f"{path}:{number}"
        if not line or line.startswith("#"):
            said = _COMPLETE.fullmatch(line)
            complete = int(said["count"]) if said else complete
            continue
        match = _PIN.fullmatch(line)
        if match is None:
            raise UsageError(f"{where}: not a pin with one hash: {line[:80]!r}", BY_HAND)
        pin = Pin(**match.groupdict(), where=where)
        try:
            Version(pin.version)
        except InvalidVersion:
            raise UsageError(f"{where}: {pin.version!r:.60} is no version", BY_HAND) from None
        if (first := pins.setdefault(canonicalize_name(pin.name), pin)) is not pin:
            raise UsageError(f"{where}: {pin.name:.60} is pinned already, at {first.where}", BY_HAND)
    if complete not in (None, len(pins)):
        raise UsageError(f"{path} says that it names {complete} wheels, and names {len(pins)}", BY_HAND)
    return tuple(pins.values())


def lock_hash(path: Path) -> str:
    """Return the SHA-256 of a lock in hexadecimal: the identity of what it installs."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load(file: Path) -> Recipe:
    written = read_yaml(file, Written)
    if written.name != file.stem:
        raise UsageError(
            f"{file}: `$.name` is {written.name!r:.80}, and the file is called {file.stem!r:.80}"
        )
    builds = _builds(file, written)
    said = {one.name: getattr(written, one.name) for one in fields(written)}
    return Recipe(**said, file=file, builds=builds, build=builds[0])


def _builds(file: Path, written: Written) -> tuple[Build, ...]:
    """Return what the locks serve, for each kind of machine; without any, a build that serves no Python."""
    first = tables.build_of(written.torch, written.tag)
    if first is None:
        raise UsageError(
            f"{file}: no build torch {written.torch} {written.tag:.40} is in compat/tables/torch.yaml",
            "`$.torch` and `$.tag` name a row there.",
        )
    locked = _locked(file)
    builds = []
    for machine in sorted({first.machines[0], *locked}, key=lambda one: (one != MACHINE, one)):
        row = tables.build_of(written.torch, written.tag, machine)
        if row is not None and machine in row.machines:
            pythons = tuple(f"3.{minor}" for minor in sorted(locked.get(machine, ())))
            glibc = max(row.glibc, written.glibc)
            builds.append(replace(row, pythons=pythons, machines=(machine,), glibc=glibc))
    return tuple(builds)


def _locked(file: Path) -> dict[str, list[int]]:
    """Return the minor versions of Python that have a lock, for each kind of machine."""
    name = re.compile(rf"{re.escape(file.stem)}-cp3(\d{{1,3}})(?:-(\w+))?\.txt", re.ASCII)
    folder = file.parent / "locks"
    found: dict[str, list[int]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = name.fullmatch(path.name)
        if match is not None:
            found.setdefault(match[2] or MACHINE, []).append(int(match[1]))
    return found
