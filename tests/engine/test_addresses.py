"""Where engines listen, with docker's own files laid out as docker lays them out."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from envcheck.engine.addresses import Address, addresses, connect
from envcheck.errors import EnvcheckError
from tests.engine.stand_in import DOCKER


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home with a folder of docker's settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    return tmp_path / ".docker"


def context(home: Path, name: str, url: str, *, skip_tls_verify=False) -> Path:
    """Write a context as `docker context create NAME --docker host=URL` does."""
    folder = home / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {
        "Name": name,
        "Metadata": {},
        "Endpoints": {"docker": {"Host": url, "SkipTLSVerify": skip_tls_verify}},
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder / "meta.json"


def configured(home: Path, document: object) -> None:
    (home / "config.json").write_text(json.dumps(document), encoding="utf-8")


def found(root=Path("/nonexistent"), **environ):
    return list(addresses(root, {"HOME": os.environ["HOME"], **environ}))


def sockets_at(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_docker_host_is_the_only_address_whatever_else_is_there(home, tmp_path):
    sockets_at(tmp_path, "var/run/docker.sock")
    configured(home, {"currentContext": "work"})
    assert found(tmp_path, DOCKER_HOST="tcp://10.0.0.1:2375", DOCKER_CONTEXT="work") == [
        Address("tcp://10.0.0.1:2375", "DOCKER_HOST")
    ]


def test_a_context_named_by_the_environment_is_the_only_address(home, tmp_path):
    sockets_at(tmp_path, "var/run/docker.sock")
    context(home, "work", "ssh://me@server")
    context(home, "other", "unix:///other.sock")
    configured(home, {"currentContext": "other"})
    assert found(tmp_path, DOCKER_CONTEXT="work") == [Address("ssh://me@server", "the docker context work")]


def test_the_context_in_use_is_the_only_address(home):
    context(home, "rootless", "unix:///run/user/7/docker.sock")
    configured(home, {"auths": {}, "currentContext": "rootless"})
    assert found() == [Address("unix:///run/user/7/docker.sock", "the docker context rootless")]


def test_dockers_settings_may_lie_elsewhere(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    context(elsewhere, "work", "unix:///work.sock")
    configured(elsewhere, {"currentContext": "work"})
    configured(home, {"currentContext": "absent"})
    assert found(DOCKER_CONFIG=str(elsewhere)) == [Address("unix:///work.sock", "the docker context work")]


@pytest.mark.parametrize(
    "config", [None, "{", "[]", "{}", '{"currentContext": 7}', '{"currentContext": ""}', b"\xff"]
)
def test_without_a_chosen_context_the_usual_sockets_are_asked(home, tmp_path, config):
    if config is not None:
        (home / "config.json").write_bytes(config if isinstance(config, bytes) else config.encode())
    sockets_at(tmp_path, "var/run/docker.sock")
    assert found(tmp_path) == [Address(f"unix://{tmp_path}/var/run/docker.sock")]


def test_the_context_default_is_the_usual_sockets(home, tmp_path):
    sockets_at(tmp_path, "var/run/docker.sock")
    configured(home, {"currentContext": "work"})
    usual = [Address(f"unix://{tmp_path}/var/run/docker.sock")]
    assert found(tmp_path, DOCKER_CONTEXT="default") == usual
    configured(home, {"currentContext": "default"})
    assert found(tmp_path) == usual


def test_a_context_that_does_not_exist_is_an_error_that_names_it(home, tmp_path):
    sockets_at(tmp_path, "var/run/docker.sock")
    context(home, "other", "unix:///other.sock")
    configured(home, {"currentContext": "work"})
    with pytest.raises(EnvcheckError, match="The docker context work does not exist") as caught:
        found(tmp_path)
    assert "docker context ls" in caught.value.hint
    assert caught.value.finding == "container.context"


@pytest.mark.parametrize(
    "broken", ["{", "{}", "[]", '"x"', '{"Name": "work", "Endpoints": {"docker": 3}}', ""]
)
def test_a_context_that_is_broken_is_an_error_that_names_it(home, broken):
    context(home, "work", "unix:///work.sock").write_text(broken, encoding="utf-8")
    with pytest.raises(EnvcheckError, match="The docker context work cannot be read: ") as caught:
        found(DOCKER_CONTEXT="work")
    assert caught.value.finding == "container.context"


@pytest.mark.parametrize("skip", [False, True])
def test_the_certificates_of_a_context_belong_to_its_address(home, skip):
    folder = context(home, "far", "tcp://10.0.0.1:2376", skip_tls_verify=skip).parent
    tls = home / "contexts" / "tls" / folder.name / "docker"
    tls.mkdir(parents=True)
    assert found(DOCKER_CONTEXT="far") == [
        Address("tcp://10.0.0.1:2376", "the docker context far", tls=tls, verified=not skip)
    ]


def test_the_usual_sockets_are_dockers_before_podmans_and_the_systems_before_ones_own(tmp_path):
    names = (
        "var/run/docker.sock",
        "run/user/7/docker.sock",
        "run/user/7/podman/podman.sock",
        "run/podman/podman.sock",
    )
    sockets_at(tmp_path, *names)
    asked = found(tmp_path, XDG_RUNTIME_DIR="/run/user/7")
    assert asked == [Address(f"unix://{tmp_path}/{name}") for name in names]


def test_without_a_session_the_users_own_sockets_are_at_their_usual_place(tmp_path):
    name = f"run/user/{os.getuid()}/podman/podman.sock"
    sockets_at(tmp_path, name)
    assert found(tmp_path) == [Address(f"unix://{tmp_path}/{name}")]


def test_without_a_socket_there_is_no_address(tmp_path):
    assert found(tmp_path) == []


def test_an_engine_that_has_answered_can_be_asked(sockets, stand_in):
    stand_in(sockets / "e.sock", {"GET /version": DOCKER, "GET /info": {"ID": "it"}})
    client = connect(Address(f"unix://{sockets / 'e.sock'}"))
    assert client.info() == {"ID": "it"}


def test_the_context_of_an_address_can_be_connected_to(home, sockets, stand_in):
    stand_in(sockets / "e.sock", {"GET /version": DOCKER, "GET /info": {"ID": "it"}})
    context(home, "work", f"unix://{sockets / 'e.sock'}")
    (address,) = found(DOCKER_CONTEXT="work")
    assert connect(address).info() == {"ID": "it"}
