"""What docker's `info` and podman's settings come to as facts."""

from __future__ import annotations

import os

import pytest

from envcheck.documents import to_plain
from envcheck.host.engine_info import docker_engine, podman_engine
from envcheck.host.facts import Engine

HERE = "unix:///var/run/docker.sock"
VERSION = {"Version": "28.3.3"}
# As dockerd 28 says it, with what matters here.
INFO = {
    "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "OperatingSystem": "Ubuntu 24.04.1 LTS",
    "Architecture": "x86_64",
    "KernelVersion": os.uname().release,
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "DockerRootDir": "/var/lib/docker",
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "HttpProxy": "",
    "HttpsProxy": "",
    "Warnings": None,
}
NVIDIA = {"path": "nvidia-container-runtime", "runtimeArgs": []}


@pytest.fixture
def machine(lay_out):
    """A machine with docker's folder and runc."""
    return lay_out({"var/lib/docker": None, "usr/bin/runc": ""})


def said(root, url=HERE, **changes) -> tuple[Engine, dict[str, str]]:
    answer = docker_engine(VERSION, {**INFO, **changes}, url, root)
    return answer.engine, answer.unknown


def test_docker_says_what_it_is_and_where_it_keeps_its_images(machine):
    engine, unknown = said(machine)
    disk = os.statvfs(machine)
    assert to_plain(engine) == {
        "name": "docker",
        "version": "28.3.3",
        "gpu_mode": None,
        "address": HERE,
        "rootless": False,
        "gpu_request": "none",
        "system": "Ubuntu 24.04.1 LTS",
        "machine": "x86_64",
        "runtimes": ("runc", "io.containerd.runc.v2"),
        "default_runtime": "runc",
        "missing_runtimes": {},
        "cdi_devices": None,
        "cgroup_driver": "systemd",
        "cgroup_version": "2",
        "packaging": None,
        "root": "/var/lib/docker",
        "root_free_mib": pytest.approx(disk.f_bavail * disk.f_frsize >> 20, rel=0.1),
        "root_free_inodes": pytest.approx(disk.f_favail, rel=0.1),
        "proxy": False,
        "warnings": (),
    }
    assert unknown == {".cdi_devices": "this docker does not say"}


@pytest.mark.parametrize("program", ["nvidia-container-runtime", "/opt/nvidia/nvidia-container-runtime"])
def test_a_runtime_whose_program_is_not_there_is_missing_and_hands_over_nothing(machine, program):
    runtimes = {**INFO["Runtimes"], "nvidia": {"path": program}}
    engine, _ = said(machine, Runtimes=runtimes)
    assert engine.missing_runtimes == {"nvidia": program}
    assert engine.gpu_request == "none"
    file = machine / ("usr/bin" if "/" not in program else "") / program.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    engine, _ = said(machine, Runtimes=runtimes)
    assert engine.missing_runtimes == {}
    assert engine.gpu_request == "nvidia"


@pytest.mark.parametrize("name", ["HttpProxy", "HttpsProxy"])
def test_of_a_proxy_only_that_there_is_one_is_kept(machine, name):
    engine, _ = said(machine, **{name: "http://name:secret@proxy:3128"})
    assert engine.proxy is True
    assert "secret" not in str(engine)


def test_a_shim_of_containerd_is_no_program_to_look_for(machine):
    odd = {"kata": {"runtimeType": "io.containerd.kata.v2"}, "odd": 5}
    assert said(machine, Runtimes=odd)[0].missing_runtimes == {}
    gone = {"gone": {"path": "/opt/gone"}}
    assert said(machine, Runtimes={**odd, **gone})[0].missing_runtimes == {"gone": "/opt/gone"}


@pytest.mark.parametrize(
    ("url", "changes"),
    [
        ("tcp://10.0.0.7:2376", {}),
        (HERE, {"KernelVersion": "6.6.87-linuxkit"}),
        (HERE, {"KernelVersion": None}),
        (HERE, {"DockerRootDir": "/another/place"}),
        (HERE, {"DockerRootDir": None}),
        (HERE, {"DockerRootDir": "\0"}),
        (HERE, {"DockerRootDir": "/" + "x" * 5000}),
    ],
)
def test_files_are_not_looked_at_where_the_engine_sees_others(machine, url, changes):
    runtimes = {"nvidia": NVIDIA}
    engine, unknown = said(machine, url, Runtimes=runtimes, **changes)
    assert (engine.missing_runtimes, engine.root_free_mib, engine.root_free_inodes) == (None, None, None)
    for fact in (".missing_runtimes", ".root_free_mib", ".root_free_inodes"):
        assert unknown[fact] == "the engine is on another machine, or in a virtual one"
    assert engine.gpu_request == "nvidia"  # as it says


@pytest.mark.parametrize(
    "file", [{"usr/bin/nvidia-container-runtime-hook": ""}, {"etc/cdi/n.json": '{"kind": "nvidia.com/gpu"}'}]
)
def test_hooks_and_specs_of_this_machine_are_none_of_another_ones(lay_out, file):
    root = lay_out({"var/lib/docker": None, **file})
    assert said(root)[0].gpu_request in ("nvidia", "cdi")
    assert said(root, "tcp://10.0.0.7:2376")[0].gpu_request == "none"


def test_a_file_system_without_a_count_of_inodes_leaves_it_unknown(machine, monkeypatch):
    disk = os.statvfs(machine)
    uncounted = os.statvfs_result((*disk[:5], 0, 0, 0, *disk[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _path: uncounted)
    engine, unknown = said(machine)
    assert engine.root_free_inodes is None
    assert engine.root_free_mib is not None
    assert unknown[".root_free_inodes"] == "it cannot be seen from here"


def test_a_snap_has_programs_of_its_own_and_takes_no_hook_of_the_machines(lay_out):
    root = lay_out(
        {"var/snap/docker/common/var-lib-docker": None, "usr/bin/nvidia-container-runtime-hook": ""}
    )
    folder = "/var/snap/docker/common/var-lib-docker"
    engine, _ = said(root, DockerRootDir=folder, Runtimes={"nvidia": NVIDIA})
    assert (engine.packaging, engine.missing_runtimes, engine.gpu_request) == ("snap", None, "none")
    found = [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]
    engine, _ = said(root, DockerRootDir=folder, DiscoveredDevices=found)
    assert (engine.cdi_devices, engine.gpu_request) == (("nvidia.com/gpu=all",), "cdi")


@pytest.mark.parametrize(
    ("kernel", "request_"), [("6.6.87-linuxkit", "none"), ("5.15.167.4-microsoft-standard-WSL2", "nvidia")]
)
def test_docker_desktop_has_gpus_where_windows_is_below_it(lay_out, kernel, request_):
    root = lay_out(
        {
            "usr/bin/nvidia-container-runtime-hook": "",
            "etc/cdi/nvidia.json": '{"kind": "nvidia.com/gpu"}',
        }
    )
    runtimes = {"nvidia": NVIDIA}
    engine, _ = said(root, OperatingSystem="Docker Desktop", KernelVersion=kernel, Runtimes=runtimes)
    assert (engine.system, engine.gpu_request) == ("Docker Desktop", request_)


def test_what_is_of_another_kind_than_docker_says_it_is_not_known(machine):
    odd = {key: ["x"] for key in ("OperatingSystem", "Architecture", "DefaultRuntime", "CgroupDriver")}
    engine, unknown = said(machine, Runtimes=None, Warnings="none", **odd)
    assert (engine.system, engine.machine, engine.runtimes, engine.warnings) == (None, None, None, None)
    assert {".system", ".machine", ".default_runtime", ".cgroup_driver", ".runtimes", ".warnings"} <= set(
        unknown
    )


def test_long_lists_and_texts_are_cut(machine):
    many = dict.fromkeys(map(str, range(5000)))
    engine, _ = said(machine, Warnings=["w" * 1_000_000] * 5000, Runtimes=many)
    assert len(engine.warnings) == 256
    assert len(engine.warnings[0]) == 300
    assert len(engine.runtimes) == 256


PODMAN = "4.9.4"
USUAL = "var/lib/containers/storage"


def podman(root, socket, environ=()):
    answer = podman_engine(PODMAN, f"unix://{socket}", root, dict(environ))
    return answer.engine, answer.unknown


@pytest.fixture
def socket(tmp_path):
    """A socket of whoever runs the tests."""
    path = tmp_path / "podman.sock"
    path.touch()
    return path


@pytest.mark.skipif(os.getuid() != 0, reason="a socket of root's: only root can make one")
@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({USUAL: None}, f"/{USUAL}"),
        (
            {"usr/share/containers/storage.conf": '[storage]\ngraphroot = "/data"\n', "data": None},
            "/data",
        ),
        (
            {
                "usr/share/containers/storage.conf": '[storage]\ngraphroot = "/data"\n',
                "etc/containers/storage.conf": '[storage]\ngraphroot = "/big"\n',
                "data": None,
                "big": None,
            },
            "/big",
        ),
        ({"etc/containers/storage.conf": "[storage", USUAL: None}, f"/{USUAL}"),
        ({"etc/containers/storage.conf": "storage = 5", USUAL: None}, f"/{USUAL}"),
        ({"etc/containers/storage.conf": '[storage]\ngraphroot = "/gone"\n'}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_where_roots_podman_keeps_its_images(lay_out, socket, files, folder):
    engine, unknown = podman(lay_out({"etc/x": "", **files}), socket)
    assert engine.root == folder
    assert (engine.root_free_mib is None) == (folder is None)
    assert "quarter of a second" in unknown[""]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a socket to somebody else")
@pytest.mark.parametrize(
    ("files", "environ", "folder"),
    [
        ({"home/a/.local/share/containers/storage": None}, {}, "/home/a/.local/share/containers/storage"),
        (
            {"share/containers/storage": None},
            {"XDG_DATA_HOME": "/share"},
            "/share/containers/storage",
        ),
        (
            {"home/a/.config/containers/storage.conf": '[storage]\ngraphroot = "/big"\n', "big": None},
            {},
            "/big",
        ),
        (
            {"etc/containers/storage.conf": '[storage]\ngraphroot = "/big"\n', "big": None},
            {},
            None,  # that is for root's
        ),
    ],
)
def test_where_a_users_own_podman_keeps_its_images(lay_out, socket, files, environ, folder):
    os.chown(socket, 1000, 1000)
    engine, _ = podman(lay_out(files), socket, {"HOME": "/home/a", **environ})
    assert (engine.rootless, engine.root) == (True, folder)


def test_a_podman_on_another_machine_keeps_its_images_there(lay_out):
    answer = podman_engine(PODMAN, "tcp://x:1", lay_out({"var/lib/containers/storage": None}), {})
    assert (answer.engine.rootless, answer.engine.root) == (None, None)
