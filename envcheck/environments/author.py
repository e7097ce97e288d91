"""Writes recipes: a lock anew, or a new recipe for any official torch build, with somebody's own packages.

Nothing is written before everything is resolved, and the recipe's own file comes last: a recipe that is there
is whole. Which wheels satisfy it is known to `locks`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.environments.place import Watcher
from envcheck.environments.wheelhouse import PYTORCH_INDEX
from envcheck.errors import EnvcheckError, UsageError
from envcheck.locks import CV2, Resolved, lock_text, resolve
from envcheck.recipes import MACHINE, Recipe, Size, Tried, load_recipe, load_recipes
from envcheck.uv import IndexUnreachableError
from envcheck.versions import pinned_torch

_OPENCV = "opencv-python-headless<5"  # 5.0 warps pictures differently, and the numbers of pose depend on it
# The first OpenCV that was compiled for NumPy 2; older ones do not say so. Measured with NumPy 2.4.6:
# 4.9.0.80 fails, 4.10.0.84 loads.
_OPENCV_NUMPY_2 = Version("4.10.0.84")
_MEASURE = "A build's row is read off its wheel: envcheck tables measure {build}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants in a new recipe, beside torch and what pose needs."""

    packages: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    pythons: tuple[str, ...] = ()  # none: the container's own where the build has it, else the newest


def relock(recipe: Recipe, python: str, watch: Watcher, machine: str = MACHINE) -> Path:
    """Resolve the lock of `recipe` for `python` ("3.11") anew, and return where it stands now."""
    resolved = resolve_anywhere(recipe, python, machine, watch)
    path = recipe.lock_path(python, machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lock_text(recipe.name, resolved, _today()), encoding="utf-8")
    return path


def add(build: Build, wanted: Wanted, folder: Path, watch: Watcher) -> Path:
    """Write a recipe for `build` and its locks into `folder`, and return its file.

    Raises `UsageError` where the recipe is there already, the build has no wheel for a Python or a package
    comes from an address; `EnvcheckError` with the resolver's reason where nothing satisfies it.
    """
    recipe = _draft(build, wanted, folder)
    if recipe.file.exists():
        raise UsageError(f"{recipe.file} is there already", "Remove it, or name another folder: --to DIR")
    pythons = _pythons(build, wanted, recipe.container_python)
    try:
        locks = {python: resolve_anywhere(recipe, python, recipe.machine, watch) for python in pythons}
    except EnvcheckError as error:
        if build.numpy and f"numpy{build.numpy}" in error.message:
            hint = f"{build.name} is compiled for numpy{build.numpy}; another fails at the first conversion."
            raise type(error)(error.message, hint) from None
        raise
    _write(_tried(recipe, locks), locks)
    return recipe.file


def resolve_anywhere(
    recipe: Recipe, python: str, machine: str, watch: Watcher, *, chosen: bool = False
) -> Resolved:
    """Return the wheels of a recipe, from the user's own indexes or, for what only it has, from PyTorch's.

    `chosen` says that the recipe leaves nothing to choose. Raises `EnvcheckError` when no set of wheels
    satisfies it, or when that could not be learnt.
    """
    where = "" if machine == MACHINE else f" on {machine}"
    with watch.step(f"resolve {recipe.name} for Python {python}{where}"):
        try:
            return resolve(recipe, python, machine, chosen=chosen)
        except EnvcheckError as error:
            if "+" not in recipe.requirement or isinstance(error, IndexUnreachableError):
                raise  # the public index has it, or the next answer would hide why
            own = error
        try:
            index = PYTORCH_INDEX.format(tag=recipe.tag)
            return resolve(recipe, python, machine, index=index, chosen=chosen)
        except IndexUnreachableError as error:
            hint = (
                "PyTorch's own index, which keeps such builds, cannot be reached from here. Make the recipe"
                " where it can: recipe and locks are files that any machine may use."
            )
            raise EnvcheckError(own.message, hint) from error


def parse_build(text: str, machine: str = MACHINE) -> Build:
    """Return the build that "torch==2.0.1+cu118" names, for one kind of machine; without a tag, the default.

    Raises `UsageError` with what there is.
    """
    wanted = pinned_torch(text)
    if wanted is None:
        raise UsageError(f"{text!r:.60} is not one build of torch", "For example torch==2.0.1+cu118")
    release, tag = Version(wanted.public), wanted.local
    rows = [row for row in tables.torch().builds if row.torch == release and machine in row.machines]
    meant = [row for row in rows if row.tag == tag or (tag is None and row.default)]
    if meant:
        return replace(meant[0], machines=(machine,))
    if rows:
        raise UsageError(
            f"The torch table has no build {tag or 'by default'} of torch {release} for {machine}",
            f"It has: {', '.join(row.tag for row in rows)}. {_MEASURE.format(build=text)}",
        )
    raise UsageError(f"The torch table has no torch {release} for {machine}", _MEASURE.format(build=text))


def _pythons(build: Build, wanted: Wanted, container: str) -> tuple[str, ...]:
    """Return the Pythons to lock for."""
    served = [python for python in build.pythons if not python.endswith("t")]  # no free-threaded ones
    if not wanted.pythons:
        return (container if container in served else max(served, key=Version),)
    for python in wanted.pythons:
        if python not in served:
            raise UsageError(
                f"{build.name} has no wheel for Python {python!r:.20}", f"It has: {', '.join(served)}"
            )
    return wanted.pythons


def _draft(build: Build, wanted: Wanted, folder: Path) -> Recipe:
    """Return the recipe before its locks; what nobody said, the nearest shipped recipe says."""
    for package in wanted.packages:
        if package.url:
            raise UsageError(
                f"{package.name} comes from an address, and a lock names none",
                "Ask for a release of it, or leave it out and install it yourself.",
            )
    numpy = build.numpy or _numpy_of_cv2(wanted)
    nearest = min(
        (one for one in load_recipes() if (one.cuda is None) == (build.cuda is None)),
        key=lambda one: (_distance(one.torch, build.torch), one.name),
    )
    name = f"torch{build.torch.major}.{build.torch.minor}-{build.tag}"
    cuda = f"with CUDA {build.cuda}" if build.cuda else "for the CPU"
    return replace(
        nearest,
        name=name,
        summary=f"torch {build.torch} {cuda}",
        why=f"Somebody asked for it: envcheck recipes add torch=={build.torch}+{build.tag}",
        torch=build.torch,
        tag=build.tag,
        requirement=build.requirement,
        packages=tuple(map(str, wanted.packages)),
        constraints=(
            *((f"numpy{numpy}",) if numpy else ()),
            _OPENCV,
            *map(str, wanted.constraints),
        ),
        glibc=max(build.glibc, nearest.glibc),
        checked={},
        wheels={},
        wheels_source="",
        file=folder / f"{name}.yaml",
        build=build,
    )


def _numpy_of_cv2(wanted: Wanted) -> str:
    """Return the bound that an old OpenCV of somebody's own sets for numpy without saying so, else ""."""
    own = [package.specifier for package in wanted.packages if canonicalize_name(package.name) in CV2]
    is_old = any(
        one.operator in ("==", "~=", "<", "<=") and Version(one.version.removesuffix(".*")) < _OPENCV_NUMPY_2
        for asked in own
        if not asked.contains(_OPENCV_NUMPY_2)
        for one in asked
    )
    return "<2" if is_old else ""


def _distance(one: Version, other: Version) -> int:
    # A major version of torch counts for more than the minor ones that it has had.
    return abs((one.major - other.major) * 100 + one.minor - other.minor)


def _tried(recipe: Recipe, locks: dict[str, Resolved]) -> Recipe:
    """Return the recipe with what its locks weigh and how far they were tried."""
    weights = [resolved.download_mib for resolved in locks.values()]
    known = [weight for weight in weights if weight is not None]
    nearest = recipe.size
    download = max(known) if len(known) == len(weights) else nearest.download_mib
    size = Size(download, download * nearest.installed_mib // nearest.download_mib)
    return replace(
        recipe, size=size, checked={recipe.key(python): Tried("resolved", _today()) for python in locks}
    )


def _write(recipe: Recipe, locks: dict[str, Resolved]) -> None:
    folder = recipe.file.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        new = replace(recipe, file=Path(name) / recipe.file.name)
        (new.file.parent / "locks").mkdir()
        new.file.write_text(_yaml(recipe), encoding="utf-8")
        for python, resolved in locks.items():
            new.lock_path(python).write_text(lock_text(recipe.name, resolved, _today()), encoding="utf-8")
        load_recipe(str(new.file))  # what was written can be read
        (folder / "locks").mkdir(exist_ok=True)
        for python in locks:
            new.lock_path(python).replace(recipe.lock_path(python))
        new.file.replace(recipe.file)


def _yaml(recipe: Recipe) -> str:
    """Return a recipe as a person would write it. Texts are quoted as JSON does, which YAML reads."""
    size = recipe.size
    lines = [
        *(f"{key}: {json.dumps(getattr(recipe, key))}" for key in ("name", "summary", "why")),
        f"base:\n  image: {recipe.base.image}\n  digest: {recipe.base.digest}",
        f'torch: "{recipe.torch}"',
        f"tag: {recipe.tag}",
        f"requirement: {recipe.requirement}",
        *_listed("packages", recipe.packages),
        *_listed("constraints", recipe.constraints),
        f'container_python: "{recipe.container_python}"',
        f'glibc: "{recipe.glibc}"',
        f"size: {{download_mib: {size.download_mib}, installed_mib: {size.installed_mib}}}  # an estimate",
        "checked:",
        *(
            f'  "{python}": {{state: {one.state}, when: {one.when}}}'
            for python, one in recipe.checked.items()
        ),
    ]
    return "\n".join([*lines, ""])


def _listed(key: str, values: Sequence[str]) -> list[str]:
    return [f"{key}:", *(f"- {json.dumps(value)}" for value in values)] if values else []


def _today() -> date:
    return datetime.now(timezone.utc).date()
