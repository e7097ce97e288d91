"""What an engine is asked to make for a command; the stand-in for it refuses to go on after that."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from envcheck.environments.docker import Docker
from envcheck.environments.place import Image, Limits, Place, Work
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.facts import Engine
from tests.engine.stand_in import DOCKER, PODMAN

IMAGE = Image("docker 27.3.1", "sha256:00ab", "localhost/envcheck/pose:1", "python:3.11", "sha256:00cd", True)  # noqa: FBT003
PLACE = Place("docker", "cpu", "0" * 64, Path("/opt/envcheck/bin/python"), "3.11", reused=True, image=IMAGE)
CREATED = {
    "POST /containers/create": (201, {"Id": "c1", "Warnings": []}),
    "POST /containers/c1/attach": (409, {"message": "enough"}),
    "DELETE /containers/c1": {},
}


@pytest.fixture
def work_folder(tmp_path, monkeypatch) -> Path:
    folder = tmp_path.resolve() / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def created(work_folder, sockets, stand_in):
    """`created(work, **facts)`: the document with which an engine of such facts is asked for a container."""

    def ask(work, *, name="docker", variables=None, **facts):
        socket = sockets / f"{len(list(sockets.iterdir()))}.sock"
        version = PODMAN if name == "podman" else DOCKER
        engine = stand_in(socket, {"GET /version": version, **CREATED})
        docker = Docker(
            Engine(name, address=f"unix://{socket}", **facts), work_folder, work_folder, variables=variables
        )
        with pytest.raises(EnvcheckError) as caught:
            docker.run(PLACE, work)
        if caught.value.message != "The container was not started: enough":
            raise caught.value
        assert engine.asked[-1] == "DELETE /containers/c1"
        return engine.told["POST /containers/create"]

    return ask


def env(document) -> dict[str, str]:
    return dict(one.split("=", 1) for one in document["Env"])


def test_a_container_is_shut_off_but_for_what_it_needs(created, work_folder):
    made = created(Work(argv=("python", "-c", "1")))
    host = made["HostConfig"]
    assert (made["Image"], made["Entrypoint"][-3:], made["Cmd"]) == ("sha256:00ab", ["python", "-c", "1"], [])
    assert made["WorkingDir"] == str(work_folder)
    assert made["Hostname"] == "localhost"
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "exec,mode=1777"}  # noqa: S108
    assert host["Init"] is True
    assert not host.get("Privileged")
    assert "DeviceRequests" not in host
    assert "Devices" not in host
    assert "dev.envcheck.owner" in made["Labels"]


@pytest.fixture
def _somebody(monkeypatch) -> None:
    """The caller is not root, whoever runs the tests."""
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.getgid", lambda: 1235)
    monkeypatch.setattr("os.getgroups", lambda: [27, 44])


@pytest.mark.usefixtures("_somebody")
def test_the_command_runs_as_the_caller_with_the_callers_groups(created):
    made = created(Work(argv=("true",)), rootless=False)
    assert made["User"] == "1234:1235"
    assert made["HostConfig"]["GroupAdd"] == ["27", "44"]
    assert "UsernsMode" not in made["HostConfig"]


@pytest.mark.usefixtures("_somebody")
def test_a_rootless_dockers_root_is_the_caller(created):
    made = created(Work(argv=("true",)), rootless=True)
    assert made["User"] == "0:0"
    assert not made["HostConfig"].get("GroupAdd")
    assert "UsernsMode" not in made["HostConfig"]


@pytest.mark.usefixtures("_somebody")
def test_a_rootless_podman_keeps_the_callers_uid(created):
    made = created(Work(argv=("true",)), name="podman", rootless=True)
    assert made["User"] == "1234:1235"
    assert made["HostConfig"]["UsernsMode"] == "keep-id"
    assert not made["HostConfig"].get("GroupAdd")


@pytest.mark.parametrize("rootless", [False, None])
def test_a_podman_of_root_changes_no_uid(created, rootless):
    assert "UsernsMode" not in created(Work(argv=("true",)), name="podman", rootless=rootless)["HostConfig"]


def test_podman_is_told_limits_of_processes_that_this_machine_allows(created):
    found = {
        one["Name"]: (one["Soft"], one["Hard"])
        for one in created(Work(argv=("true",)), name="podman")["HostConfig"]["Ulimits"]
    }
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(number)[1]
        bound = {"nofile": 1 << 20, "nproc": int(Path("/proc/sys/kernel/pid_max").read_text())}[name]
        given = bound if hard == resource.RLIM_INFINITY else min(hard, bound)
        assert found.pop(name) == (given, given)
    assert found == {}
    assert not created(Work(argv=("true",)))["HostConfig"].get("Ulimits")


def test_half_of_the_memory_can_be_shared(created):
    host = created(Work(argv=("true",)))["HostConfig"]
    (total,) = [
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    ]
    assert host["ShmSize"] == total // 2
    assert (host.get("Memory"), host.get("NanoCpus")) == (None, None)
    limited = created(Work(argv=("true",), limits=Limits(memory=1 << 30)))["HostConfig"]
    assert (limited["ShmSize"], limited["Memory"], limited["MemorySwap"]) == (1 << 29, 1 << 30, 1 << 30)


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, "1"), (1.0, "1"), (2.5, "3")])
def test_a_limit_of_cores_is_one_of_threads_which_torch_would_not_see(created, monkeypatch, cpus, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    made = created(Work(argv=("true",), limits=Limits(cpus=cpus)))
    assert made["HostConfig"]["NanoCpus"] == int(cpus * 1_000_000_000)
    assert env(made)["OMP_NUM_THREADS"] == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert env(created(Work(argv=("true",), limits=Limits(cpus=cpus))))["OMP_NUM_THREADS"] == "7"


def test_without_a_limit_of_cores_threads_are_left_to_torch(created, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert "OMP_NUM_THREADS" not in env(created(Work(argv=("true",))))


def test_network_is_for_those_who_ask(created):
    made = created(Work(argv=("true",), limits=Limits(network=True)))
    assert made["HostConfig"]["NetworkMode"] == "bridge"


def test_the_variables_are_the_commands_the_list_and_what_was_asked_for(created, monkeypatch):
    for name, value in {"LANG": "C", "HF_TOKEN": "a", "MY_VARIABLE": "a", "RANK": "0", "USER": "me"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOGNAME", "me")
    made = created(Work(argv=("true",), variables={"RANK": "1"}), variables={"MY_VARIABLE": "b"})
    found = env(made)
    assert (found["LANG"], found["MY_VARIABLE"], found["RANK"]) == ("C", "b", "1")
    assert (found["USER"], found["LOGNAME"]) == ("me", "me")
    assert "HF_TOKEN" not in found


def test_a_uid_without_a_name_has_none_inside(created, monkeypatch):
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert {"USER", "LOGNAME"}.isdisjoint(env(created(Work(argv=("true",)))))


def test_our_input_is_for_those_who_take_it(created):
    made = created(Work(argv=("true",)))
    assert (made["OpenStdin"], made["Tty"]) == (False, False)
    made = created(Work(argv=("true",), stdin=True))
    assert (made["OpenStdin"], made["StdinOnce"], made["Tty"]) == (True, True, False)
    made = created(Work(argv=("true",), terminal=True))
    assert (made["OpenStdin"], made["Tty"]) == (True, True)


def test_paths_are_bound_at_their_own_place_and_what_is_written_is_made(created, work_folder):
    data, out = work_folder.parent / "data", work_folder.parent / "new" / "out"
    data.mkdir()
    made = created(Work(argv=("true",), reads=(data,), writes=(out,)))
    assert out.is_dir()
    assert [
        (one["Type"], one["Source"], one["Target"], one["ReadOnly"]) for one in made["HostConfig"]["Mounts"]
    ] == [
        ("bind", str(data), str(data), True),
        ("bind", str(out), str(out), False),
        ("bind", str(work_folder), str(work_folder), True),
    ]


def test_a_command_that_owns_the_working_directory_can_write_there(created):
    (mount,) = created(Work(argv=("true",), owns_directory=True))["HostConfig"]["Mounts"]
    assert mount["ReadOnly"] is False


def test_a_place_that_the_container_has_taken_is_refused_before_it_is_asked_for(created, monkeypatch):
    monkeypatch.chdir("/usr")
    with pytest.raises(UsageError, match="/usr cannot be shown"):
        created(Work(argv=("true",)))


CUDA = Work(argv=("true",), device="cuda", gpus=("GPU-1", "MIG-2"))


def test_gpus_are_asked_of_nvidias_hook_by_uuid_and_the_root_can_be_written(created):
    host = created(CUDA, gpu_request="nvidia")["HostConfig"]
    assert host["DeviceRequests"] == [
        {
            "Driver": "",  # whichever has the capabilities, as `docker run --gpus` asks
            "DeviceIDs": ["GPU-1", "MIG-2"],
            "Capabilities": [["gpu", "compute", "utility"]],
        }
    ]
    assert host["ReadonlyRootfs"] is False


def test_gpus_are_asked_of_docker_by_cdi_where_it_knows_nothing_else(created):
    host = created(CUDA, gpu_request="cdi")["HostConfig"]
    assert host["DeviceRequests"] == [
        {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-1", "nvidia.com/gpu=MIG-2"]}
    ]
    assert host["ReadonlyRootfs"] is False


@pytest.mark.parametrize("gpu_request", ["cdi", "none", None])
def test_gpus_are_asked_of_podman_as_devices_for_it_ignores_every_request(created, gpu_request):
    host = created(CUDA, name="podman", gpu_request=gpu_request)["HostConfig"]
    assert [(one["PathOnHost"], one["PathInContainer"]) for one in host["Devices"]] == [
        ("nvidia.com/gpu=GPU-1", "nvidia.com/gpu=GPU-1"),
        ("nvidia.com/gpu=MIG-2", "nvidia.com/gpu=MIG-2"),
    ]
    assert "DeviceRequests" not in host


def test_a_docker_that_can_give_no_gpu_is_asked_for_its_own_word_on_it(created):
    (request,) = created(CUDA, gpu_request="none")["HostConfig"]["DeviceRequests"]
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]


def test_a_gpu_without_a_uuid_cannot_be_handed_over(created):
    with pytest.raises(EnvcheckError, match="no UUID") as caught:
        created(Work(argv=("true",), device="cuda"), gpu_request="nvidia")
    assert "--in venv" in caught.value.hint


def test_a_container_on_the_cpu_is_given_no_gpu_though_an_image_asks_for_all(created):
    assert env(created(Work(argv=("true",))))["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "NVIDIA_VISIBLE_DEVICES" not in env(created(CUDA, gpu_request="nvidia"))


def test_what_runs_pose_and_a_shell_are_the_images_own(tmp_path):
    docker = Docker(Engine("docker"), tmp_path, tmp_path)
    assert docker.stage(PLACE, ["train", "--cfg", "x"]) == (
        *("/opt/envcheck/bin/python", "-I", "/opt/pose"),
        *("train", "--cfg", "x"),
    )
    assert docker.shell(PLACE, tmp_path)[0] == "/bin/sh"


def test_an_engine_that_has_gone_since_it_was_found_says_so(tmp_path, sockets):
    docker = Docker(Engine("docker", address=f"unix://{sockets / 'gone.sock'}"), tmp_path, tmp_path)
    with pytest.raises(EnvcheckError, match="docker could not be asked: the container engine") as caught:
        docker.run(PLACE, Work(argv=("true",)))
    assert caught.value.exit_code == 75
