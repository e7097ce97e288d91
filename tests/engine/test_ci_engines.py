"""What `.ci/engine` promises, on the engines it made."""

from __future__ import annotations

import docker
import pytest

pytestmark = pytest.mark.docker


def said_inside(address: str, image: str, *command: str) -> str:
    client = docker.APIClient(base_url=address, timeout=60)
    host = client.create_host_config(init=True, network_mode="none")
    container = client.create_container(image, list(command), host_config=host)["Id"]
    try:
        client.start(container)
        code = client.wait(container)["StatusCode"]
        said = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True)
    assert code == 0, said
    return said


def test_docker_is_docker(docker_address):
    components = docker.APIClient(base_url=docker_address).version()["Components"]
    assert components[0]["Name"] == "Engine"


def test_podman_is_podman(podman_address):
    components = docker.APIClient(base_url=podman_address).version()["Components"]
    assert components[0]["Name"] == "Podman Engine"


def test_the_base_image_has_python_3_11_and_venv_under_an_init(engine_address, base_image):
    code = (
        "import sys, venv, ensurepip\n"
        "print(*sys.version_info[:2])\n"
        "print(open('/proc/1/cmdline').read().split(chr(0))[0])"
    )
    version, init = said_inside(engine_address, base_image, "python3", "-c", code).splitlines()
    assert version == "3 11"
    assert init in {"/sbin/docker-init", "/run/podman-init"}


def test_both_engines_hold_the_same_base_image(docker_address, podman_address, base_image):
    layers = [
        docker.APIClient(base_url=address).inspect_image(base_image)["RootFS"]["Layers"]
        for address in (docker_address, podman_address)
    ]
    assert layers[0] == layers[1]
