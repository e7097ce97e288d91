"""Writes recipes: a lock anew, or a new recipe for any official torch build, with somebody's own packages.

Nothing is written before everything is resolved, and the recipe's own file comes last: a recipe that is there
is whole. Which wheels satisfy it is known to `locks`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.environments.place import Watcher
from envcheck.environments.wheelhouse import PYTORCH_INDEX
from envcheck.errors import EnvcheckError, UsageError
from envcheck.locks import Resolved, lock_text, resolve
from envcheck.recipes import MACHINE, Check, Recipe, Size, load_recipe, load_recipes
from envcheck.uv import IndexUnreachableError

_OPENCV = "opencv-python-headless<5"  # 5.0 warps pictures differently, and the numbers of pose depend on it

_MEASURE = "A build's row is read off its wheel: envcheck tables measure {build}"


def relock(recipe: Recipe, python: str, watch: Watcher, machine: str = MACHINE) -> Path:
    """Resolve the lock of `recipe` for `python` ("3.11") anew, and return where it stands now."""
    resolved = resolve_anywhere(recipe, python, machine, watch)
    path = recipe.lock_path(python, machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lock_text(recipe.name, resolved, _today()), encoding="utf-8")
    return path


def add(build: Build, packages: Sequence[str], pythons: Sequence[str], folder: Path, watch: Watcher) -> Path:
    """Write a recipe for `build` and its locks into `folder`, and return its file.

    `packages` are installed beside what pose needs; without `pythons`, the container's own is locked. Raises
    `UsageError` where the recipe is there already or the build has no wheel for a Python, `EnvcheckError`
    with the resolver's reason where nothing satisfies it.
    """
    recipe = _draft(build, packages, folder)
    if recipe.file.exists():
        raise UsageError(f"{recipe.file} is there already", "Remove it, or name another folder: --to DIR")
    wanted = tuple(pythons) or (_usual_python(build, recipe.container_python),)
    for python in wanted:
        if python not in build.pythons:
            raise UsageError(
                f"{build.name} has no wheel for Python {python!r:.20}", f"It has: {', '.join(build.pythons)}"
            )
    try:
        locks = {python: resolve_anywhere(recipe, python, recipe.machine, watch) for python in wanted}
    except EnvcheckError as error:
        if build.numpy and "numpy" in error.message:
            hint = f"{build.name} is compiled for numpy{build.numpy}; another fails at the first conversion."
            raise type(error)(error.message, hint) from None
        raise
    _write(_tried(recipe, locks), locks)
    return recipe.file


def resolve_anywhere(recipe: Recipe, python: str, machine: str, watch: Watcher) -> Resolved:
    """Return the wheels of a recipe, from the user's own indexes or, for what only it has, from PyTorch's.

    Raises `EnvcheckError` when no set of wheels satisfies the recipe, or when that could not be learnt.
    """
    where = "" if machine == MACHINE else f" on {machine}"
    with watch.step(f"resolve {recipe.name} for Python {python}{where}"):
        try:
            return resolve(recipe, python, machine)
        except EnvcheckError as error:
            if "+" not in recipe.requirement or isinstance(error, IndexUnreachableError):
                raise  # the public index has it, or the next answer would hide why
            own = error
        try:
            return resolve(recipe, python, machine, index=PYTORCH_INDEX.format(tag=recipe.tag))
        except IndexUnreachableError as error:
            hint = (
                "PyTorch's own index, which keeps such builds, cannot be reached from here. Make the recipe"
                " where it can: recipe and locks are files that any machine may use."
            )
            raise EnvcheckError(own.message, hint) from error


def parse_build(text: str) -> Build:
    """Return the row of the tables that "torch==2.0.1+cu118" names; without a tag, the public index's own.

    Raises `UsageError` with what there is.
    """
    wanted = _pinned(text)
    release, tag = Version(wanted.public), wanted.local
    rows = [row for row in tables.torch().builds if row.torch == release and MACHINE in row.machines]
    meant = [row for row in rows if row.tag == tag or (tag is None and row.default)]
    if meant:
        return meant[0]
    if rows:
        raise UsageError(
            f"The torch table has no build {wanted.local or 'by default'} of torch {release}",
            f"It has: {', '.join(row.tag for row in rows)}. {_MEASURE.format(build=text)}",
        )
    raise UsageError(f"The torch table has no torch {release}", _MEASURE.format(build=text))


def read_requirements(path: Path) -> tuple[str, ...]:
    """Return the requirements in somebody's file, each one line. Raises `UsageError` by file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'not text'}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise UsageError(f"{path}:{number}: {text!r:.80} is no requirement that can be locked") from None
        if requirement.url:
            raise UsageError(
                f"{path}:{number}: {requirement.name} comes from an address, and a lock names none",
                "Take a release of it, or leave it out and install it yourself.",
            )
        found.append(str(requirement))
    return tuple(found)


def _pinned(text: str) -> Version:
    """Return the version in "torch==2.0.1+cu118", which is all that the text may say."""
    name, _, version = text.replace(" ", "").partition("==")
    try:
        pinned = Version(version)
    except InvalidVersion:
        pinned = None
    if name != "torch" or pinned is None:
        raise UsageError(f"{text!r:.60} is not one build of torch", "For example torch==2.0.1+cu118")
    return pinned


def _usual_python(build: Build, container: str) -> str:
    """Return the container's Python, or the newest that the build has."""
    return container if container in build.pythons else build.pythons[-1]


def _draft(build: Build, packages: Sequence[str], folder: Path) -> Recipe:
    """Return the recipe before its locks; what nobody said, the nearest shipped recipe says."""
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
        packages=tuple(packages),
        constraints=(*((f"numpy{build.numpy}",) if build.numpy else ()), _OPENCV),
        glibc=max(build.glibc, nearest.glibc),
        checked={},
        wheels={},
        wheels_source="",
        file=folder / f"{name}.yaml",
        build=replace(build, machines=(MACHINE,)),
    )


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
    return replace(recipe, size=size, checked={python: Check("resolved", _today()) for python in locks})


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
