"""The engines that `.ci/engine` makes and names: one that is named must answer, else the test fails."""

from __future__ import annotations

import os

import docker
import pytest
from docker.errors import DockerException


def address_of(engine: str) -> str:
    """Where the engine answers."""
    name = f"ENVCHECK_TEST_{engine.upper()}"
    if not (address := os.environ.get(name)):
        pytest.skip(f'not verified: {name} names no {engine} (eval "$(.ci/engine)" makes one)')
    try:
        docker.APIClient(base_url=address, timeout=30).version()
    except DockerException as error:
        pytest.fail(f"{name} names {address}, where no {engine} answers: {error}", pytrace=False)
    return address


@pytest.fixture(scope="session")
def docker_address() -> str:
    return address_of("docker")


@pytest.fixture(scope="session")
def podman_address() -> str:
    return address_of("podman")


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine_address(request) -> str:
    """Each engine in turn: what is promised on one is promised on both."""
    return address_of(request.param)


@pytest.fixture(scope="session")
def base_image() -> str:
    """The image that stands in for a recipe's base where no registry can be reached."""
    if not (name := os.environ.get("ENVCHECK_BASE_IMAGE")):
        pytest.skip('not verified: ENVCHECK_BASE_IMAGE names no base image (eval "$(.ci/engine)" makes one)')
    return name
