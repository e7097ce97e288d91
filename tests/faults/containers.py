"""Trainings in containers: the container and envcheck killed, at any moment.

The CPU recipe's image is built once, with the engine that the environment names, and stays there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from envcheck.errors import RETRY
from tests.engines import Dockerd, address_of, base_image, own_dockerd, until
from tests.environments.conftest import own_folder, said_by
from tests.faults.fault import Fault, Ground, Missed, comes, killed
from tests.faults.learning import (
    BUILDING_S,
    KEPT,
    Reference,
    Way,
    before,
    digest,
    done,
    envcheck,
    goes_on,
    judge,
    learn,
)

# A reaper has to start, and the engine to end what it was asked to.
CLEARED_S = 60.0


def in_docker(ground: Ground, address: str) -> Way:
    """Return how one learns with the engine there; what is kept beside the images is shared by all faults."""
    variables = {
        "DOCKER_HOST": address,
        "ENVCHECK_BASE_IMAGE": base_image(),
        "ENVCHECK_CACHE": str(ground.model.world.folder / "trained" / "cache"),
    }
    return Way(("--in=docker", "--recipe=cpu", "--gpus=none"), tuple(variables.items()))


def containers_of(ground: Ground, address: str) -> list[str]:
    """Return the containers that see a fault's folder."""
    client = docker.APIClient(base_url=address, timeout=60)
    found = client.containers(all=True)
    return [one["Id"] for one in found if any(str(ground.folder) in str(m.values()) for m in one["Mounts"])]


def at_work(ground: Ground, process: subprocess.Popen[bytes], address: str) -> None:
    """Wait for the container of a stage; every other time for the first checkpoint that is kept."""
    if ground.random.random() < 0.5:
        comes(process, lambda: containers_of(ground, address))
    else:
        comes(process, (ground.folder / "out" / KEPT / "checkpoint.pth").exists)


def container_killed_learning(ground: Ground) -> str:
    address = address_of("docker")
    way = in_docker(ground, address)
    known = before(ground, way)
    learner = learn(ground.folder, known.people, way=way)
    at_work(ground, learner, address)
    ground.wait_up_to(known.learning_s)
    try:
        docker.APIClient(base_url=address).kill(containers_of(ground, address)[0], "KILL")
    except (IndexError, docker.errors.APIError):
        raise Missed from None
    code, _, err = said_by(learner)
    assert code == 137, err.decode()[-600:]
    return goes_on_in_docker(ground, known, way, address)


def envcheck_killed_learning(ground: Ground) -> str:
    address = address_of("docker")
    way = in_docker(ground, address)
    known = before(ground, way)
    learner = learn(ground.folder, known.people, way=way)
    at_work(ground, learner, address)
    ground.wait_up_to(known.learning_s)
    killed(learner)
    return goes_on_in_docker(ground, known, way, address)


def goes_on_in_docker(ground: Ground, known: Reference, way: Way, address: str) -> str:
    """The same as `goes_on`, and no container is left, before and after."""
    until(lambda: not containers_of(ground, address), CLEARED_S)
    said = goes_on(ground, known, way)
    until(lambda: not containers_of(ground, address), CLEARED_S)
    return said


@contextmanager
def own_engine(ground: Ground) -> Iterator[tuple[Dockerd, Way]]:
    """Give a dockerd that nobody else uses, which has built the image, and how one learns with it."""
    with own_folder() as folder, own_dockerd(folder / "own", room="8g") as daemon:
        daemon.load(address_of("docker"), base_image())
        way = in_docker(ground, daemon.address)
        done(envcheck(ground.folder, "exec", *way.words, "--", "true", **dict(way.variables)), BUILDING_S)
        yield daemon, way


def engine_killed(ground: Ground, *, testing: bool) -> str:
    known = before(ground, in_docker(ground, address_of("docker")))
    with own_engine(ground) as (daemon, way):
        if testing:
            done(learn(ground.folder, known.people, way=way))
        start, seconds = (judge, known.testing_s) if testing else (learn, known.learning_s)
        runner = start(ground.folder, known.people, way=way)
        at_work(ground, runner, daemon.address)
        ground.wait_up_to(seconds)
        daemon.kill()
        code, _, err = said_by(runner)
        if code == 0:
            raise Missed
        assert code == RETRY, err.decode()[-600:]
        daemon.start()
        if testing:
            done(judge(ground.folder, known.people, way))
            said = "exit code 75; the test runs again"
            assert digest(ground.folder / "out") == known.digest
        else:
            said = f"exit code 75; {goes_on(ground, known, way)}"
        until(lambda: not containers_of(ground, daemon.address), CLEARED_S)
    return said


def engine_killed_learning(ground: Ground) -> str:
    return engine_killed(ground, testing=False)


def engine_killed_testing(ground: Ground) -> str:
    return engine_killed(ground, testing=True)


FAULTS = (
    Fault("engine killed while a container learns", engine_killed_learning, "long", 2),
    Fault("engine killed while a container tests", engine_killed_testing, "long"),
    Fault("container killed while it learns", container_killed_learning, "long", 3),
    Fault("envcheck killed while a container learns", envcheck_killed_learning, "long", 3),
)
