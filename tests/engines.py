"""Engines for tests: those that the environment names, a dockerd to break, a socket for everybody.

An engine that is named must answer, else the test fails; where none is named the test is not verified.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException


def address_of(engine: str) -> str:
    """Return where `.ci/engine` says that docker or podman listens."""
    name = f"ENVCHECK_TEST_{engine.upper()}"
    address = os.environ.get(name)
    if not address:
        pytest.skip(f'not verified: {name} names no {engine} (eval "$(.ci/engine)" makes one)')
    try:
        docker.APIClient(base_url=address, timeout=30).version()
    except DockerException as error:
        pytest.fail(f"{name} names {address}, where no {engine} answers: {error}", pytrace=False)
    return address


def base_image() -> str:
    """Return the image that stands in for a recipe's base where no registry can be reached."""
    name = os.environ.get("ENVCHECK_BASE_IMAGE")
    if not name:
        pytest.skip('not verified: ENVCHECK_BASE_IMAGE names no base image (eval "$(.ci/engine)" makes one)')
    return name


def until(happened, seconds: float = 30) -> None:
    """Wait until something has happened. A test that waits longer has failed."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds} seconds: {happened}"
        time.sleep(0.02)


class Dockerd:
    """A dockerd of a test's own, with its own images, which may be killed."""

    def __init__(self, folder: Path, data: Path, settings: str = "{}") -> None:
        self.folder = folder
        self.settings = settings
        self.data = data
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.address, timeout=120)

    def start(self) -> None:
        """Start it, again too, and wait for its answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # In a network of its own: a dockerd without a bridge removes docker0, which is another one's.
        argv = ["unshare", "--net", "dockerd", f"--host={self.address}", f"--data-root={self.data}"]
        argv += [f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/docker.pid"]
        argv += [
            "--bridge=none",
            "--iptables=false",
            "--ip-masq=false",
            f"--config-file={self.folder}/settings",
        ]
        (self.folder / "settings").write_text(self.settings, encoding="utf-8")  # not the machine's own
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with contextlib.suppress(DockerException):
                return bool(self.client.ping())
            return False

        until(answers, 60)

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Let it die as if the machine's memory had run out: without a word, its containerd with it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=30)
        own = self.folder / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(own.read_text(encoding="ascii")), signal.SIGKILL)
        for stale in (own, self.folder / "docker.pid"):  # the number may be another process's by now
            stale.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it, its containers before it, and whatever it has mounted."""
        if self._process is not None and self.lives:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=30)
        for line in reversed(Path("/proc/mounts").read_text(encoding="utf-8").splitlines()):
            point = line.split()[1]
            if point.startswith((f"{self.folder}/", f"{self.data}/")):
                subprocess.run(["umount", "--lazy", point], check=False)

    def load(self, other: str, image: str) -> None:
        """Take an image from the engine at `other`."""
        saved = docker.APIClient(base_url=other, timeout=120).get_image(image)
        for _ in self.client.load_image(saved):
            pass


@contextlib.contextmanager
def own_dockerd(folder: Path, *, room: str | None = None, settings: str = "{}") -> Iterator[Dockerd]:
    """Give a dockerd that nobody else uses, on a file system of its own with so much `room` ("500m").

    `settings` is its daemon.json.
    """
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("not verified: a dockerd of one's own needs root and dockerd")
    data = folder / "data"
    data.mkdir(parents=True)
    if room is not None:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "envcheck-test", str(data)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"not verified: no file system of one's own here: {done.stderr.strip()}")
    daemon = Dockerd(folder / "engine", data, settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
        if room is not None:
            subprocess.run(["umount", "--lazy", str(data)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def for_everybody(address: str, path: Path) -> Iterator[str]:
    """Give the address of a socket that every user may use and that leads to the engine at `address`."""
    engine = address.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()

        def accept() -> None:
            while True:
                try:
                    here, _ = listener.accept()
                    there = socket.socket(socket.AF_UNIX)
                    there.connect(engine)
                except OSError:
                    return
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=_copy, args=(one, other), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"unix://{path}"
        listener.shutdown(socket.SHUT_RDWR)


def _copy(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
