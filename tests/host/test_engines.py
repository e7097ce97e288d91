"""Engines behind Unix sockets: a thread of the test speaks as much HTTP as the Docker SDK asks for."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

import pytest

from envcheck.host import engines as engines_module
from envcheck.host.engines import read_engines
from envcheck.host.facts import Engine

INFO = {"Runtimes": {"runc": {}}, "SecurityOptions": ["name=seccomp"]}
DOCKER = {"Version": "27.3.1", "ApiVersion": "1.47", "Components": [{"Name": "Engine", "Version": "27.3.1"}]}
PODMAN = {
    "Version": "4.3.1",
    "ApiVersion": "1.41",
    "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}],
}


@pytest.fixture
def root():
    # A socket's path may have 107 bytes, which a folder of pytest's own can exceed.
    with tempfile.TemporaryDirectory(prefix="engine") as folder:
        yield Path(folder)


@pytest.fixture
def listen():
    servers = []

    def listen(socket: Path, version: dict | None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                says = INFO if self.path.endswith("/info") else version
                body = json.dumps(says if version else {"message": "no"}).encode()
                self.send_response(200 if version else 500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self):
                return "unix"

            def log_message(self, *_words):
                pass

        socket.parent.mkdir(parents=True, exist_ok=True)
        server = ThreadingUnixStreamServer(str(socket), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)

    yield listen
    for server in servers:
        server.shutdown()
        server.server_close()


def test_without_a_socket_there_is_no_engine_and_nothing_is_imported(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    assert read_engines(root, environ={}) == ((), {})


def test_docker_says_its_version(root, listen):
    listen(root / "var/run/docker.sock", DOCKER)
    assert read_engines(root, environ={}) == ((Engine("docker", "27.3.1"),), {})


def test_podman_behind_the_same_interface_is_called_podman(root, listen):
    listen(root / "run/user/7/podman/podman.sock", PODMAN)
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    assert read_engines(root, environ=environ) == ((Engine("podman", "4.3.1"),), {})


def test_docker_host_stands_for_dockers_own_sockets(root, listen):
    listen(root / "var/run/docker.sock", DOCKER)
    listen(root / "other.sock", {**DOCKER, "Version": "28.0.0"})
    environ = {"DOCKER_HOST": f"unix://{root / 'other.sock'}"}
    assert read_engines(root, environ=environ) == ((Engine("docker", "28.0.0"),), {})


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
    assert engines == (Engine("podman", "4.3.1"),)
    assert "500" in unknown["engines"]


def test_nonsense_in_docker_host_is_a_reason(root):
    engines, unknown = read_engines(root, environ={"DOCKER_HOST": "telnet://nowhere"})
    assert engines is None
    assert unknown["engines"].startswith("telnet://nowhere: ")


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
