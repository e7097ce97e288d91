"""A recipe as images: the environment (its base and the wheels of its lock), and pose on top of it.

Each is addressed by what it is made of, built by one envcheck at a time, and found by its name and label the
next time; wheels are fetched on the host, by hash, and a build has no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from envcheck import __version__
from envcheck.engine import images
from envcheck.engine.buildkit import offered
from envcheck.engine.failures import spoken
from envcheck.environments.failures import require_disk
from envcheck.environments.held import hold
from envcheck.environments.place import Watcher
from envcheck.errors import EnvcheckError, UsageError
from envcheck.paths import shipped
from envcheck.processes import capture
from envcheck.recipes import Recipe, lock_hash, read_lock
from envcheck.symptoms import FULL_ENGINE

if TYPE_CHECKING:
    from envcheck.engine.addresses import Address, Client


@dataclass(frozen=True, slots=True)
class BaseUsed:
    """The image to start from."""

    name: str
    id: str  # the recipe's digest, or the id of an image that was named instead
    is_recipes: bool
    digest: str | None  # as registries know it, where it is from one

    @property
    def reference(self) -> str:
        """What a Dockerfile starts FROM; BuildKit takes an image that is here by its name only."""
        return f"{self.name}@{self.id}" if self.is_recipes else self.name


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is there."""

    name: str
    id: str
    reused: bool


@dataclass(frozen=True, slots=True)
class BundledImage:
    """The image of an environment as it was written into a file, and is known by where that is loaded."""

    name: str  # "localhost/envcheck/bundled-cpu:0123456789abcdef"
    id: str  # "sha256:...", as the engine calls it that wrote it
    engine: str  # "docker 27.3.1"
    python: str  # "3.11"
    base: BaseUsed


@dataclass(frozen=True, slots=True)
class Carried:
    """Such an image and its file, to be loaded where it is not there yet."""

    image: BundledImage
    archive: Callable[[], AbstractContextManager[IO[bytes]]]  # opens it, held against its digest


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Builds with one engine, out of one cache."""

    client: Client
    address: Address
    is_podman: bool
    cache: Path
    watch: Watcher
    offline: bool = False  # nothing is fetched

    def base(self, recipe: Recipe, named: str | None) -> BaseUsed:
        """Return the image that `recipe` starts from, or the one that is `named` instead and then is here."""
        if named is None:
            return BaseUsed(recipe.base.image, recipe.base.digest, is_recipes=True, digest=recipe.base.digest)
        found = images.find(self.client, named)
        if found is None:
            self._pull(named, "")
            found = images.find(self.client, named)
        assert found is not None  # noqa: S101 - it was fetched
        digests = [text.rpartition("@")[2] for text in found.get("RepoDigests") or ()]
        return BaseUsed(named, str(found["Id"]), is_recipes=False, digest=next(iter(digests), None))

    def has(self, base: BaseUsed) -> bool:
        """Tell whether a base image is with the engine already."""
        repository = base.name.rpartition(":")[0] or base.name
        return images.find(self.client, f"{repository}@{base.id}" if base.is_recipes else base.id) is not None

    def environment(self, recipe: Recipe, python: str, base: BaseUsed) -> BuiltImage:
        """Return the image with the environment of `recipe` on `python` ("3.11"). Raises `EnvcheckError`."""
        lock = recipe.lock_for(python)
        if lock is None:
            raise UsageError(f"Recipe {recipe.name} has no lock for Python {python}")
        dockerfile = shipped("containers") / "Dockerfile"
        identity = lock_hash(lock)
        name = _name(
            recipe.name, dockerfile.read_bytes(), identity.encode(), base.id.encode(), python.encode()
        )
        with self._once(name, "dev.envcheck.lock", identity) as there:
            if there is not None:
                return there
            if base.is_recipes and not self.has(base):
                self._pull(base.name, base.id)
            with self._context(name) as context:
                self._lay_out(recipe, python, lock, context)
                shutil.copyfile(dockerfile, context / "Dockerfile")
                arguments = {
                    "BASE": base.reference,
                    "PYTHON": python,
                    "RECIPE": recipe.name,
                    "LOCK": identity,
                    "VERSION": __version__,
                    "REVISION": _revision(),
                }
                return self._build(context, name, arguments, f"build the image of {recipe.name}")

    def saved(self, built: BuiltImage, recipe: Recipe, file: Path) -> str:
        """Write an image into a file, and return how it is called in there: as no other image is.

        So whoever loads the file replaces no image of their own. Raises `EnvcheckError`.
        """
        name = _name(f"bundled-{recipe.name}", built.id.encode())
        with self.watch.step(f"save the image {built.name}") as update:
            images.save(self.client, built.id, name, file, update)
        return name

    def carried(self, carried: Carried) -> BuiltImage:
        """Return an image that a file brings, loaded if need be. Raises `EnvcheckError`."""
        image = carried.image
        _mark(self.cache, image.name)
        found = images.find(self.client, image.name)
        if found is not None and str(found["Id"]) == image.id:
            return BuiltImage(image.name, image.id, reused=True)
        with self.watch.step(f"load the image {image.name}"), carried.archive() as archive:
            images.load(self.client, archive, image.name)
        found = images.find(self.client, image.name)
        if found is None or str(found["Id"]) != image.id:
            images.forget(self.client, image.name)
            raise EnvcheckError(
                f"The image {image.name} is {found['Id'] if found else 'not there'} here, and was {image.id}",
                "Another kind of engine may call it otherwise: --in venv needs none.",
            )
        return BuiltImage(image.name, image.id, reused=False)

    def with_pose(self, environment: BuiltImage, program: Path) -> BuiltImage:
        """Return the image with the copy of pose in folder `program` on an environment."""
        dockerfile = shipped("containers") / "pose.Dockerfile"
        name = _name("pose", dockerfile.read_bytes(), environment.id.encode(), program.name.encode())
        with self._once(name, "dev.envcheck.pose", program.name) as there:
            if there is not None:
                return there
            with self._context(name) as context:
                shutil.copytree(
                    program / "pose", context / "pose", ignore=shutil.ignore_patterns("__pycache__")
                )
                shutil.copyfile(dockerfile, context / "Dockerfile")
                arguments = {
                    "ENVIRONMENT": environment.name,
                    "POSE": program.name,
                    "VERSION": __version__,
                    "REVISION": _revision(),
                }
                return self._build(context, name, arguments, "add pose")

    @contextlib.contextmanager
    def _once(self, name: str, label: str, value: str) -> Iterator[BuiltImage | None]:
        """Give the image of a name if it is there and is what it is called; else let nobody else build it."""

        def there() -> BuiltImage | None:
            found = images.find(self.client, name)
            labels = ((found or {}).get("Config") or {}).get("Labels") or {}
            return (
                BuiltImage(name, str(found["Id"]), reused=True)
                if found and labels.get(label) == value
                else None
            )

        _mark(self.cache, name)
        built = there()
        if built is not None:
            yield built
            return
        folder = self.cache / "images"
        folder.mkdir(parents=True, exist_ok=True)
        import filelock  # noqa: PLC0415 - as the wheelhouse below: a run with nothing to build waits for neither

        with filelock.FileLock(folder / f".{_file_name(name)}.lock"):
            yield there()  # somebody else may have built it while we waited

    @contextlib.contextmanager
    def _context(self, name: str) -> Iterator[Path]:
        """Give an empty folder for what a build is made of; what a killed one has left is removed."""
        folder = self.cache / "images"
        prefix = f".{_file_name(name)}.context-"
        for stale in folder.glob(f"{prefix}*"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as context:
            yield Path(context)

    def _lay_out(self, recipe: Recipe, python: str, lock: Path, context: Path) -> None:
        """Fetch the wheels of a lock, and lay them into a build's context without copying them."""
        from envcheck.environments.wheelhouse import Wheelhouse, target_of  # noqa: PLC0415

        pins = read_lock(lock)
        wheels = Wheelhouse(self.cache, offline=self.offline)
        self._require_room(recipe, wheels.needed_mib(pins, recipe))
        log = self.cache / "logs" / f"fetch-{recipe.name}.log"
        target = target_of(recipe, python)
        wheels.fetch(
            pins, python=Path(sys.executable), recipe=recipe, log=log, watch=self.watch, target=target
        )
        shutil.copyfile(lock, context / "lock.txt")
        (context / "wheels").mkdir()
        for pin in pins:
            wheel = wheels.find(pin)
            assert wheel is not None  # noqa: S101 - fetched above
            place = context / "wheels" / wheel.name
            try:
                place.hardlink_to(wheel)
            except OSError:  # a file system without, or a wheel of somebody else's
                shutil.copyfile(wheel, place)

    def _require_room(self, recipe: Recipe, missing_mib: int) -> None:
        """Raise `EnvcheckError` where the cache has no room for the wheels, or the engine for the build."""
        require_disk(self.cache, missing_mib, f"The wheels of {recipe.name} need")
        with spoken("The engine could not be asked about its disk"):
            root = Path(str(self.client.info().get("DockerRootDir") or ""))
        # The wheels once, and what is installed twice: while it is built, and in the image. Of an engine that
        # is elsewhere the folder is not here: its own word comes when it is full.
        with contextlib.suppress(OSError):
            shared = root.stat().st_dev == self.cache.stat().st_dev
            needed = recipe.size.download_mib + 2 * recipe.size.installed_mib + (missing_mib if shared else 0)
            require_disk(root, needed, f"Building the image of {recipe.name} needs", FULL_ENGINE)

    def _build(self, context: Path, name: str, arguments: dict[str, str], title: str) -> BuiltImage:
        log = self.cache / "logs" / f"image-{_file_name(name)}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        buildkit = None if self.is_podman else offered(self.address)
        with self.watch.step(title) as update:
            if buildkit is not None:
                buildkit.build(self.address, context, name, arguments, log)
            else:
                # podman's interface knows "no network" by a number of its own; "none" gives it the host's.
                network = "1" if self.is_podman else "none"
                images.build(self.client, context, name, arguments, update, log, network)
        found = images.find(self.client, name)
        assert found is not None  # noqa: S101 - it was built
        return BuiltImage(name, str(found["Id"]), reused=False)

    def _pull(self, name: str, digest: str) -> str:
        if self.offline:
            raise EnvcheckError(
                f"The base image {name} is not with the engine: beside --bundle nothing is fetched",
                "A bundle made with --image has the whole image; --in venv needs none.",
                "container.registry-unreachable",
            )
        with self.watch.step(f"fetch the base image {name}") as update:
            return images.pull(self.client, name, digest, update)


def mark_of(cache: Path, name: str) -> Path:
    """Return the file whose time says when an image was used last, and which its users hold."""
    return cache / "images" / _file_name(name)


def _mark(cache: Path, name: str) -> None:
    """Mark an image as used now, and hold it until the program ends: before anybody looks for it."""
    mark = mark_of(cache, name)
    with contextlib.suppress(OSError):  # a cache that is another user's is read only
        mark.parent.mkdir(parents=True, exist_ok=True)
        while not hold(mark):  # not there, or just being removed
            mark.touch()


def _name(what: str, *parts: bytes) -> str:
    """Return an image's name, which says what is in it; podman and docker both take such a one for local."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    plain = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-") or "recipe"
    return f"{images.OUR_NAMES}{plain}:{digest.hexdigest()[:16]}"


def _file_name(name: str) -> str:
    return name.rpartition("/")[2].replace(":", "-")


def _revision() -> str:
    """Return the commit of envcheck's own checkout; "" for an installed one, whatever it lies in."""
    checkout = shipped("pose").parent
    asked = capture(["git", "-C", str(checkout), "rev-parse", "--show-toplevel", "HEAD"], seconds=10)
    top, _, commit = asked.stdout.strip().partition("\n")
    return commit if asked.code == 0 and Path(top) == checkout else ""
