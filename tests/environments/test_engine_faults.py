"""What goes wrong with engines, made to go wrong: what is said, the exit code, and that nothing is left.

Long because the faults of issue 4 stand here from top to bottom: one sees which of them were made to happen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace

import docker
import pytest

from envcheck.engine import containers
from envcheck.engine.addresses import Address
from envcheck.engine.buildkit import offered
from envcheck.engine.containers import Mount
from envcheck.environments import prepare
from envcheck.environments.docker import Docker
from envcheck.environments.place import Limits, Work
from envcheck.environments.prepare import Ready, Terms
from envcheck.errors import EnvcheckError
from envcheck.host.probe import probe
from envcheck.relay import Relay
from tests.engines import Dockerd, address_of, base_image, own_dockerd, until
from tests.environments.conftest import (
    CONTAINERS,
    SOMEBODY,
    Home,
    a_world,
    anybodys_python,
    envcheck,
    filled,
    first_line,
    is_of,
    knows_only,
    leftovers,
    own_folder,
    remove_images,
    said_by,
)
from tests.small import MINE, Quiet, World, build_with, environ_of

pytestmark = pytest.mark.docker

WAITS = "import time; print('ready', flush=True); time.sleep(60)"
GPU = "GPU-11111111-2222-3333-4444-555555555555"


@pytest.fixture(params=CONTAINERS)
def container(request, homes_here) -> Home:
    return homes_here(request.param)


@pytest.fixture
def on_docker(homes_here) -> Home:
    return homes_here("docker")


@pytest.fixture(params=CONTAINERS)
def unbuilt(request) -> Iterator[World]:
    """A recipe that its engine has never seen."""
    with a_new_world(request.param) as world:
        yield world


@pytest.fixture(params=["classic", "buildkit"])
def builder(request) -> str | None:
    """A docker client with BuildKit, or None for a build by the engine's classic builder."""
    if request.param == "classic":
        return None
    for client in dict.fromkeys((shutil.which("docker"), "/usr/bin/docker")):
        if client is None or not os.access(client, os.X_OK):
            continue
        with pytest.MonkeyPatch.context() as patch, own_folder() as folder:
            (folder / "docker").symlink_to(client)
            patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
            if offered(Address("unix:///var/run/docker.sock")) is not None:
                return client
    pytest.skip("not verified: no docker client here offers BuildKit")


@contextlib.contextmanager
def a_new_world(kind: str, builder: str | None = None, **options) -> Iterator[World]:
    with own_folder() as folder:
        world = build_with(a_world(folder, kind, **options), builder)
        try:
            yield world
        finally:
            remove_images(engine_of(world), world)


def engine_of(world: World) -> docker.APIClient:
    (address,) = world.addresses.values()
    return docker.APIClient(base_url=address, timeout=60)


def images_of(world: World) -> list[dict]:
    found = engine_of(world).images(all=True)
    return [one for one in found if is_of(one, world.recipe.name, world.program.name)]


def containers_of(world: World) -> list[dict]:
    """Return a build's and a run's containers, whatever state they are in."""
    found = engine_of(world).containers(all=True)
    return [one for one in found if is_of(one, world.recipe.name, world.program.name)]


def is_building(world: World) -> bool:
    """Tell whether the long step of a build runs: the engine shows its container, or BuildKit has said so."""
    logs = (world.cache / "logs").glob("image-*.log")
    return bool(containers_of(world)) or any("RUN set -eu" in log.read_text() for log in logs)


def prepared(world: World, kind: str) -> Docker:
    environment = world.environment(kind)
    with knows_only(world):
        environment.prepare(world.recipe, world.python(kind), watch=Quiet())
    return environment


def refusal(world: World, kind: str) -> EnvcheckError:
    with pytest.raises(EnvcheckError) as raised:
        prepared(world, kind)
    return raised.value


@pytest.fixture
def asked(monkeypatch):
    """Asks for an environment as the command line does, and gives what came of it."""

    def ask(kind: str, world: World) -> Ready:
        monkeypatch.setenv("ENVCHECK_CACHE", str(world.cache))
        monkeypatch.delenv("ENVCHECK_BASE_IMAGE", raising=False)
        monkeypatch.setattr(prepare, "program_of_pose", lambda: world.program)
        terms = Terms(kind, world.base_image or None)
        with knows_only(world):
            return prepare.prepare(terms, world.recipe, probe(), lambda: MINE, Quiet())

    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return ask


# Nobody answers.


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_is_not_there_may_come_back(tmp_path, address):
    world = a_world(tmp_path, "venv")
    code, out, err = said_by(envcheck(world, "exec", "--in=docker", "--", "true", engine=address))
    assert (code, out) == (75, b"")
    assert b"the container engine does not answer" in err
    assert address.encode() in err


def test_without_an_engine_auto_takes_a_virtual_environment_and_says_why(tmp_path, asked, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    ready = asked("auto", a_world(tmp_path, "venv"))
    assert ready.place.kind == "venv"
    assert "no container engine answers: unix:///nowhere/docker.sock (DOCKER_HOST)" in ready.why


def test_a_context_that_does_not_exist_is_named(tmp_path, asked, monkeypatch):
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(EnvcheckError, match=r"context nowhere|context that is chosen") as raised:
        asked("docker", a_world(tmp_path, "venv"))
    assert (raised.value.finding, raised.value.exit_code) == ("container.context", 1)


def test_a_socket_that_is_somebody_elses_is_no_engine_that_has_gone(docker_address):
    if os.getuid() != 0:
        pytest.skip("not verified: only root can be somebody else")
    with own_folder() as folder:
        world = a_world(folder, "venv")
        options = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": []}
        python, where = anybodys_python({**options, "cwd": folder})
        for path in (folder, *folder.rglob("*")):
            os.chown(path, SOMEBODY, SOMEBODY)
        environ = {**environ_of(world), "DOCKER_HOST": docker_address, "PYTHONPATH": where}
        code, _, err = said_by(
            envcheck(world, "exec", "--in=docker", "--", "true", python=python, env=environ, **options)
        )
    assert code == 1
    assert b"this user may not use the container engine's socket" in err


# GPUs.


def refused_gpus(home: Home) -> EnvcheckError:
    assert isinstance(home.environment, Docker)
    if home.environment.engine.gpu_request != "none":
        pytest.skip(f"not verified: this {home.kind} can hand over GPUs")
    with pytest.raises(EnvcheckError) as raised:
        home.run(*home.python(""), device="cuda", gpus=(GPU,))
    assert leftovers(home) == []
    return raised.value


def test_docker_without_the_toolkit_refuses_gpus_that_were_asked_for_by_uuid(on_docker, monkeypatch):
    client, requests = on_docker.client, []
    start = client.start

    def looked(container):
        requests.extend(client.inspect_container(container)["HostConfig"]["DeviceRequests"])
        start(container)

    monkeypatch.setattr(client, "start", looked)
    error = refused_gpus(on_docker)
    assert (error.finding, error.exit_code) == ("container.toolkit-missing", 1)
    assert "could not select device driver" in error.hint
    assert [one["DeviceIDs"] for one in requests] == [[GPU]]


def test_podman_without_a_spec_refuses_gpus_instead_of_starting_without(homes_here):
    error = refused_gpus(homes_here("podman"))
    assert (error.finding, error.exit_code) == ("container.cdi-unresolvable", 1)
    assert GPU in error.hint


# Images.


def test_a_base_image_that_cannot_be_fetched_may_come_later(unbuilt):
    world = replace(unbuilt, base_image="")
    error = refusal(world, next(iter(world.addresses)))
    assert (error.finding, error.exit_code) == ("container.registry-unreachable", 75)
    assert images_of(world) == []


def test_auto_takes_a_virtual_environment_where_the_base_image_cannot_be_fetched(
    docker_address, asked, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", docker_address)
    with own_folder() as folder:
        ready = asked("auto", replace(a_world(folder, "docker"), base_image=""))
    assert ready.place.kind == "venv"
    assert "the registry of the base image could not be reached" in ready.why


@pytest.mark.parametrize(
    ("kind", "builder"),
    [("docker", "classic"), ("docker", "buildkit"), ("podman", "classic")],
    indirect=["builder"],
)
def test_a_base_image_with_another_python_is_refused_in_words(kind, builder):
    with a_new_world(kind, builder, container_python="3.10") as world:
        error = refusal(world, kind)
        assert "the base image has Python 3.11, and the lock is for 3.10" in error.message
        assert error.exit_code == 1
        assert images_of(world) == []
        assert containers_of(world) == []


def test_a_wheel_with_another_digest_than_the_locks_is_not_built_in():
    with a_new_world("docker", damage_hash=True) as world:
        error = refusal(world, "docker")
        assert (error.finding, error.exit_code) == ("wheel.hash", 1)
        assert list((world.cache / "wheels").glob("*/*.whl")) == []
        assert images_of(world) == []


def test_an_image_that_goes_between_prepare_and_run_is_named(container):
    image = container.place.image.id
    container.client.remove_image(image, force=True)
    with pytest.raises(EnvcheckError, match=r"The container was not started: .*[Nn]o such image"):
        container.run("true")
    assert leftovers(container) == []


def test_parallel_builds_of_one_recipe_build_it_once(unbuilt):
    builders = [envcheck(unbuilt, "exec", "--in=docker", "--", "true") for _ in range(2)]
    said = [said_by(builder) for builder in builders]
    assert [code for code, _, _ in said] == [0, 0], said
    assert sorted(err.count(b"build the image of") for _, _, err in said) == [0, 1]


@pytest.mark.slow
def test_parallel_builds_of_two_recipes_do_not_clear_each_others_steps_away():
    with a_new_world("docker") as one, a_new_world("docker") as other:
        builders = [envcheck(world, "exec", "--in=docker", "--", "true") for world in (one, other)]
        said = [said_by(builder) for builder in builders]
        assert [code for code, _, _ in said] == [0, 0], said
        assert not [image for image in images_of(one) + images_of(other) if not image["RepoTags"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_interrupted_leaves_nothing_and_the_next_one_works(number, builder):
    with a_new_world("docker", builder) as world:
        process = envcheck(world, "exec", "--in=docker", "--", "true")
        until(lambda: is_building(world))
        process.send_signal(number)
        code, out, err = said_by(process)
        assert (code, out) == (130, b""), err
        assert images_of(world) == []
        assert containers_of(world) == []
        assert list(world.cache.rglob(".*.context-*")) == []
        assert said_by(envcheck(world, "exec", "--in=docker", "--", "echo", "works"))[:2] == (0, b"works\n")


@pytest.mark.slow
def test_what_podman_goes_on_with_after_an_interrupt_is_cleared_away_by_the_next_build():
    with a_new_world("podman") as world:
        builder = envcheck(world, "exec", "--in=docker", "--", "true")
        until(lambda: images_of(world))
        builder.send_signal(signal.SIGINT)
        assert said_by(builder)[0] == 130
        assert not [image for image in images_of(world) if image["RepoTags"]]
        assert list(world.cache.rglob(".*.context-*")) == []
        assert said_by(envcheck(world, "exec", "--in=docker", "--", "echo", "works"))[:2] == (0, b"works\n")
        assert not [
            one for one in engine_of(world).images(filters={"dangling": True}) if one in images_of(world)
        ]


# Runs.


def test_an_interrupt_before_the_start_stops_the_run_and_leaves_nothing(container, monkeypatch):
    make = container.client.create_container_from_config

    def interrupted(config):
        made = make(config)
        os.kill(os.getpid(), signal.SIGINT)
        return made

    monkeypatch.setattr(container.client, "create_container_from_config", interrupted)
    with pytest.raises(KeyboardInterrupt):
        container.run(*container.python("print('never')"))
    assert leftovers(container) == []


def test_a_path_that_does_not_exist_is_left_for_the_command_to_miss(container, tmp_path):
    missing = tmp_path / "missing"
    code = f"import os, sys; sys.exit(5 if not os.path.exists({str(missing)!r}) else 0)"
    assert container.run(*container.python(code), reads=(missing,)).code == 5
    assert not missing.exists()


def test_a_folder_that_goes_before_the_start_is_a_finding(on_docker):
    settings = on_docker.environment._settings(on_docker.place, Work(argv=("true",)))  # noqa: SLF001
    settings = replace(settings, mounts=(*settings.mounts, Mount("/nowhere/data", "/data")))
    with pytest.raises(EnvcheckError) as raised:
        containers.run(on_docker.client, on_docker.environment._address, settings, Relay())  # noqa: SLF001
    assert (raised.value.finding, raised.value.exit_code) == ("container.bind-missing", 1)


GREEDY = "data = b'1' * (1 << 30); print(len(data))"


def test_a_command_that_takes_more_memory_than_its_limit_is_known_to(on_docker, capfd):
    ended = on_docker.run(*on_docker.python(GREEDY), limits=Limits(memory=64 << 20))
    assert (ended.code, ended.out_of_memory) == (137, True)
    assert capfd.readouterr().out == ""


def test_the_command_line_says_that_it_was_the_memory(on_docker):
    words = ("exec", "--in=docker", "--memory=64m", "--", "python", "-c", GREEDY)
    code, out, err = said_by(envcheck(on_docker.world, *words))
    assert (code, out) == (137, b"")
    assert b"the container was out of memory" in err


def test_a_command_that_fills_shared_memory_meets_its_end(container):
    """The kernel's answer is a bus error, which torch's loader names; there is no torch in this image."""
    code = """
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=32 << 20)
block.buf[:] = bytes(32 << 20)
"""
    settings = container.environment._settings(container.place, Work(argv=container.python(code)))  # noqa: SLF001
    settings = replace(settings, shared_memory=4 << 20)
    ended = containers.run(container.client, container.environment._address, settings, Relay())  # noqa: SLF001
    assert ended.code == 128 + signal.SIGBUS
    enough = replace(settings, shared_memory=64 << 20)
    assert containers.run(container.client, container.environment._address, enough, Relay()).code == 0  # noqa: SLF001


# An engine of our own, to be killed and filled.


@pytest.fixture(scope="module")
def one_daemon() -> Iterator[Dockerd]:
    image = base_image()
    theirs = address_of("docker")
    with own_folder() as folder, own_dockerd(folder / "own", room="900m") as own:
        own.load(theirs, image)
        yield own


@pytest.fixture
def daemon(one_daemon) -> Dockerd:
    if not one_daemon.lives:  # a test has ended in the middle
        one_daemon.start()
    return one_daemon


@contextlib.contextmanager
def on(daemon: Dockerd, builder: str | None = None, **options) -> Iterator[World]:
    with a_new_world("docker", builder, **options) as world:
        theirs = replace(world, addresses={"docker": daemon.address})
        try:
            yield theirs
        finally:
            remove_images(daemon.client, theirs)


@pytest.mark.slow
def test_an_engine_that_dies_in_a_build_may_come_back_and_then_nothing_is_left(daemon, builder):
    with on(daemon, builder) as world:
        process = envcheck(world, "exec", "--in=docker", "--", "true")
        until(lambda: is_building(world))
        daemon.kill()
        code, out, err = said_by(process)
        assert (code, out) == (75, b""), err
        assert b"the container engine does not answer" in err
        assert list(world.cache.rglob(".*.context-*")) == []
        daemon.start()
        assert said_by(envcheck(world, "exec", "--in=docker", "--", "echo", "works"))[:2] == (0, b"works\n")
        assert containers_of(world) == []
        assert not [image for image in images_of(world) if not image["RepoTags"]]


def test_an_engine_that_dies_in_a_run_may_come_back_and_then_nothing_is_left(daemon):
    with on(daemon) as world:
        runner = envcheck(world, "exec", "--in=docker", "--", "python", "-c", WAITS)
        assert first_line(runner) == b"ready\n"
        daemon.kill()
        code, _, err = said_by(runner)
        assert code == 75, err
        assert b"the container engine does not answer" in err
        daemon.start()
        prepared(world, "docker")
        assert containers_of(world) == []


def test_a_build_for_which_there_is_no_room_is_not_begun(daemon):
    with on(daemon, installed_mib=2000) as world:
        error = refusal(world, "docker")
        free = shutil.disk_usage(daemon.data).free >> 20
        assert (error.finding, error.exit_code) == ("disk.full", 1)
        assert f"needs 4,001 MiB and {daemon.data} has {free} MiB free" in error.message
        assert images_of(world) == []


@pytest.mark.parametrize("leaving_mib", [1, 8])  # the engine's own word, and that of a step
def test_a_build_that_fills_the_disk_says_so_and_leaves_nothing(daemon, leaving_mib, builder):
    with on(daemon, builder) as world, filled(daemon.data, leaving_mib):
        error = refusal(world, "docker")
        assert (error.finding, error.exit_code) == ("disk.full", 1), error.message
        assert images_of(world) == []
        assert containers_of(world) == []
