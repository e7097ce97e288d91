"""A bundle into the cache: each member held against its digest while it is unpacked, and kept by its content.

Wheels go to the wheelhouse, pose to its copies, all else to `bundles/<digest of bundle.json>`. An image is
left where it is until an engine asks for it. A bundle that is known, with everything still there, is not
unpacked again. How it is used is known to `use`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, NoReturn

import filelock
from packaging.tags import Tag

from envcheck.bundle.archive import BundleFile, reading
from envcheck.bundle.manifest import (
    CONFIG,
    FIRST,
    IMAGE,
    INPUTS,
    POSE,
    RECIPE,
    RECORD,
    WHEELS,
    Manifest,
    Member,
    parse_manifest,
)
from envcheck.digests import sha256_of
from envcheck.documents import naming
from envcheck.environments.failures import require_disk
from envcheck.environments.held import hold, remove
from envcheck.environments.images import Carried
from envcheck.environments.place import Watcher
from envcheck.environments.program import LAUNCHER, copy_of_pose, digest_of_pose, kept_copy
from envcheck.environments.wheelhouse import Wheelhouse, is_wheel_of, supported_by
from envcheck.errors import UsageError
from envcheck.paths import cache_dir
from envcheck.recipes import Pin, Recipe, load_recipe, read_lock
from envcheck.runs.record import Record, parse_record

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TAKES_IT = "envcheck replay FILE takes the bundle."


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A bundle whose content is in the cache."""

    file: Path
    digest: str
    manifest: Manifest
    folder: Path
    program: Path  # its copy of pose

    @property
    def recipe(self) -> Path:
        """Its recipe's file, with the locks beside it."""
        return self.folder / RECIPE / f"{self.manifest.recipe}.yaml"

    @property
    def config(self) -> Path | None:
        """Its run's config in full, None where it is no run's or that had none."""
        return next((self.folder / one.path for one in self.manifest.within(CONFIG)), None)

    @property
    def record(self) -> Record | None:
        """Its run's record."""
        if self.manifest.member(RECORD) is None:
            return None
        return parse_record((self.folder / RECORD).read_bytes(), str(self.folder / RECORD))

    def inputs(self) -> dict[str, Path]:
        """Return where the single files lie that its run read, by their digests."""
        return {one.sha256: self.folder / one.path for one in self.manifest.within(INPUTS)}

    @property
    def carried(self) -> Carried | None:
        """Its image, None where it has none."""
        image = self.manifest.image
        return (
            None
            if image is None
            else Carried(image, partial(_image_of, self.file, self.folder.parent, self.digest))
        )


def unpack(file: Path, cache: Path, watch: Watcher) -> Unpacked:
    """Return a bundle with its content in the cache. Raises `UsageError` for what is damaged or hostile.

    Whatever was whole until then is kept, and nothing of what was not.
    """
    with reading(file) as bundle:
        home = _home(cache, bundle.digest)
        home.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(home.parent / f".{bundle.digest}.lock"):
            program = _there(bundle, home, cache)
            if program is None:
                program = _fill(bundle, home, cache, watch)
            hold(home)
        return Unpacked(file, bundle.digest, bundle.manifest, home, program)


def record_in(file: Path) -> Record:
    """Return the record of the run in a bundle, of which nothing else is unpacked. Raises `UsageError`."""
    with reading(file) as bundle:
        member = bundle.manifest.member(RECORD)
        if member is None:
            raise UsageError(f"{file} is the bundle of a recipe, and of no run")
        return parse_record(bundle.content(member), f"{file}: {RECORD}")


def kept_recipe(record: Record) -> Recipe:
    """Return the recipe that a run used: that of its bundle where it used one, else its file's, or ours.

    Raises `UsageError` where it is not there.
    """
    assert record.environment is not None  # noqa: S101 - looked at by whoever asks
    used = record.environment
    if used.bundle is None:
        return load_recipe(used.recipe_file or used.recipe)
    if not _DIGEST.fullmatch(used.bundle):
        raise UsageError(f"{record.id} names a bundle {used.bundle!r:.80}, which is no digest")
    file = _home(cache_dir(), used.bundle) / RECIPE / f"{used.recipe}.yaml"
    if "/" in used.recipe or not file.is_file():
        raise UsageError(f"The bundle that {record.id} ran from is no longer kept", _TAKES_IT)
    return load_recipe(str(file))


def kept_image(record: Record) -> Carried | None:
    """Return the image in the bundle that a run used, None where there was none.

    The bundle's file is not here: an engine that has the image no longer raises `UsageError`.
    """
    used = record.environment
    if used is None or used.bundle is None or not _DIGEST.fullmatch(used.bundle):
        return None
    file = _home(cache_dir(), used.bundle) / FIRST
    content = file.read_bytes() if file.is_file() else b""
    if sha256(content).hexdigest() != used.bundle:
        return None
    image = parse_manifest(content, str(file)).image
    return Carried(image, partial(_without_file, record.id)) if image else None


def _home(cache: Path, digest: str) -> Path:
    return cache / "bundles" / digest


def _there(bundle: BundleFile, home: Path, cache: Path) -> Path | None:
    """Return the copy of pose of a bundle that is unpacked already; None where anything of it is missing.

    Wheels are held against their digests by whoever builds with them.
    """
    wheels = Wheelhouse(cache)
    if not hold(home) or not (home / FIRST).is_file():
        return None
    for one in bundle.manifest.members:
        if one.folder == WHEELS:
            if not (wheels.folder / one.sha256 / one.name).is_file():
                return None
        elif one.folder != POSE and one.path != IMAGE and not _is_whole(home / one.path, one):
            return None
    return kept_copy(bundle.manifest.pose, cache)


def _is_whole(path: Path, member: Member) -> bool:
    try:
        return path.stat().st_size == member.bytes and sha256_of(path).hexdigest() == member.sha256
    except OSError:
        return False


def _fill(bundle: BundleFile, home: Path, cache: Path, watch: Watcher) -> Path:
    """Unpack a bundle, and return its copy of pose."""
    for stale in home.parent.glob(f".{home.name}.new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    image = bundle.manifest.member(IMAGE)
    needed = bundle.manifest.bytes - (image.bytes if image else 0)
    require_disk(home.parent, needed >> 20, f"Unpacking {bundle.file.name} needs")
    with naming(home), tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.new-") as name:
        new = Path(name) / home.name
        new.mkdir()
        with watch.step(f"unpack {bundle.file.name}, each member held against its digest") as update:
            for number, one in enumerate(bundle.manifest.members, 1):
                update(f"{number} of {len(bundle.manifest.members)}: {one.name}")
                _unpack_member(bundle, one, new)
        (new / FIRST).write_bytes(bundle.first)
        _refuse_parts_of_others(bundle, new)
        wheels = Wheelhouse(cache)
        for one in bundle.manifest.within(WHEELS):
            wheels.take(new / one.path, one.sha256)
        program = copy_of_pose(new / POSE, cache)
        for folder in (WHEELS, POSE):
            shutil.rmtree(new / folder, ignore_errors=True)
        if home.exists():
            remove(home, instead=new)
        else:
            new.replace(home)
    return program


def _unpack_member(bundle: BundleFile, member: Member, new: Path) -> None:
    if member.path == IMAGE:  # looked at, and left where it is
        bundle.copy(member, lambda _block: None)
        return
    target = new / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        bundle.copy(member, sink.write)


def _refuse_parts_of_others(bundle: BundleFile, new: Path) -> None:
    """Raise `UsageError` where recipe, locks, wheels and pose do not belong together."""
    try:
        recipe = load_recipe(str(new / RECIPE / f"{bundle.manifest.recipe}.yaml"))
        wanted = list(_wanted(recipe.on(bundle.manifest.machine), bundle.manifest.pythons))
    except UsageError as error:
        message = error.message.replace(f"{new}/", "")
        raise UsageError(f"{bundle.file}: {message}", error.hint) from None
    pose = digest_of_pose(new / POSE)
    if pose != bundle.manifest.pose or not (new / POSE / LAUNCHER).is_file():
        raise UsageError(f"{bundle.file}: its pose is {pose}, and {FIRST} names {bundle.manifest.pose}")
    wheels = {one.sha256: one for one in bundle.manifest.within(WHEELS)}
    for pin, tags in wanted:
        wheel = wheels.get(pin.sha256)
        if wheel is None:
            raise UsageError(f"{bundle.file}: the wheel of {pin.name} is not in it, which its lock names")
        if not is_wheel_of(pin, wheel.name, tags):
            raise UsageError(f"{bundle.file}: {wheel.path} is called as no wheel of {pin.name} {pin.version}")
    for digest in wheels.keys() - {pin.sha256 for pin, _ in wanted}:
        raise UsageError(f"{bundle.file}: {wheels[digest].path} is named by none of its locks")


def _wanted(recipe: Recipe, pythons: tuple[str, ...]) -> Iterator[tuple[Pin, Container[Tag]]]:
    """Yield what each lock names, and the tags that its wheel may have. Raises `UsageError`."""
    locks = {python: recipe.lock_for(python) for python in pythons}
    for other in set(recipe.lock_path("").parent.glob("*")) - set(locks.values()):
        raise UsageError(f"{FIRST} names no Python for {other.name}")
    for python, lock in locks.items():
        if lock is None:
            raise UsageError(f"it has no lock for Python {python}")
        tags = supported_by(recipe, python)
        yield from ((pin, tags) for pin in read_lock(lock))


def _without_file(run: str) -> NoReturn:
    raise UsageError(f"The image that {run} ran in is no longer with the engine", _TAKES_IT)


@contextlib.contextmanager
def _image_of(file: Path, folder: Path, digest: str) -> Iterator[IO[bytes]]:
    """Open the image in a bundle as a file of its own. Raises `UsageError` for what is not what it was."""
    with reading(file) as bundle:
        member = bundle.manifest.member(IMAGE)
        if bundle.digest != digest or member is None:
            raise UsageError(f"{file} is another bundle than it was")
        # An engine keeps what it was given: so it is given a copy that has been held against its digest.
        require_disk(folder, member.bytes >> 20, "The image needs")
        with tempfile.TemporaryFile(dir=folder) as copy:
            bundle.copy(member, copy.write)
            copy.seek(0)
            yield copy
