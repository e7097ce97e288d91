"""The whole of the facts: what the readers say of one machine, joined."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from packaging.version import Version

from envcheck.documents import parse_json, to_json
from envcheck.host import probe as probe_module
from envcheck.host.access import Access
from envcheck.host.facts import (
    SCHEMA,
    Cdi,
    DeviceNode,
    Driver,
    Engine,
    Host,
    Kernel,
    OperatingSystem,
    PciDevice,
    Surroundings,
    Toolkit,
)
from envcheck.host.kernel import Module
from envcheck.host.library import Library
from envcheck.host.probe import join_driver, listed_gpus, probe

LINUX = OperatingSystem(system="Linux", wsl=False)
WSL = OperatingSystem(system="Linux", wsl=True)
JETSON = OperatingSystem(system="Linux", wsl=False, jetson="36.4.3")

NO_LIBRARY = Library(found=False, unknown={"gpus": "LIBRARY_NOT_FOUND"})
SILENT_LIBRARY = Library(found=True, unknown={"gpus": "DRIVER_NOT_LOADED"})
MODULE = Module(Version("550.54.14"), is_open=False)
ON_NOUVEAU = (PciDevice("0000:01:00.0", "10de", "2204", "nouveau"),)
ON_NVIDIA = (PciDevice("0000:01:00.0", "10de", "2204", "nvidia"),)


@pytest.fixture
def machine(nvml_machine, monkeypatch):
    """Return a function that makes `probe` see an NVML machine, a bus and a module instead of this one's."""

    def become(name, *, pci=ON_NVIDIA, module=MODULE):
        nvml_machine(name)
        monkeypatch.setattr(probe_module, "read_pci", lambda: pci)
        monkeypatch.setattr(probe_module, "read_module", lambda: module)

    return become


@pytest.mark.parametrize(
    ("library", "module", "pci"),
    [(SILENT_LIBRARY, None, ()), (NO_LIBRARY, MODULE, ()), (NO_LIBRARY, None, ON_NVIDIA)],
)
def test_any_sign_of_a_driver_is_a_driver(library, module, pci):
    assert join_driver(library, module, pci) is not None


@pytest.mark.parametrize("pci", [(), None, ON_NOUVEAU])
def test_without_library_module_and_bound_card_there_is_no_driver_and_no_gpu(pci):
    assert join_driver(NO_LIBRARY, None, pci) is None
    assert listed_gpus(NO_LIBRARY, None, pci, LINUX) == ()


@pytest.mark.parametrize(
    ("pci", "system", "gpus"),
    [
        (ON_NVIDIA, LINUX, None),
        (None, LINUX, None),
        ((), LINUX, ()),
        ((), WSL, None),
        ((), JETSON, None),
    ],
)
def test_a_silent_library_leaves_the_gpus_unknown_unless_the_bus_is_empty(pci, system, gpus):
    assert listed_gpus(SILENT_LIBRARY, Driver(), pci, system) == gpus


def test_a_t4_is_probed_whole_and_survives_the_document(machine):
    machine("t4")
    host = probe()
    assert host.schema == SCHEMA
    assert host.driver.version == Version("535.161.07")
    assert (host.driver.module_version, host.driver.open_module) == (Version("550.54.14"), False)
    assert [gpu.name for gpu in host.gpus] == ["Tesla T4"]
    # The process is one of the machine file's, not of this machine's.
    unknown = [path for path in host.unknown if path.startswith(("driver", "gpus"))]
    assert unknown == ["gpus[0].processes[0].state"]
    assert parse_json(to_json(host).encode(), Host, source="probe", schema=SCHEMA) == host


def test_a_mismatch_keeps_both_reasons_and_the_card_on_the_bus(machine):
    machine("mismatch")
    host = probe()
    assert host.gpus is None
    assert host.unknown["gpus"] == host.unknown["driver.cuda"] == "LIB_RM_VERSION_MISMATCH"
    assert host.pci == ON_NVIDIA


def test_a_library_without_module_and_card_is_a_machine_without_gpus(machine):
    machine("no-driver", pci=(), module=None)
    host = probe()
    assert host.gpus == ()
    assert "gpus" not in host.unknown
    assert host.unknown["driver.version"] == "DRIVER_NOT_LOADED"
    assert host.unknown["driver.module_version"] == "no kernel module is loaded"


def test_this_machine_is_probed_without_an_exception():
    host = probe()
    assert host.os.system == "Linux"
    assert host.hardware.cpus >= 1
    assert parse_json(to_json(host).encode(), Host, source="probe") == host


def test_a_machine_without_a_pci_bus_says_so(machine):
    machine("t4", pci=None)
    assert probe().unknown["pci"] == "/sys/bus/pci/devices is not there"


def test_what_is_around_the_driver_is_joined_with_its_reasons(machine, monkeypatch):
    machine("t4")
    nodes = (DeviceNode("/dev/nvidiactl", usable=True),)
    said = {
        "read_access": Access(nodes=nodes, modprobe=True, unknown={"driver.libcuda_files": "hidden"}),
        "read_kernel": (Kernel(dkms="added"), {"kernel.xids": "closed"}),
        "read_surroundings": (Surroundings(open_files=64), {"surroundings.nvcc": "mute"}),
    }
    for name, answer in said.items():
        monkeypatch.setattr(probe_module, name, lambda answer=answer: answer)
    host = probe()
    assert (host.driver.nodes, host.driver.modprobe, host.driver.libcuda_files) == (nodes, True, None)
    assert (host.kernel, host.surroundings) == (Kernel(dkms="added"), Surroundings(open_files=64))
    reasons = {"driver.libcuda_files": "hidden", "kernel.xids": "closed", "surroundings.nvcc": "mute"}
    assert reasons.items() <= host.unknown.items()


def test_without_a_driver_nothing_is_said_of_its_nodes(machine, monkeypatch):
    machine("t4", pci=(), module=None)
    monkeypatch.setattr(probe_module, "read_library", lambda: NO_LIBRARY)
    monkeypatch.setattr(probe_module, "read_access", lambda: Access(unknown={"driver.nodes": "hidden"}))
    host = probe()
    assert host.driver is None
    assert "driver.nodes" not in host.unknown


def test_engines_the_toolkit_and_cdi_are_joined(machine, monkeypatch):
    machine("t4")
    engine = Engine("docker", gpu_request="nvidia", default_runtime="runc")
    toolkit = Toolkit(Version("1.19.1"), "auto")
    says = {
        "read_engines": ((engine,), {"engines[0].machine": "not said"}),
        "read_toolkit": (toolkit, {"toolkit.no_cgroups": "not said"}),
        "read_cdi": ((Cdi("/etc/cdi/nvidia.yaml"),), {"cdi[0]": "Permission denied"}),
    }
    for reader, answer in says.items():
        monkeypatch.setattr(probe_module, reader, lambda answer=answer: answer)
    host = probe()
    assert host.engines[0].gpu_mode == "legacy"
    assert (host.toolkit, host.cdi) == (toolkit, (Cdi("/etc/cdi/nvidia.yaml"),))
    assert host.unknown["engines[0].machine"] == host.unknown["toolkit.no_cgroups"] == "not said"
    assert host.unknown["cdi[0]"] == "Permission denied"


def test_a_toolkit_and_specs_that_cannot_be_read_are_unknown_and_not_absent(machine, monkeypatch):
    def broken():
        raise OSError("gone")

    machine("t4")
    monkeypatch.setattr(probe_module, "read_toolkit", broken)
    monkeypatch.setattr(probe_module, "read_cdi", broken)
    host = probe()
    assert (host.toolkit, host.cdi) == (None, None)
    assert host.unknown["toolkit"] == host.unknown["cdi"] == "FAILED: OSError: gone"


AS_SOMEBODY = """
import os
from envcheck.documents import to_json
from envcheck.host.probe import probe
probe()  # everything is imported by now: what lies in root's folders is closed to the other
os.environ["HOME"] = "/nonexistent"
os.setgroups([]), os.setgid(1234), os.setuid(1234)
print(to_json(probe()))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else, to whom folders are closed")
def test_what_is_closed_to_somebody_is_unknown_and_takes_nothing_else_along(root):
    environ = {**os.environ, "PYTHONPATH": str(root)}
    argv = [sys.executable, "-c", AS_SOMEBODY]
    said = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    host = parse_json(said.stdout.encode(), Host, source="probe", schema=SCHEMA)
    assert [why for why in host.unknown.values() if why.startswith(("FAILED", "HANG"))] == []
    assert host.os.system == "Linux"
