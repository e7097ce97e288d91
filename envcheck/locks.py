"""Resolves a recipe's lock: which wheels, exactly, an environment of it is made of. Names no address.

A lock holds one wheel and one digest for each package. Where torch's own wheel for a Python is on no index
within reach, its digest comes from the recipe's `wheels` and its dependencies from a sibling for another
Python; such a lock says so in its head, and its recipe does not call it installed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envcheck.documents import parse_json
from envcheck.errors import EnvcheckError, UsageError
from envcheck.paths import shipped
from envcheck.processes import capture
from envcheck.recipes import MACHINE, Recipe
from envcheck.uv import PinnedWheel, Target, compile_wheels, uv_version

# Where no index serves metadata files, pip downloads the sibling whole.
_REPORT_SECONDS = 900.0

# The packages that bring the module cv2; pose asks for the first.
CV2 = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")

_FROM_SIBLING = (
    "torch's wheel was out of reach: digest as the recipe says, dependencies as of another Python's wheel."
)


@dataclass(frozen=True, slots=True)
class _Metadata:
    requires_dist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    metadata: _Metadata


@dataclass(frozen=True, slots=True)
class _Report:
    """What is read of `pip install --report`."""

    install: tuple[_Candidate, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a lock is made of: the wheels that satisfy a recipe on a target."""

    target: Target
    pins: tuple[PinnedWheel, ...]
    note: str = ""  # for the lock's head

    @property
    def download_mib(self) -> int | None:
        """What there is to fetch, as far as the indexes say; None where they do not even say it of torch."""
        if any(pin.name == "torch" and pin.size is None for pin in self.pins):
            return None
        return -(-sum(pin.size or 0 for pin in self.pins) // 2**20)


def resolve(
    recipe: Recipe, python: str, machine: str = MACHINE, *, index: str = "", chosen: bool = False
) -> Resolved:
    """Return a recipe's wheels for a Python ("3.11"), resolved under that target's own markers.

    `index` is asked beside the user's own; `chosen` says that the recipe leaves nothing to choose. Raises
    `EnvcheckError` when no set of wheels satisfies the recipe.
    """
    target = Target(python, machine, recipe.glibc)
    packages = _wanted_packages(recipe)
    compile_for = partial(
        compile_wheels, constraints=recipe.constraints, target=target, index=index, chosen=chosen
    )
    try:
        pins = compile_for([recipe.requirement, *packages])
    except EnvcheckError:
        own = _own_wheel(recipe, target)
        dependencies = _sibling_dependencies(recipe, target, index) if own else None
        if own is None or dependencies is None:
            raise
        rest = compile_for([*dependencies, *packages])
        return Resolved(target, tuple(sorted((own, *rest), key=lambda pin: pin.name)), _FROM_SIBLING)
    return Resolved(target, pins)


def _wanted_packages(recipe: Recipe) -> tuple[str, ...]:
    """Return what a recipe holds beside torch: what pose needs, and somebody's own packages."""
    own = {canonicalize_name(_requirement(recipe, line).name) for line in recipe.packages}
    pose = read_packages(shipped("recipes") / "pose.in")
    # Two packages that bring the same module would overwrite each other's files: the person's own stays.
    return (*(line for line in pose if line != CV2[0] or not own.intersection(CV2)), *recipe.packages)


def lock_text(name: str, resolved: Resolved, day: date) -> str:
    """Return a lock: comments that say what it is, then one pin a line."""
    target = resolved.target
    machine = "" if target.machine == MACHINE else f" --machine {target.machine}"
    command = f"envcheck recipes lock {name} --python {target.python}{machine}"
    head = [
        f"Recipe {name}, Python {target.python}, Linux {target.machine} with glibc {target.glibc} or newer.",
        f"Made by `{command}` with uv {uv_version()}, {day}.",
        f"Complete, {len(resolved.pins)} wheels: install with --no-deps --require-hashes.",
        resolved.note,
    ]
    lines = [f"# {line}" for line in head if line]
    lines += [f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}" for pin in resolved.pins]
    return "\n".join([*lines, ""])


def read_packages(path: Path) -> list[str]:
    """Return the requirements of an input file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def _requirement(recipe: Recipe, line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement:
        raise UsageError(f"{recipe.file}: `$.packages` has {line!r:.80}, which is no requirement") from None


def _own_wheel(recipe: Recipe, target: Target) -> PinnedWheel | None:
    """Return the recipe's own word on torch's wheel for `target`."""
    for file, digest in recipe.wheels.items():
        name, version, tags = _parsed(recipe, file)
        if any(tag in target.tags for tag in tags):
            return PinnedWheel(name, version, digest.removeprefix("sha256:"))
    return None


def _sibling_dependencies(recipe: Recipe, target: Target, index: str) -> tuple[str, ...] | None:
    """Return what torch requires, read from its wheel for another Python; None when none can be reached."""
    interpreters = {tag.interpreter for file in recipe.wheels for tag in _parsed(recipe, file)[2]}
    for interpreter in sorted(interpreters):
        sibling = Target(f"3.{interpreter.removeprefix('cp3')}", target.machine, target.glibc)
        argv = [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--ignore-installed", "--only-binary=:all:", "--report", "-"),
            *("--target", "nowhere", *sibling.pip_options),
            *(("--extra-index-url", index) if index else ()),
            recipe.requirement,
        ]
        answer = capture(argv, seconds=_REPORT_SECONDS)
        if answer.code == 0:
            report = parse_json(answer.stdout.encode(), _Report, source="pip's report")
            return report.install[0].metadata.requires_dist
    return None


def _parsed(recipe: Recipe, file: str) -> tuple[str, str, frozenset[Tag]]:
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except InvalidWheelFilename:
        raise UsageError(f"{recipe.file}: `$.wheels` names {file!r:.80}, which is no wheel") from None
    return name, str(version), tags
