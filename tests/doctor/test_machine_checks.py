"""What the checks on limits, variables, nodes and tools quote, and whom their fixes speak to."""

from __future__ import annotations

import pytest

from envcheck.doctor.check import Case
from envcheck.doctor.checks import access, faults, floors, limits, several, surroundings, system, tools
from envcheck.doctor.checks.cards import Listed
from envcheck.doctor.diagnose import diagnose
from envcheck.host.facts import DeviceNode, Xid

CONTAINER = {"container": "docker"}
NO_UVM = (DeviceNode("/dev/nvidia0", usable=True), DeviceNode("/dev/nvidiactl", usable=False))


@pytest.mark.parametrize(
    ("check", "parts", "command"),
    [
        (access.UnifiedMemory(), {"driver": {"nodes": NO_UVM}}, "docker run --gpus all ..."),
        (
            access.Permission(),
            {"driver": {"nodes": NO_UVM}},
            "docker run --gpus all --group-add video ...",
        ),
        (
            limits.Memlock(),
            {"surroundings": {"memlock_kib": 64, "infiniband": ("mlx5_0",)}},
            "docker run --ulimit memlock=-1 ...",
        ),
        (limits.OpenFiles(), {"surroundings": {"open_files": 64}}, "docker run --ulimit nofile=65536 ..."),
        (
            several.HostName(),
            {"surroundings": {"host_name_resolves": False}},
            "docker run --hostname NAME ...",
        ),
    ],
)
def test_in_a_container_the_way_out_is_how_it_is_started(machine, check, parts, command):
    outside = check.look(Case(machine("rtx3090x4-r550", **parts)))
    inside = check.look(Case(machine("rtx3090x4-r550", os=CONTAINER, **parts)))
    assert outside.status == inside.status
    assert command in inside.fix.commands
    assert command not in outside.fix.commands
    assert not inside.fix.needs_root


def test_nodes_that_are_missing_or_closed_are_named(machine):
    host = machine("rtx3090x4-r550", driver={"nodes": NO_UVM})
    assert access.UnifiedMemory().look(Case(host)).evidence == (
        "/dev/nvidia-uvm is missing",
        "/dev/nvidia0 is there",
        "/dev/nvidiactl is there",
    )
    assert access.Permission().look(Case(host)).evidence == ("/dev/nvidiactl: not open to this user",)


def test_a_fault_tells_the_log_line_what_it_means_where_and_how_often(machine):
    xids = (Xid(94, "0000:3b:00.0"), Xid(48, "0000:01:00.0", 3, "Xid 48, DBE"), Xid(13, "0000:01:00.0"))
    finding = faults.Faults().look(Case(machine("rtx3090-driver550", kernel={"xids": xids})))
    assert finding.evidence == (
        "kernel log: Xid 48, DBE (memory error of two bits; GPU at 0000:01:00.0, 3 times)",
        "kernel log: Xid 94 (memory error, contained in one program; GPU at 0000:3b:00.0)",
    )
    assert finding.fix.destructive


def test_an_xid_that_is_in_no_table_is_quoted_and_not_judged(machine):
    xids = (Xid(999, "0000:01:00.0", text="Xid 999, pid=7, nobody knows"), Xid(154), Xid(31))
    finding = faults.Faults().look(Case(machine("rtx3090-driver550", kernel={"xids": xids})))
    assert (finding.status, finding.fix) == ("info", None)
    assert finding.evidence == (
        "kernel log: Xid 999, pid=7, nobody knows (not known here; GPU at 0000:01:00.0)",
    )


def test_what_a_broken_gpu_did_to_a_program_follows_from_the_gpu(machine):
    host = machine("rtx3090-driver550", kernel={"xids": (Xid(95), Xid(45))})
    findings = {one.id: one for one in diagnose(host).findings}
    assert findings["gpu.program-fault"].follows_from == "gpu.fault"


def test_a_card_that_is_not_listed_is_told_with_the_drivers_complaint(machine):
    host = machine("a100-one-fell-off", kernel={"complaints": ("NVRM: RmInitAdapter failed!",)})
    assert Listed().look(Case(host)).evidence[-1] == "kernel log: NVRM: RmInitAdapter failed!"


def test_a_libcuda_that_is_refused_is_shown_with_every_file_that_it_could_be(machine, nothing_fits):
    files = ("/usr/local/cuda/compat/libcuda.so.1", "/usr/lib/libcuda.so.1")
    host = machine("rtx3090-compat-newer", driver={"libcuda_files": files})
    finding = access.ForwardCompat().look(Case(host, nothing_fits))
    assert finding.evidence[-2:] == tuple(f"could be loaded: {file}" for file in files)


def test_a_driver_below_every_floor_gets_the_rules_remedy_and_one_without_it_the_usual(machine, nothing_fits):
    finding = floors.DriverFloor().look(Case(machine("rtx3090-driver550"), nothing_fits))
    assert finding.evidence == ("The driver is too old.",)
    assert finding.fix.commands == ("envcheck pick",)
    assert floors.DriverFloor().look(Case(machine("rtx3090-driver550"))).status == "skip"


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("", "hides every GPU"),
        ("NoDevFiles", "hides every GPU"),
        ("7", "leaves CUDA without a GPU"),
        ("2,2", "leaves CUDA without a GPU"),
        ("0,9,1", "names what is not there"),
    ],
)
def test_a_variable_that_hides_gpus_is_quoted(machine, value, title):
    host = machine("rtx3090x4-r550", surroundings={"variables": {"CUDA_VISIBLE_DEVICES": value}})
    finding = surroundings.NoneVisible().look(Case(host))
    assert finding.title.endswith(title)
    assert f"CUDA_VISIBLE_DEVICES={value}" in finding.evidence[0]


def test_without_a_pick_any_librarys_number_counts(machine, picked):
    around = {"shadowing": {"libcublas.so.11": "/cuda/libcublas.so.11"}}
    host = machine("rtx3090-driver550", surroundings=around)
    assert surroundings.Shadowed().look(Case(host)).evidence == ("libcublas.so.11: /cuda/libcublas.so.11",)
    assert surroundings.Shadowed().look(Case(host, picked)).status == "ok"


def test_the_linux_driver_that_hides_windows_is_named(machine):
    files = ("/usr/lib/libcuda.so.1", "/opt/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")
    finding = system.Wsl().look(Case(machine("wsl2-rtx5090", driver={"libcuda_files": files})))
    assert finding.evidence == files[:2]
    assert finding.fix.commands == ("sudo apt purge '^(lib)?nvidia-.*'", "wsl --shutdown")


@pytest.mark.parametrize(
    ("distribution", "commands"),
    [
        ("ubuntu 24.04", ("sudo apt install gcc python3-dev",)),
        ("rocky 9.4", ("sudo dnf install gcc python3-devel",)),
        ("arch", ("sudo pacman -S gcc python",)),
        ("nixos 24.11", ()),
    ],
)
def test_a_compiler_comes_from_the_distribution(machine, distribution, commands):
    host = machine(
        "rtx3090-driver550",
        os={"distribution": distribution},
        surroundings={"compiler": "none", "python_headers": False},
    )
    finding = tools.Compiler().look(Case(host))
    assert finding.evidence == ("no gcc and no clang on PATH", f"no Python.h of Python {host.python.version}")
    assert finding.fix.commands == commands


def test_toolkits_are_told_with_the_cuda_of_torch(machine, picked):
    around = {"nvcc": "11.8.89", "toolkits": {"/usr/local/cuda-11.8": "11.8.0"}}
    finding = tools.ToolkitMatch().look(Case(machine("rtx3090-driver550", surroundings=around), picked))
    assert finding.evidence == (
        "nvcc on PATH: 11.8.89",
        "/usr/local/cuda-11.8: 11.8.0",
        "torch's CUDA: 12.8",
    )


def test_a_file_system_without_room_for_files_is_told_before_its_space(machine):
    host = machine("rtx3090-driver550", hardware={"cache_free_mib": 1, "cache_free_inodes": 12})
    finding = system.Disk().look(Case(host))
    assert finding.evidence[0].startswith("12 inodes free")
    assert finding.fix.commands[0] == "df -i"


def test_an_interface_that_is_not_there_is_told_with_those_that_are(machine):
    around = {
        "interfaces": ("eno1", "lo"),
        "variables": {"NCCL_SOCKET_IFNAME": "ib0", "GLOO_SOCKET_IFNAME": "eno1"},
    }
    finding = several.Interface().look(Case(machine("rtx3090-driver550", surroundings=around)))
    assert finding.evidence == ("NCCL_SOCKET_IFNAME=ib0", "/sys/class/net: eno1, lo")
