"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.stand_in import StandIn
from tests.engines import address_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item) -> Iterator[None]:
    """Where CI says so, what a container test could not verify is a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.get_closest_marker("docker") and os.environ.get("ENVCHECK_ALL_VERIFIED"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI is to verify it: {report.longrepr}"


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """Give the programs under test an interrupt key: a shell's background jobs are started without one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engineless() -> dict[str, str]:
    """Variables with which envcheck finds no container engine, whatever runs on this machine."""
    return {"DOCKER_HOST": "unix:///nonexistent/engine.sock", "ENVCHECK_BASE_IMAGE": ""}


@pytest.fixture(autouse=True)
def _engine_only_where_it_is_meant(request, engineless, monkeypatch) -> None:
    """Hide this machine's engine from every test that is not about one, and from the programs it starts."""
    if request.node.get_closest_marker("docker") is None:
        for name, value in engineless.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The facts and data beside the checkout, for the tests that hold ours against them."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is not here: not verified against its facts and data")
    return folder


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that is all that pip and uv know: no index, no settings of the machine."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return folder


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder for sockets: a path of one may have 107 bytes, which a folder of pytest's own can exceed."""
    with tempfile.TemporaryDirectory(prefix="engine") as folder:
        yield Path(folder)


@pytest.fixture
def stand_in() -> Iterator[Callable[[Path, Mapping[str, Any]], StandIn]]:
    """Let a stand-in for an engine listen on a socket."""
    started: list[StandIn] = []

    def listen(socket: Path, answers: Mapping[str, Any]) -> StandIn:
        started.append(StandIn(socket, answers))
        return started[-1]

    yield listen
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def docker_address() -> str:
    return address_of("docker")


@pytest.fixture(scope="session")
def podman_address() -> str:
    return address_of("podman")


class Listener:
    """Hears the steps of a build."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        self.steps.append(title)
        yield lambda _news: None


@pytest.fixture
def listener() -> Listener:
    return Listener()
