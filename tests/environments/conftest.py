"""The four environments, each built once, from a recipe that weighs nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from envcheck.engine.images import IMAGE_LABEL
from envcheck.environments.docker import Docker
from envcheck.environments.place import Ended, Environment, Place, Work
from tests import small
from tests.engines import address_of, base_image
from tests.small import Quiet, World, environ_of, make_world

CONTAINERS = ("docker", "podman")


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
            if name.startswith("PIP_"):
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


@pytest.fixture(scope="session")
def docker_address() -> str:
    return address_of("docker")


@pytest.fixture(scope="session")
def podman_address() -> str:
    return address_of("podman")
