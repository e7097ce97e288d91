"""Containers: envcheck, what it runs there and the engine itself killed, at any moment.

The engine that is killed is a dockerd of this fault's own; podman has no process that lives on its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from docker.errors import DockerException

from envcheck.errors import RETRY
from tests.engines import Dockerd, address_of, base_image, own_dockerd, until
from tests.environments.conftest import a_world, envcheck, first_line, own_folder, remove_images, said_by
from tests.environments.test_engine_faults import containers_of, engine_of, images_of, is_building
from tests.faults.fault import Fault, Ground, Missed, comes, envcheck_alone, killed, nobody_is_left
from tests.faults.kills import WAITS, record_in
from tests.small import World, build_with

# An engine goes on with a build for a while when its client has gone, and a reaper has to start.
CLEARED_S = 60.0


@contextmanager
def in_engine(kind: str, client: str | None = None) -> Iterator[World]:
    """Give a world that the engine has never seen; `client` is the docker client that builds, if any."""
    with own_folder() as folder:
        world = build_with(a_world(folder, kind), client)
        try:
            yield world
        finally:
            remove_images(engine_of(world), world)


def build(world: World) -> subprocess.Popen[bytes]:
    return envcheck(world, "exec", "--in=docker", "--", "true")


def survives_in_engine(world: World) -> None:
    """Hold that the next command works, and leaves neither process, container nor nameless image."""
    nobody_is_left(world.folder)
    code, out, err = said_by(envcheck(world, "exec", "--in=docker", "--", "echo", "works"))
    if (
        code == RETRY
    ):  # podman 4.3 falls over itself when the client of a build has gone, and is started again
        until(lambda: answers(world))
        code, out, err = said_by(envcheck(world, "exec", "--in=docker", "--", "echo", "works"))
    assert (code, out) == (0, b"works\n"), f"the next command: {code} {err.decode()[-600:]}"
    until(lambda: not containers_of(world), CLEARED_S)
    here = {one["Id"] for one in images_of(world)}
    if nameless := here & {one["Id"] for one in engine_of(world).images(filters={"dangling": True})}:
        # podman goes on with a build for which nobody waits; what comes of it goes with the next prune.
        assert engine_of(world).version()["Components"][0]["Name"].startswith("Podman"), nameless
        (engine,) = world.addresses.values()
        assert envcheck_alone(world, "cache", "prune", env={"DOCKER_HOST": engine}).wait(120) == 0
        left = {one["Id"] for one in images_of(world)} & nameless
        assert not left, left
    left = [path.name for path in world.cache.rglob(".*.context-*")]
    assert not left, f"left behind: {left}"


def answers(world: World) -> bool:
    """Tell whether a world's engine is there."""
    try:
        return bool(engine_of(world).ping())
    except DockerException:
        return False


@lru_cache
def seconds_to_build(kind: str) -> float:
    """Return what building the small image takes, over which the kills are spread."""
    with in_engine(kind) as world:
        begin = time.monotonic()
        code, _, err = said_by(build(world))
        assert code == 0, err.decode()
        return time.monotonic() - begin


def killed_while_it_builds_an_image(ground: Ground, kind: str) -> str:
    whole = seconds_to_build(kind)
    with in_engine(kind) as world:
        builder = build(world)
        seconds = ground.wait_up_to(whole)
        killed(builder)
        survives_in_engine(world)
    return f"after {seconds:.1f} s"


def killed_while_docker_builds(ground: Ground) -> str:
    return killed_while_it_builds_an_image(ground, "docker")


def killed_while_podman_builds(ground: Ground) -> str:
    return killed_while_it_builds_an_image(ground, "podman")


def killed_in_a_container(ground: Ground, kind: str) -> str:
    with in_engine(kind) as world:
        runner = envcheck(world, "exec", "--in=docker", "--", "python", "-c", WAITS)
        assert first_line(runner) == b"ready\n"
        ground.wait_up_to(1)
        killed(runner)
        until(lambda: not containers_of(world), CLEARED_S)
        record = record_in(world)
        assert (record.ended, record.exit_code) == (None, None), record
        survives_in_engine(world)
    return "the container is removed, the record has no end"


def killed_in_docker(ground: Ground) -> str:
    return killed_in_a_container(ground, "docker")


def killed_in_podman(ground: Ground) -> str:
    return killed_in_a_container(ground, "podman")


def container_killed(ground: Ground) -> str:
    with in_engine("docker") as world:
        runner = envcheck(world, "exec", "--in=docker", "--", "python", "-c", WAITS)
        assert first_line(runner) == b"ready\n"
        ground.wait_up_to(1)
        (container,) = containers_of(world)
        engine_of(world).kill(container["Id"], "KILL")
        code, _, err = said_by(runner)
        assert code == 137, err.decode()
        assert record_in(world).exit_code == 137
        survives_in_engine(world)
    return "exit code 137, and the record says so"


@contextmanager
def in_own_engine() -> Iterator[tuple[Dockerd, World]]:
    """Give a dockerd that nobody else uses, and a world that it has never seen."""
    image, theirs = base_image(), address_of("docker")
    with own_folder() as folder, own_dockerd(folder / "own", room="900m") as daemon:
        daemon.load(theirs, image)
        with own_folder() as place:
            world = build_with(a_world(place, "docker"), None)
            yield daemon, replace(world, addresses={"docker": daemon.address})


def engine_killed_while_it_builds(ground: Ground) -> str:
    with in_own_engine() as (daemon, world):
        builder = build(world)
        comes(builder, lambda: is_building(world))
        ground.wait_up_to(5)
        daemon.kill()
        code, _, err = said_by(builder)
        if code == 0:
            raise Missed
        assert code == 75, err.decode()
        daemon.start()
        survives_in_engine(world)
    return "exit code 75: it may come back"


def engine_killed_in_a_run(ground: Ground) -> str:
    with in_own_engine() as (daemon, world):
        runner = envcheck(world, "exec", "--in=docker", "--", "python", "-c", WAITS)
        assert first_line(runner) == b"ready\n"
        ground.wait_up_to(1)
        daemon.kill()
        code, _, err = said_by(runner)
        assert code == 75, err.decode()
        assert b"the container engine does not answer" in err, err.decode()
        record = record_in(world)
        assert (record.exit_code, record.exit_code_of) == (75, "envcheck"), record
        daemon.start()
        survives_in_engine(world)
    return "exit code 75, and the record says so"


FAULTS = (
    Fault("envcheck killed while docker builds", killed_while_docker_builds, "docker", 5),
    Fault("envcheck killed while podman builds", killed_while_podman_builds, "docker", 5),
    Fault("envcheck killed in a run of docker", killed_in_docker, "docker", 3),
    Fault("envcheck killed in a run of podman", killed_in_podman, "docker", 3),
    Fault("container killed", container_killed, "docker"),
    Fault("engine killed while it builds", engine_killed_while_it_builds, "docker", 3),
    Fault("engine killed in a run", engine_killed_in_a_run, "docker"),
)
