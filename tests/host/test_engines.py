"""What an engine says of itself, and what it takes to be handed a GPU by it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from envcheck.host import engines as engines_module
from envcheck.host.engines import read_engines
from envcheck.host.facts import Engine
from tests.engine.stand_in import DOCKER, INFO, PODMAN


@pytest.fixture
def root(sockets) -> Path:
    return sockets


@pytest.fixture
def listen(stand_in):
    def listen(socket: Path, version: dict | None, **info):
        failed = (500, {"message": "no"})
        return stand_in(
            socket, {"GET /version": version or failed, "GET /info": {**INFO, **info} if version else failed}
        )

    return listen


def docker(socket: Path, version="27.3.1", **facts) -> Engine:
    known = {"rootless": False, "gpu_request": "none", "runtimes": ("runc",), **facts}
    return Engine("docker", version, address=f"unix://{socket}", **known)


def podman(socket: Path) -> Engine:
    rootless = os.getuid() != 0  # the socket is the test's own
    return Engine("podman", "4.3.1", address=f"unix://{socket}", rootless=rootless, gpu_request="none")


def test_without_a_socket_there_is_no_engine_and_nothing_is_imported(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    assert read_engines(root, environ={}) == ((), {})


def test_docker_says_its_version(root, listen):
    listen(root / "var/run/docker.sock", DOCKER)
    assert read_engines(root, environ={})[0] == (docker(root / "var/run/docker.sock"),)


def test_podman_behind_the_same_interface_is_called_podman(root, listen):
    listen(root / "run/user/7/podman/podman.sock", PODMAN)
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    engines, unknown = read_engines(root, environ=environ)
    assert engines == (podman(root / "run/user/7/podman/podman.sock"),)
    assert unknown == {"engines[0]": "podman says it in its info only, which takes a quarter of a second"}


def test_docker_host_stands_for_dockers_own_sockets(root, listen):
    listen(root / "var/run/docker.sock", DOCKER)
    listen(root / "other.sock", {**DOCKER, "Version": "28.0.0"})
    environ = {"DOCKER_HOST": f"unix://{root / 'other.sock'}"}
    assert read_engines(root, environ=environ)[0] == (docker(root / "other.sock", "28.0.0"),)


def test_a_socket_behind_which_nobody_answers_is_unknown_with_its_reason(root):
    socket = root / "var/run/docker.sock"
    socket.parent.mkdir(parents=True)
    socket.touch()
    engines, unknown = read_engines(root, environ={})
    assert engines is None
    assert unknown == {"engines": f"unix://{socket}: Connection refused"}


def test_an_engine_that_answers_stands_beside_one_that_does_not(root, listen):
    listen(root / "var/run/docker.sock", None)
    listen(root / "run/podman/podman.sock", PODMAN)
    engines, unknown = read_engines(root, environ={})
    assert engines == (podman(root / "run/podman/podman.sock"),)
    assert "500" in unknown["engines"]


def test_nonsense_in_docker_host_is_a_reason(root):
    engines, unknown = read_engines(root, environ={"DOCKER_HOST": "telnet://nowhere"})
    assert engines is None
    assert unknown["engines"].startswith("telnet://nowhere (DOCKER_HOST): ")


def test_a_silent_engine_is_given_up(root, monkeypatch):
    import socket

    monkeypatch.setattr(engines_module, "_TIME_LIMIT_S", 0.2)
    path = root / "var/run/docker.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        engines, unknown = read_engines(root, environ={})
    assert engines is None
    assert "timed out" in unknown["engines"].lower()


@pytest.mark.skipif(os.getuid() == 0, reason="root may open every socket: a refused one is not verified")
def test_a_socket_that_refuses_this_user_says_so(root, listen):
    listen(root / "var/run/docker.sock", DOCKER)
    (root / "var/run/docker.sock").chmod(0)
    engines, unknown = read_engines(root, environ={})
    assert engines is None
    assert unknown["engines"].endswith("Permission denied")


def test_a_context_that_was_chosen_and_does_not_exist_is_a_reason(root, tmp_path):
    environ = {"DOCKER_CONTEXT": "work", "DOCKER_CONFIG": str(tmp_path)}
    assert read_engines(root, environ=environ) == (
        None,
        {"engines": "The docker context work does not exist"},
    )


def test_a_rootless_docker_says_that_it_is_one(root, listen):
    listen(root / "var/run/docker.sock", DOCKER, SecurityOptions=["name=seccomp", "name=rootless"])
    engine = docker(root / "var/run/docker.sock", rootless=True)
    assert read_engines(root, environ={})[0] == (engine,)


def gpu_request(root, listen, **info):
    (root / "var/lib/docker").mkdir(parents=True)
    here = {"KernelVersion": os.uname().release, "DockerRootDir": "/var/lib/docker"}
    listen(root / "var/run/docker.sock", DOCKER, **here, **info)
    engines, _ = read_engines(root, environ={})
    assert engines is not None
    return engines[0].gpu_request


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


YAML_SPEC = """---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
    - path: /dev/nvidiactl
devices:
  - containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
    name: GPU-1
kind: nvidia.com/gpu
"""
JSON_SPEC = json.dumps({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0"}]})


def test_docker_without_any_of_nvidias_parts_hands_over_no_gpu(root, listen):
    assert gpu_request(root, listen, CDISpecDirs=["/etc/cdi", "/var/run/cdi"]) == "none"


def test_docker_with_nvidias_runtime_is_asked_through_its_hook(root, listen):
    write(root / "usr/bin/nvidia-container-runtime", "")
    runtimes = {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}
    assert gpu_request(root, listen, Runtimes=runtimes) == "nvidia"


@pytest.mark.parametrize("hook", ["nvidia-container-runtime-hook", "nvidia-container-toolkit"])
def test_docker_beside_nvidias_hook_is_asked_through_it_though_it_names_no_runtime(root, listen, hook):
    write(root / "usr/bin" / hook, "")
    assert gpu_request(root, listen) == "nvidia"


@pytest.mark.parametrize(("file", "text"), [("nvidia.yaml", YAML_SPEC), ("nvidia.json", JSON_SPEC)])
@pytest.mark.parametrize("folder", ["/etc/cdi", "/var/run/cdi"])
def test_docker_that_looks_for_cdi_specs_and_finds_nvidias_is_asked_by_cdi(root, listen, folder, file, text):
    write(root / folder.lstrip("/") / file, text)
    assert gpu_request(root, listen, CDISpecDirs=["/etc/cdi", "/var/run/cdi"]) == "cdi"


def test_docker_that_does_not_know_cdi_is_not_asked_by_it(root, listen):
    write(root / "etc/cdi/nvidia.yaml", YAML_SPEC)
    assert gpu_request(root, listen) == "none"


def test_a_docker_that_has_discovered_the_devices_needs_no_spec_of_ours(root, listen):
    found = [{"Source": "cdi", "ID": "nvidia.com/gpu=GPU-1"}]
    assert gpu_request(root, listen, DiscoveredDevices=found) == "cdi"


def test_the_device_of_another_vendor_is_no_gpu(root, listen):
    write(root / "etc/cdi/nic.yaml", YAML_SPEC.replace("nvidia.com/gpu", "vendor.com/net"))
    found = [{"Source": "cdi", "ID": "vendor.com/net=0"}]
    assert gpu_request(root, listen, CDISpecDirs=["/etc/cdi"], DiscoveredDevices=found) == "none"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.yaml", "kind: [unclosed\n"),
        ("a.yaml", "kind: a: b\n"),
        ("a.yaml", "- kind\n"),
        ("a.json", "{"),
        ("a.json", "[]"),
        ("a.json", '"kind"'),
        ("a.json", ""),
        ("a", "\0\0"),
    ],
)
def test_an_odd_spec_describes_nothing_and_hides_no_other(root, listen, file, text):
    write(root / "etc/cdi" / file, text)
    (root / "etc/cdi/b.json").write_bytes(b"\xff")
    (root / "etc/cdi/c.yaml").mkdir()
    write(root / "etc/cdi/nvidia.yaml", YAML_SPEC)
    assert gpu_request(root, listen, CDISpecDirs=["/etc/cdi"]) == "cdi"


def test_podman_hands_over_no_gpu_through_dockers_interface(root, listen):
    listen(root / "run/podman/podman.sock", PODMAN, Runtimes={"nvidia": {}})
    write(root / "etc/cdi/nvidia.yaml", YAML_SPEC)
    assert read_engines(root, environ={})[0] == (podman(root / "run/podman/podman.sock"),)


def test_an_engine_that_is_silent_costs_its_own_limit_while_the_others_answer(root, listen, monkeypatch):
    import socket

    monkeypatch.setattr(engines_module, "_TIME_LIMIT_S", 0.5)
    paths = [root / "var/run/docker.sock", root / "run/user/7/docker.sock"]
    listen(root / "run/user/7/podman/podman.sock", PODMAN)
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for listener, path in zip((one, other), paths, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            listener.bind(str(path))
            listener.listen()
        engines, unknown = read_engines(root, environ={"XDG_RUNTIME_DIR": "/run/user/7"})
    assert engines == (podman(root / "run/user/7/podman/podman.sock"),)
    for path in paths:
        assert f"unix://{path}: timed out" in unknown["engines"]


def test_one_that_trickles_its_answer_is_given_up_after_the_time_of_its_questions(root, monkeypatch):
    released = Event()
    monkeypatch.setattr(engines_module, "_TIME_LIMIT_S", 0.05)
    monkeypatch.setattr(engines_module, "_ask", lambda *_words: released.wait(60))
    (root / "var/run").mkdir(parents=True)
    (root / "var/run/docker.sock").touch()
    engines, unknown = read_engines(root, environ={})
    released.set()
    assert engines is None
    assert unknown == {"engines": f"unix://{root}/var/run/docker.sock: HANG: no answer within 0.15 s"}


@pytest.mark.parametrize("daemon", ["usr/bin/dockerd", "usr/sbin/dockerd"])
def test_a_docker_that_is_installed_and_has_no_socket_does_not_run(root, daemon):
    write(root / daemon, "")
    assert read_engines(root, environ={}) == (
        None,
        {"engines": f"/{daemon} is installed and does not run: there is no socket"},
    )


def test_that_docker_is_nobodys_business_where_podman_answers(root, listen):
    write(root / "usr/bin/dockerd", "")
    listen(root / "run/podman/podman.sock", PODMAN)
    engines, unknown = read_engines(root, environ={})
    assert engines == (podman(root / "run/podman/podman.sock"),)
    assert "engines" not in unknown


def test_podman_that_names_itself_is_asked_nothing_more(root):
    import socket

    path = root / "run/podman/podman.sock"
    path.parent.mkdir(parents=True)
    asked = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            with listener.accept()[0] as peer:
                asked.append(peer.recv(4096).split(b"\r\n")[0])
                peer.sendall(b"HTTP/1.1 200 OK\r\nServer: Libpod/5.2.2 (linux)\r\nContent-Length: 0\r\n\r\n")

        server = Thread(target=serve, daemon=True)
        server.start()
        (engine,), _ = read_engines(root, environ={})
        server.join(10)
    assert (engine.name, engine.version) == ("podman", "5.2.2")
    assert asked == [b"GET /_ping HTTP/1.1"]
