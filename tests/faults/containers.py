"""Trainings in containers: the container and envcheck killed, at any moment.

The CPU recipe's image is built once, with the engine that the environment names, and stays there.
"""

from __future__ import annotations

import docker

from tests.engines import address_of, base_image, until
from tests.environments.conftest import said_by
from tests.faults.fault import Fault, Ground, Missed, comes, killed
from tests.faults.learning import (
    Reference,
    Way,
    before,
    goes_on,
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


def container_killed_learning(ground: Ground) -> str:
    address = address_of("docker")
    way = in_docker(ground, address)
    known = before(ground, way)
    learner = learn(ground.folder, known.people, way=way)
    comes(learner, lambda: containers_of(ground, address))
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
    comes(learner, lambda: containers_of(ground, address))
    ground.wait_up_to(known.learning_s)
    killed(learner)
    return goes_on_in_docker(ground, known, way, address)


def goes_on_in_docker(ground: Ground, known: Reference, way: Way, address: str) -> str:
    """The same as `goes_on`, and no container is left, before and after."""
    until(lambda: not containers_of(ground, address), CLEARED_S)
    said = goes_on(ground, known, way)
    until(lambda: not containers_of(ground, address), CLEARED_S)
    return said


FAULTS = (
    Fault("container killed while it learns", container_killed_learning, "long", 3),
    Fault("envcheck killed while a container learns", envcheck_killed_learning, "long", 3),
)
