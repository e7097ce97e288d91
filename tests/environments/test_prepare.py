"""Which kind of environment is taken, and why; what would be built is stood in for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envcheck.environments.place import Limits, Place
from envcheck.environments.prepare import Terms, base_image, prepare
from envcheck.errors import EnvcheckError, RetryError, UsageError
from envcheck.host.facts import Engine, Host, OperatingSystem, Python
from envcheck.recipes import load_recipe
from tests.engine.stand_in import DOCKER

NO_IMAGE = (404, {"message": "No such image"})
UNREACHABLE = 'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host'


@pytest.fixture(autouse=True)
def built(tmp_path, monkeypatch) -> list[str]:
    """A cache of the test's own, and the Pythons for which a virtual environment was built."""
    monkeypatch.setenv("ENVCHECK_CACHE", str(tmp_path / "cache"))
    pythons: list[str] = []

    def build(_self, recipe, python, *, watch):  # noqa: ARG001 - the contract's
        pythons.append(python)
        return Place("venv", recipe.name, "0" * 64, Path("python"), python, reused=False)

    monkeypatch.setattr("envcheck.environments.venv.Venv.prepare", build)
    return pythons


def host(*engines, silent=""):
    os = OperatingSystem(system="Linux", machine="x86_64")
    found = Host(os=os, driver=None, gpus=(), engines=engines or (None if silent else ()), python=Python())
    return replace(found, unknown={"engines": silent}) if silent else found


def ready(listener, machine, terms=Terms(), *, gpus=False):  # noqa: B008 - it is frozen
    return prepare(terms, load_recipe("cpu"), machine, lambda: "3.12", listener, gpus=gpus)


def test_without_an_engine_auto_is_a_virtual_environment_on_the_chosen_python(listener, built):
    at = ready(listener, host())
    assert (at.place.kind, at.why) == ("venv", "there is no container engine")
    assert built == ["3.12"]


def test_an_engine_that_does_not_answer_is_named_where_auto_leaves_it(listener):
    at = ready(listener, host(silent="unix:///var/run/docker.sock: Permission denied"))
    assert at.place.kind == "venv"
    assert at.why == "no container engine answers: unix:///var/run/docker.sock: Permission denied"


def test_a_working_directory_that_no_container_can_show_is_worked_in_without_one(listener, monkeypatch):
    monkeypatch.chdir("/usr")
    at = ready(listener, host(Engine("docker", address="unix:///nonexistent.sock")))
    assert (at.place.kind, at.why) == ("venv", "/usr cannot be shown inside, which has its own")


@pytest.mark.parametrize("gpu_request", ["none", None])
def test_an_engine_that_cannot_give_gpus_is_left_where_gpus_are_needed(listener, gpu_request):
    engines = (Engine("docker", "27.3.1", gpu_request=gpu_request), Engine("podman", gpu_request="none"))
    at = ready(listener, host(*engines), gpus=True)
    assert at.place.kind == "venv"
    assert at.why == "docker and podman cannot hand over a GPU"


def test_a_virtual_environment_that_was_asked_for_asks_no_engine(listener):
    at = ready(listener, host(Engine("docker", address="unix:///nonexistent")), Terms("venv"))
    assert (at.place.kind, at.why) == ("venv", "")


def test_docker_without_an_engine_says_how_to_get_one(listener, built):
    with pytest.raises(EnvcheckError, match="There is no container engine") as caught:
        ready(listener, host(), Terms("docker"))
    assert (caught.value.finding, caught.value.exit_code) == ("container.engine-missing", 1)
    assert built == []


@pytest.mark.parametrize(
    ("silent", "kind", "finding"),
    [
        ("unix:///var/run/docker.sock: Permission denied", EnvcheckError, "container.socket-denied"),
        ("unix:///var/run/docker.sock: Connection refused", RetryError, "container.engine-gone"),
        ("The docker context work does not exist", EnvcheckError, "container.context"),
    ],
)
def test_docker_behind_a_silent_engine_says_what_is_in_the_way(listener, silent, kind, finding):
    with pytest.raises(kind) as caught:
        ready(listener, host(silent=silent), Terms("docker"))
    assert type(caught.value) is kind
    assert caught.value.finding == finding


@pytest.fixture
def engine(sockets, stand_in):
    """`engine(said)`: docker that has no image, and whose registry is answered for with `said`."""

    def listen(said, **facts) -> Engine:
        answers = {
            "GET /version": DOCKER,
            "GET /containers/json": [],
            "POST /images/create": {"error": said, "errorDetail": {"message": said}},
        }
        server = stand_in(sockets / "e.sock", _Images(answers))
        asked.append(server.asked)
        return Engine("docker", "27.3.1", address=f"unix://{sockets / 'e.sock'}", **facts)

    asked = listen.asked = []
    return listen


class _Images(dict):
    """Answers to which every image is absent."""

    def get(self, question, default=None):
        return super().get(question, NO_IMAGE if question.startswith("GET /images/") else default)


@pytest.mark.parametrize(
    "said",
    [UNREACHABLE, "pull access denied for python, repository does not exist", "toomanyrequests: limit"],
)
def test_without_a_base_image_auto_is_a_virtual_environment_and_says_why(listener, engine, built, said):
    at = ready(listener, host(engine(said)))
    assert at.place.kind == "venv"
    assert at.why.startswith("The base image ")
    assert "was not fetched: the registry" in at.why
    assert built == ["3.12"]
    assert "POST /images/create" in engine.asked[0]


def test_without_a_base_image_docker_is_an_error(listener, engine, built):
    with pytest.raises(RetryError, match="could not be reached") as caught:
        ready(listener, host(engine(UNREACHABLE)), Terms("docker"))
    assert caught.value.finding == "container.registry-unreachable"
    assert built == []


def test_another_failure_of_the_engine_is_one_in_auto_too(listener, engine, built):
    with pytest.raises(EnvcheckError, match="the engine's disk is full"):
        ready(listener, host(engine("write /x: no space left on device")))
    assert built == []


def test_the_first_engine_that_can_give_gpus_is_taken_for_them(listener, engine):
    able = replace(engine("no space left on device"), gpu_request="cdi")
    unable = Engine("podman", "4.3.1", address="unix:///nonexistent.sock", gpu_request="none")
    with pytest.raises(EnvcheckError, match="disk is full"):
        ready(listener, host(unable, able), gpus=True)


def test_the_engine_that_auto_takes_is_named_with_what_it_can(listener, monkeypatch):
    def prepare_docker(self, recipe, python, *, watch):  # noqa: ARG001 - the contract's
        return Place("docker", recipe.name, "0" * 64, Path("python"), python, reused=True)

    monkeypatch.setattr("envcheck.environments.docker.Docker.prepare", prepare_docker)
    able = Engine("docker", "27.3.1", gpu_request="nvidia")
    assert ready(listener, host(able)).why == "docker answers"
    at = ready(listener, host(able), gpus=True)
    assert at.why == "docker answers and can hand over a GPU"
    assert at.place.python_version == load_recipe("cpu").container_python
    assert ready(listener, host(replace(able, version=None))).why == "docker answers"
    assert ready(listener, host(able), Terms("docker")).why == ""


def test_a_base_image_is_the_command_lines_else_the_environments(monkeypatch):
    assert base_image(Terms()) is None
    monkeypatch.setenv("ENVCHECK_BASE_IMAGE", "mirror/python:3.11")
    assert base_image(Terms()) == "mirror/python:3.11"
    assert base_image(Terms(base_image="other")) == "other"


def test_a_base_image_that_is_named_is_the_one_that_is_fetched(listener, engine):
    with pytest.raises(EnvcheckError, match=r"The base image mirror/python:3\.11 was not fetched"):
        ready(listener, host(engine(UNREACHABLE)), Terms("docker", "mirror/python:3.11"))


def test_an_installer_that_nobody_knows_is_refused(listener, monkeypatch):
    monkeypatch.setenv("ENVCHECK_INSTALLER", "conda")
    with pytest.raises(UsageError, match="conda"):
        ready(listener, host())


@pytest.mark.parametrize("kind", ["auto", "venv", "current"])
@pytest.mark.parametrize("limits", [Limits(memory=1 << 30), Limits(cpus=2.0)])
def test_limits_that_only_a_container_keeps_are_refused_before_anything_is_built(
    listener, built, kind, limits
):
    with pytest.raises(UsageError, match="limit a container") as caught:
        ready(listener, host(), Terms(kind, limits=limits))
    assert "--in docker" in caught.value.hint
    assert built == []


@pytest.mark.parametrize("kind", ["current", "venv", "docker"])
def test_the_copy_of_pose_that_is_named_is_the_one_that_runs(listener, monkeypatch, tmp_path, kind):
    taken = []

    class Made:
        def __init__(self, *words, **_more):
            taken.append(tmp_path in words)

        def prepare(self, *_words, **_more):
            return None

    monkeypatch.setattr("envcheck.environments.current.Current", Made)
    monkeypatch.setattr("envcheck.environments.venv.Venv", Made)
    monkeypatch.setattr("envcheck.environments.prepare.Docker", Made)
    at = ready(listener, host(Engine("docker")), Terms(kind, program=tmp_path))
    assert (at.program, taken) == (tmp_path, [True])
