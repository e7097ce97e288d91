"""The four environments, each built once, from a recipe that weighs nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import filelock
import pytest

from envcheck.engine.images import IMAGE_LABEL
from envcheck.environments.docker import Docker
from envcheck.environments.place import Ended, Environment, Place, Work
from tests import small
from tests.engines import address_of, base_image, for_everybody
from tests.small import MINE, Quiet, World, environ_of, make_world

CONTAINERS = ("docker", "podman")
SOMEBODY = 1234  # a uid without a name, here and in the image


@dataclass(frozen=True)
class Home:
    """One environment, prepared; it runs work in this process, or in one of its own that may be killed."""

    kind: str
    world: World
    environment: Environment
    place: Place

    @property
    def is_container(self) -> bool:
        return self.kind in CONTAINERS

    @property
    def client(self) -> docker.APIClient:
        assert isinstance(self.environment, Docker)
        return self.environment.client

    def python(self, code: str, *words: str) -> tuple[str, ...]:
        return (str(self.place.python), "-c", code, *words)

    def run(self, *argv: str, **work) -> Ended:
        return self.environment.run(self.place, Work(argv=argv, **work))

    def start(
        self, *argv: str, world: World | None = None, python: str = sys.executable, options=None, **work
    ) -> subprocess.Popen[bytes]:
        """Run work in an envcheck of its own. `options` are Popen's."""
        program = [python, small.__file__, (world or self.world).dump(), self.kind]
        said = json.dumps({"argv": argv, **work}, default=str)
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        options = {"env": environ_of(self.world), **pipes, **(options or {})}
        return subprocess.Popen([*program, said], **options)

    def containers(self) -> list[str]:
        """Return the containers that are there of the environment's image, whatever state they are in."""
        assert self.place.image is not None
        found = self.client.containers(all=True)
        return [one["Id"] for one in found if one["ImageID"].endswith(self.place.image.id.partition(":")[2])]


def envcheck(
    world: World, *words: str, engine: str = "", python: str = sys.executable, **options
) -> subprocess.Popen[bytes]:
    """Start envcheck's command line with a world's recipe; `engine` is where one listens."""
    verb, *rest = words
    (recipe,) = (world.folder / "recipes").glob("*.yaml")
    engine = engine or next(iter(world.addresses.values()), "")
    environ = {**environ_of(world), **({"DOCKER_HOST": engine} if engine else {})}
    argv = [python, small.__file__, world.dump(), verb, f"--recipe={recipe}", "--gpus=none", *rest]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(argv, **{"env": environ, "cwd": world.folder, **pipes, **options})


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Give a folder that other users may look into, which pytest's own forbid."""
    folder = Path(tempfile.mkdtemp(prefix="envcheck-test-")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_images(client: docker.APIClient, world: World) -> None:
    """Remove every image of a world, the nameless ones of its builds too."""
    name = world.recipe.name
    before: set[str] = set()
    # An image is gone with the last that stands on it, and not before.
    while (
        ids := {one["Id"] for one in client.images(all=True) if is_of(one, name, world.program.name)}
    ) != before:
        before = ids
        for one in ids:
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(one, force=True)


def is_of(image: dict, recipe: str, program: str) -> bool:
    labels = image.get("Labels") or {}
    return (
        f"/{recipe}:" in labels.get(IMAGE_LABEL, "")
        or labels.get("dev.envcheck.recipe") == recipe
        or labels.get("dev.envcheck.pose") == program
    )


@contextlib.contextmanager
def knows_only(world: World) -> Iterator[None]:
    """While open, pip in this process knows no index but the world's wheels."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        for name, value in environ_of(world).items():
            if name.startswith("PIP_") or name == "PATH":
                patch.setenv(name, value)
        yield


def a_world(folder: Path, kind: str, **options) -> World:
    """Return a world that an environment of that kind can be made of."""
    world = make_world(folder, **options)
    if kind not in CONTAINERS:
        return world
    return replace(world, addresses={kind: address_of(kind)}, base_image=base_image())


@contextlib.contextmanager
def built(kind: str, **options) -> Iterator[Home]:
    """Give an environment that was built here and now, and remove it afterwards."""
    with own_folder() as folder:
        world = a_world(folder, kind, **options)
        environment = world.environment(kind)
        watch = Quiet()
        with knows_only(world):
            place = environment.prepare(world.recipe, world.python(kind), watch=watch)
        assert kind == "current" or (not place.reused and watch.steps), "it was there before"
        home = Home(kind, world, environment, place)
        try:
            yield home
        finally:
            if kind in CONTAINERS:
                remove_images(home.client, world)


def said_by(process: subprocess.Popen[bytes], given: bytes | None = None) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(given, timeout=60)
    return process.returncode, out, err


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    line = process.stdout.readline()
    assert line, process.communicate(timeout=60)[1].decode()
    return line


def leftovers(home: Home) -> list[str]:
    """Return what a command in an environment has left, by kind; nothing is what there should be."""
    left = [str(path) for path in home.world.cache.rglob(".*.context-*")]
    left += [str(path) for path in home.world.cache.rglob(".*.new-*")]
    left += [str(lock) for lock in home.world.cache.rglob(".*.lock") if is_held(lock)]
    if home.is_container:
        left += home.containers()
        dangling = home.client.images(filters={"dangling": True})
        left += [one["Id"] for one in dangling if is_of(one, home.world.recipe.name, home.world.program.name)]
    return left


def is_held(lock: Path) -> bool:
    try:
        filelock.FileLock(lock).acquire(timeout=0)
    except filelock.Timeout:
        return True
    return False


@contextlib.contextmanager
def filled(folder: Path, leaving_mib: int) -> Iterator[None]:
    """While open, a disk has no more room than that."""
    ballast = folder / "ballast"
    size = shutil.disk_usage(folder).free - (leaving_mib << 20)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def somebodys(home: Home, folder: Path):
    """Give what starts work as another user, who works in `folder` and may use the engine."""
    if os.getuid() != 0:
        pytest.skip("not verified: only root can be somebody else")
    options = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": [], "cwd": folder}
    python, where = anybodys_python(options)
    os.chown(folder, SOMEBODY, SOMEBODY)
    for path in (home.world.cache, *home.world.cache.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o006 | (0o001 if path.is_dir() else 0))
    options["env"] = {**environ_of(home.world), "PYTHONPATH": where}
    with for_everybody(home.world.addresses[home.kind], folder / "engine.sock") as address:
        world = replace(home.world, addresses={home.kind: address})
        yield lambda *argv, **work: home.start(*argv, world=world, python=python, options=options, **work)


def anybodys_python(options) -> tuple[str, str]:
    """Return a Python that another user can run, and where it finds us: our own may lie in root's home."""
    path = str(Path(__file__).resolve().parents[2])
    reason = ""
    for python, where in (
        (sys.executable, path),
        (f"/usr/bin/python{MINE}", os.pathsep.join((path, sysconfig.get_path("purelib")))),
    ):
        argv = [python, "-c", "import docker, envcheck.cli.verbs, envcheck.environments.prepare"]
        try:
            able = subprocess.run(
                argv, env={"PYTHONPATH": where}, stderr=subprocess.PIPE, check=False, **options
            )
        except OSError as error:
            reason = f"{python}: {error}"
            continue
        if able.returncode == 0:
            return python, where
        reason = able.stderr.decode()[-300:]
    pytest.skip(f"not verified: another user cannot run this checkout: {reason}")


@pytest.fixture(scope="session")
def homes() -> Iterator[Callable[[str], Home]]:
    """Each of the four, built when it is first asked for; a test gets it as it is at that moment."""
    there: dict[str, Home] = {}
    with contextlib.ExitStack() as stack:

        def home(kind: str) -> Home:
            if kind not in there:
                there[kind] = stack.enter_context(built(kind))
            one = there[kind]
            return replace(
                one,
                place=one.environment.prepare(one.world.recipe, one.world.python(kind), watch=Quiet()),
            )

        yield home


@pytest.fixture
def homes_here(homes, tmp_path, monkeypatch) -> Callable[[str], Home]:
    """The same, and an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return homes
