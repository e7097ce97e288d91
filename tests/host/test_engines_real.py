"""What real engines say of themselves, as facts: those that `.ci/engine` makes, and a dockerd to break."""

from __future__ import annotations

import json
import os
from pathlib import Path

import docker
import pytest

from envcheck.host.engines import read_engines
from envcheck.host.facts import Engine
from tests.engines import own_dockerd

pytestmark = pytest.mark.docker


def only(address: str) -> tuple[Engine, dict[str, str]]:
    """Return the engine at an address, and why some of its facts are missing."""
    engines, unknown = read_engines(environ={**os.environ, "DOCKER_HOST": address})
    assert engines is not None, unknown
    (engine,) = engines
    return engine, unknown


def test_a_real_docker_says_all_that_matters(docker_address):
    engine, unknown = only(docker_address)
    assert engine.name == "docker"
    assert engine.machine == os.uname().machine
    assert "runc" in engine.runtimes
    assert engine.default_runtime == "runc"
    assert engine.cgroup_driver in ("systemd", "cgroupfs")
    assert engine.system
    assert engine.rootless is False
    assert isinstance(engine.warnings, tuple)
    assert set(unknown) <= {"engines[0].cdi_devices", "engines[0].root_free_inodes"}
    if Path(engine.root).is_dir():
        assert engine.missing_runtimes == {}
        disk = os.statvfs(engine.root)
        assert engine.root_free_mib == pytest.approx(disk.f_bavail * disk.f_frsize >> 20, rel=0.2)


def test_a_real_podman_says_where_its_images_are(podman_address):
    engine, unknown = only(podman_address)
    assert (engine.name, engine.gpu_request) == ("podman", "none")
    with_sdk = docker.APIClient(base_url=podman_address, timeout=30)
    assert engine.version == with_sdk.version(api_version=False)["Version"]
    with_sdk.close()
    assert (engine.root is None) == (engine.root_free_mib is None)
    if not engine.rootless:
        assert engine.root == "/var/lib/containers/storage"
    assert "quarter of a second" in unknown["engines[0]"]


def test_a_runtime_that_is_registered_and_not_there_is_seen(sockets):
    settings = {"runtimes": {"nvidia": {"path": "/opt/nowhere/nvidia-container-runtime"}}}
    with own_dockerd(sockets, settings=json.dumps(settings)) as daemon:
        engine, _ = only(daemon.address)
        assert "nvidia" in engine.runtimes
        assert engine.missing_runtimes == {"nvidia": "/opt/nowhere/nvidia-container-runtime"}
        assert engine.gpu_request == "none"
        assert engine.root == str(daemon.data)


def test_a_runtime_that_is_there_is_the_way_to_a_gpu(tmp_path, sockets):
    program = tmp_path / "nvidia-container-runtime"
    program.write_text('#!/bin/sh\nexec runc "$@"\n')
    program.chmod(0o755)
    settings = {"runtimes": {"nvidia": {"path": str(program)}}, "default-runtime": "nvidia"}
    with own_dockerd(sockets, settings=json.dumps(settings)) as daemon:
        engine, _ = only(daemon.address)
        assert (engine.default_runtime, engine.missing_runtimes) == ("nvidia", {})
        assert engine.gpu_request == "nvidia"
