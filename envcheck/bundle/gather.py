"""What goes into a bundle: of a recipe locks, wheels and today's pose; of a run also what it was made of.

Data sets stay where they are. Whatever cannot be given as the run had it is left out, and said.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from envcheck import __version__
from envcheck.bundle.manifest import (
    CONFIG,
    IMAGE,
    INPUTS,
    ORIGINAL,
    POSE,
    RECIPE,
    RECORD,
    WHEELS,
    Manifest,
    Member,
    wrong_in,
)
from envcheck.bundle.unpack import kept_recipe
from envcheck.bundle.words import CONFIGS, named_config
from envcheck.documents import to_json, to_yaml
from envcheck.environments.images import BundledImage
from envcheck.environments.place import Watcher
from envcheck.environments.program import kept_copy, program_files, program_of_pose
from envcheck.environments.wheelhouse import Wheelhouse, target_of
from envcheck.errors import EnvcheckError, UsageError
from envcheck.paths import cache_dir
from envcheck.recipes import Recipe, lock_hash, read_lock
from envcheck.runs.record import FileFacts, Record, file_facts

# Where results went, and what was put before paths that are whole by now.
_PLACES = ("OUTPUT_DIR", "LOG_DIR", "DATA_DIR")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")
_MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Content:
    """A member, and where its bytes are."""

    member: Member
    source: Path | bytes


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that goes into a bundle; the members of its manifest are those of the contents."""

    manifest: Manifest
    contents: tuple[Content, ...]

    def with_image(self, image: BundledImage, file: Path) -> Gathered:
        """Return the same with an image, which lies in `file`."""
        contents = (*self.contents, _file(IMAGE, file))
        members = tuple(one.member for one in contents)
        return Gathered(replace(self.manifest, image=image, members=members), contents)


@dataclass(frozen=True, slots=True)
class Bundling:
    """What a bundle is asked for: a recipe as a machine sees it, or a run's; and for which Pythons."""

    recipe: Recipe
    pythons: tuple[str, ...]
    program: Path
    folder: Path | None = None  # the run's
    record: Record | None = None

    @property
    def name(self) -> str:
        """What the bundle is called when nobody says."""
        return self.record.id if self.record else self.recipe.name

    def with_image(self) -> Bundling:
        """Return the same for the recipe's own Python, too: an image has that one, and runs by its lock."""
        recipe = self.recipe
        return replace(self, pythons=_served(recipe, (*self.pythons, recipe.container_python)))


def of_recipe(recipe: Recipe, pythons: tuple[str, ...]) -> Bundling:
    """Return what a bundle of a recipe is made of, for this kind of machine. Raises `UsageError`."""
    recipe = recipe.on(platform.machine())
    return Bundling(recipe, _served(recipe, pythons or (recipe.container_python,)), program_of_pose())


def of_run(folder: Path, record: Record, pythons: tuple[str, ...]) -> Bundling:
    """Return what a bundle of a run is made of, for the kind of machine that it ran on.

    Raises `UsageError` where the run used nothing yet, or something that is there no more.
    """
    used = record.environment
    if used is None:
        raise UsageError(f"{record.id} used no environment that could be bundled: it never started")
    if used.kind == "current":
        raise UsageError(
            f"{record.id} cannot be bundled: it ran in what was there (--in current), and by no lock",
            f"envcheck bundle {used.recipe} bundles the recipe; --in venv runs by its lock.",
        )
    recipe = kept_recipe(record).on(record.host.os.machine)
    python = ".".join(used.python.split(".")[:2])
    lock = recipe.lock_for(python)
    if lock is None or lock_hash(lock) != used.lock_hash:
        raise UsageError(
            f"{record.id} cannot be bundled: the lock of {used.recipe} for {python} is another one now",
            f"envcheck bundle {used.recipe} bundles today's.",
        )
    program = kept_copy(used.pose, cache_dir()) or program_of_pose()
    if program.name != used.pose:
        raise UsageError(
            f"{record.id} cannot be bundled: its copy of pose, {used.pose:.40}, is no longer kept",
            f"envcheck bundle {used.recipe} bundles today's.",
        )
    return Bundling(recipe, _served(recipe, dict.fromkeys((python, *pythons))), program, folder, record)


def gather(asked: Bundling, watch: Watcher) -> Gathered:
    """Return all that goes into a bundle; wheels that are not here are fetched. Raises `EnvcheckError`."""
    recipe, record = asked.recipe, asked.record
    contents = [
        *_recipe(asked),
        *_wheels(asked, watch),
        *(_file(f"{POSE}/{name}", path) for name, path in program_files(asked.program)),
    ]
    left_out: tuple[str, ...] = ()
    if record is not None and asked.folder is not None:
        contents.append(_bytes(RECORD, to_json(record).encode()))
        contents += _config(record)
        read, left_out = _inputs(record)
        contents += read
    manifest = Manifest(
        about=f"{f'The run {record.id}' if record else f'The recipe {recipe.name}'}, to be used with"
        " envcheck run|exec|shell --bundle FILE on a machine without network.",
        envcheck=__version__,
        recipe=recipe.name,
        machine=recipe.machine,
        pythons=asked.pythons,
        torch=str(recipe.torch),
        cuda=str(recipe.cuda) if recipe.cuda else None,
        pose=asked.program.name,
        run=record.id if record else None,
        stage=record.stage if record else None,
        left_out=left_out,
        members=tuple(one.member for one in contents),
    )
    if wrong := wrong_in(manifest):
        raise UsageError(
            f"{asked.name} cannot be bundled: {wrong}",
            "A name has letters, digits and _ . + ! - only.",
        )
    return Gathered(manifest, tuple(contents))


def _served(recipe: Recipe, pythons: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(pythons))
    for python in wanted:
        if recipe.lock_for(python) is None:
            raise UsageError(
                f"Recipe {recipe.name} has no lock for Python {python:.20} on {recipe.machine}",
                f"It has: {', '.join(recipe.pythons)}",
            )
    return wanted


def _recipe(asked: Bundling) -> Iterator[Content]:
    recipe = asked.recipe
    yield _file(f"{RECIPE}/{recipe.name}.yaml", recipe.file)
    for python in asked.pythons:
        lock = recipe.lock_path(python)
        yield _file(f"{RECIPE}/locks/{lock.name}", lock)


def _wheels(asked: Bundling, watch: Watcher) -> Iterator[Content]:
    """Yield the wheels of every lock, each once, in the order of their names."""
    recipe = asked.recipe
    wheels = Wheelhouse(cache_dir())
    log = cache_dir() / "logs" / f"fetch-{recipe.name}.log"
    found: dict[str, Content] = {}
    for python in asked.pythons:
        pins = read_lock(recipe.lock_path(python))
        target = target_of(recipe, python)
        wheels.fetch(pins, python=Path(sys.executable), recipe=recipe, log=log, watch=watch, target=target)
        for pin in pins:
            wheel = wheels.find(pin)
            assert wheel is not None  # noqa: S101 - fetched above
            path = f"{WHEELS}/{wheel.name}"
            found[path] = Content(Member(path, wheel.stat().st_size, pin.sha256), wheel)
    yield from (found[path] for path in sorted(found))


def _config(record: Record) -> Iterator[Content]:
    """Yield the config in full, without where its results went, and as it was written where it still is."""
    written = [one for one in record.inputs if Path(one.path).suffix in CONFIGS]
    if record.config is not None:
        config: dict[str, Any] = {key: value for key, value in record.config.items() if key not in _PLACES}
        head = f"# The config of {record.id} in full, without where its results went.\n"
        yield _bytes(
            f"{CONFIG}/{_plain(Path(named_config(record) or record.stage).stem)}.yaml",
            (head + to_yaml(config)).encode(),
        )
    for one in written:
        if _is_still(one):
            path = f"{ORIGINAL}/{one.sha256[:16]}/{_plain(Path(one.path).name)}"
            yield Content(Member(path, one.bytes, one.sha256), Path(one.path))


def _inputs(record: Record) -> tuple[list[Content], tuple[str, ...]]:
    """Return the single files that a run read and that are still what they were; and what is left out."""
    found: dict[str, Content] = {}
    left_out = []
    for one in record.inputs:
        is_config = Path(one.path).suffix in CONFIGS
        if not _is_still(one):
            if not is_config:
                left_out.append(f"{one.path} is gone, or another one now")
        elif not is_config:
            path = f"{INPUTS}/{one.sha256[:16]}/{_plain(Path(one.path).name)}"
            found[one.sha256] = Content(Member(path, one.bytes, one.sha256), Path(one.path))
    root = (record.dataset or {}).get("root")
    if root and named_config(record) is not None:  # else the stage makes its own data
        left_out.append(
            f"the pictures in {root}: they are looked for there"
            if record.stage == "pred"
            else f"the data set in {root}: --data DIR says where it lies"
        )
    return list(found.values()), tuple(left_out)


def _is_still(one: FileFacts) -> bool:
    now = file_facts(Path(one.path))
    return now is not None and now.sha256 == one.sha256


def _plain(name: str) -> str:
    """Return a file's name in letters that every system and terminal takes as they are."""
    path = Path(_UNSAFE.sub("_", name).lstrip(".-+_") or "file")
    return path.stem[: _MOST_NAME - len(path.suffix)] + path.suffix[:_MOST_NAME]


def _file(path: str, source: Path) -> Content:
    facts = file_facts(source)
    if facts is None:
        raise EnvcheckError(f"{source} cannot be read, which goes into the bundle")
    return Content(Member(path, facts.bytes, facts.sha256), source)


def _bytes(path: str, content: bytes) -> Content:
    return Content(Member(path, len(content), sha256(content).hexdigest()), content)
