"""What NVML says of each GPU's state, and that a GPU with trouble costs the others nothing."""

from __future__ import annotations

import pynvml
import pytest

from envcheck.host.facts import Gpu, GpuProcess, MemoryHealth, PcieLink
from envcheck.host.library import read_library
from envcheck.host.nvml_state import CLOCK_REASONS, COMPUTE_MODES

GPU = b"driver 550.54.15\ncuda 12040\ngpu\nname NVIDIA A10\nbrand 14\nbus 00000000:01:00.0\n"
TWO = (
    b"driver 550.54.15\ncuda 12040\n"
    b"gpu\nname first\nbus 00000000:01:00.0\n%s\ngpu\nname second\nbus 00000000:02:00.0\n%s\n"
)


@pytest.fixture
def only_gpu(nvml_machine):
    """Return a function that makes one GPU from lines of a machine file and returns it with its reasons."""

    def read(lines: bytes, library: str = "new") -> tuple[Gpu, dict[str, str]]:
        nvml_machine(GPU + lines, library=library)
        said = read_library()
        return said.gpus[0], said.unknown

    return read


def test_four_gpus_of_a_server_each_with_its_own_state(nvml_machine):
    nvml_machine("hgx")
    said = read_library(limit_s=2)
    well, ill, silent, last = said.gpus
    assert well.memory_health == MemoryHealth(
        ecc=True, uncorrected=0, remap_pending=False, remap_failed=False
    )
    assert (well.slowed_by, well.nvlinks) == (("gpu idle",), (True,) * 18)
    assert (well.fabric, well.fabric_status, well.processes) == ("completed", "success", ())
    assert (well.memory_free_mib, well.utilization, well.persistence) == (81559, 0, True)
    assert ill.memory_health == MemoryHealth(ecc=True, uncorrected=3, remap_pending=True, remap_failed=True)
    assert ill.slowed_by == (
        "hw slowdown",
        "sw thermal slowdown",
        "hw thermal slowdown",
        "hw power brake slowdown",
        "reason 0x1000",
    )
    assert ill.pcie == PcieLink(generation=3, width=8, most_generation=5, most_width=16)
    assert ill.nvlinks == (True, True, False, *(True,) * 15)
    assert (ill.fabric, ill.fabric_status) == ("completed", "unknown error")
    assert (ill.memory_free_mib, ill.utilization, ill.persistence) == (2000, 99, False)
    assert ill.compute_mode == "exclusive process"
    assert ill.processes == (
        GpuProcess(pid=100, name="python", memory_mib=70000),
        GpuProcess(pid=101, name="other", memory_mib=500),
    )
    assert (silent.uuid, silent.memory_free_mib) == ("GPU-5c0d2f1e-0b7a-4f2b-8a44-7f0f1b2f9a03", 81559)
    assert (silent.utilization, silent.processes) == (None, None)
    reason = "HANG: no answer within 2 s when asked for gpus[2].utilization"
    assert said.unknown["gpus[2].utilization"] == said.unknown["gpus[2].processes"] == reason
    assert (last.name, last.fabric, last.fabric_status) == ("NVIDIA H100 80GB HBM3", "not started", None)
    assert {path[:7] for path in said.unknown} == {"gpus[2]", "driver."}
    assert said.unknown["driver.nvml_seconds"] == reason


@pytest.mark.parametrize("trouble", [b"hang", b"crash"])
def test_every_gpu_in_trouble_is_unknown_for_itself_and_the_next_is_asked(nvml_machine, trouble):
    bad = trouble + b" nvmlDeviceGetName"
    nvml_machine((TWO % (bad, bad)) + b"gpu\nname third\nbus 00000000:03:00.0\n")
    said = read_library(limit_s=1.5)
    assert [gpu.name for gpu in said.gpus] == [None, None, "third"]
    assert {place: said.unknown[f"gpus[{place}].name"].rpartition(" ")[2] for place in (0, 1)} == {
        0: "gpus[0].name",
        1: "gpus[1].name",
    }
    assert said.unknown["gpus[1].name"].startswith(trouble.decode().upper())
    assert [gpu.index for gpu in said.gpus] == [0, 1, 2]


def test_a_gpu_that_hangs_before_it_says_anything_has_one_reason(nvml_machine):
    nvml_machine(TWO % (b"hang nvmlDeviceGetHandleByIndex_v2", b""))
    said = read_library(limit_s=1.5)
    assert said.gpus[0] == Gpu(index=0)
    assert [why for path, why in said.unknown.items() if path.startswith("gpus[0]")] == [
        "HANG: no answer within 1.5 s when asked for gpus[0]"
    ]
    assert said.gpus[1].name == "second"


def test_slow_gpus_have_their_own_time_each(nvml_machine):
    slow = b"slow nvmlDeviceGetName 1.2"
    nvml_machine((TWO % (slow, slow)) + b"gpu\nname third\nslow nvmlDeviceGetName 1.2\n")
    said = read_library(limit_s=2.5)
    assert [gpu.name for gpu in said.gpus] == ["first", "second", "third"]
    assert said.seconds > 3.6


def test_what_a_gpu_has_not_is_no_open_question(only_gpu):
    gpu, unknown = only_gpu(b"utilization 0\npersistence 0\ncompute_mode 0\nclocks 0\npcie 1 16 4 16\n")
    assert gpu.memory_health == MemoryHealth(ecc=False)
    assert (gpu.nvlinks, gpu.fabric, gpu.license, gpu.slowed_by) == ((), "none", "none", ())
    assert unknown == {}


@pytest.mark.parametrize(
    ("line", "fact", "reason"),
    [
        (b"fail nvmlDeviceGetEccMode 4", "memory_health.ecc", "NO_PERMISSION"),
        (b"ecc 1\nfail nvmlDeviceGetTotalEccErrors 999", "memory_health.uncorrected", "UNKNOWN"),
        (b"fail nvmlDeviceGetMaxPcieLinkWidth 4\npcie 4 16 4 16", "pcie", "NO_PERMISSION"),
        (b"fail nvmlDeviceGetNvLinkState 999", "nvlinks", "UNKNOWN"),
        (b"fail nvmlDeviceGetGpuFabricInfoV 999", "fabric", "UNKNOWN"),
        (b"fail nvmlDeviceGetComputeRunningProcesses_v3 4", "processes", "NO_PERMISSION"),
        (b"compute_mode 9", "compute_mode", "NO_NAME: compute mode 9"),
        (b"fabric 7", "fabric", "NO_NAME: fabric state 7"),
        (b"licensed 1\nfail nvmlDeviceGetGridLicensableFeatures_v4 13", "license", "FUNCTION_NOT_FOUND"),
    ],
)
def test_a_call_that_fails_is_its_own_facts_reason(only_gpu, line, fact, reason):
    gpu, unknown = only_gpu(line + b"\n")
    assert unknown[f"gpus[0].{fact}"] == reason
    assert gpu.name == "NVIDIA A10"


@pytest.mark.parametrize(
    ("line", "licensed"), [(b"licensed 1\n", "licensed"), (b"licensed 0\n", "unlicensed"), (b"", "none")]
)
def test_a_virtual_gpu_has_its_licence_or_not(only_gpu, line, licensed):
    assert only_gpu(line)[0].license == licensed


def test_an_older_library_says_its_fabric_by_the_older_call(only_gpu):
    lines = b"fabric 2\nfail nvmlDeviceGetGpuFabricInfoV 13\n"
    gpu, unknown = only_gpu(lines)
    assert (gpu.fabric, gpu.fabric_status) == ("in progress", None)
    assert not [path for path in unknown if "fabric" in path]


@pytest.mark.parametrize(("rows", "pending", "failed"), [(b"1 0", True, False), (b"0 1", False, True)])
def test_rows_that_wait_to_be_exchanged_and_those_that_cannot_be_are_two_things(
    only_gpu, rows, pending, failed
):
    gpu, _ = only_gpu(b"ecc 1\nuncorrected 0\nremap " + rows + b"\n")
    assert (gpu.memory_health.remap_pending, gpu.memory_health.remap_failed) == (pending, failed)


def test_a_long_path_of_a_program_is_its_name_and_no_more_of_it_than_fits_a_line(only_gpu):
    gpu, _ = only_gpu(b"process 7 64 /home/somebody/bin/" + b"x" * 70 + b"\n")
    assert gpu.processes[0].name == "x" * 70


def test_pages_that_wait_to_be_retired_are_told_on_gpus_before_ampere(only_gpu):
    assert only_gpu(b"ecc 1\nuncorrected 0\nretirement_pending 1\n")[0].memory_health == MemoryHealth(
        ecc=True, uncorrected=0, retirement_pending=True
    )


def test_processes_are_counted_without_mps_where_the_library_does_not_know_it(only_gpu):
    gpu, _ = only_gpu(b"process 7 64 train\nfail nvmlDeviceGetMPSComputeRunningProcesses_v3 3\n")
    assert gpu.processes == (GpuProcess(pid=7, name="train", memory_mib=64),)


def test_a_process_whose_name_is_not_told_is_a_process(nvml_machine):
    nvml_machine(b"fail nvmlSystemGetProcessName 4\n" + GPU + b"process 7 64 train\n")
    (gpu,) = read_library().gpus
    assert gpu.processes == (GpuProcess(pid=7, memory_mib=64),)


def test_an_nvidia_ml_py_that_is_older_than_a_question_makes_it_unknown_and_asks_the_older_ones(
    nvml_machine, tmp_path, monkeypatch
):
    """As release 12.535 is: no second question for the fabric, no older one for processes."""
    missing = {
        "nvmlDeviceGetGpuFabricInfoV",
        "c_nvmlGpuFabricInfoV_t",
        "nvmlDeviceGetComputeRunningProcesses_v2",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
        "nvmlDeviceGetGridLicensableFeatures_v4",
    }
    (tmp_path / "pynvml.py").write_text(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('whole', {pynvml.__file__!r})\n"
        "sys.modules['whole'] = whole = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(whole)\n"
        f"globals().update({{k: v for k, v in vars(whole).items() if k not in {missing!r}}})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    nvml_machine(GPU + b"fabric 3 0\nlicensed 1\nprocess 7 64 train\nmps 8 64 other\n")
    said = read_library()
    (gpu,) = said.gpus
    assert (gpu.fabric, gpu.fabric_status) == ("completed", "success")
    assert gpu.processes == (GpuProcess(pid=7, name="train", memory_mib=64),)
    assert said.unknown["gpus[0].license"] == "FUNCTION_NOT_FOUND"


def test_compute_modes_and_reasons_are_named_as_pynvml_numbers_them():
    modes = {
        value: name.removeprefix("NVML_COMPUTEMODE_").replace("_", " ").lower()
        for name, value in vars(pynvml).items()
        if name.startswith("NVML_COMPUTEMODE_") and not name.endswith("_COUNT")
    }
    assert modes == COMPUTE_MODES
    prefix = "nvmlClocksThrottleReason"
    reasons = {
        value: name.removeprefix(prefix).lower()
        for name, value in vars(pynvml).items()
        if name.startswith(prefix) and value and not name.endswith(("All", "None", "UserDefinedClocks"))
    }
    ours = {bit: name.replace(" ", "") for bit, name in CLOCK_REASONS.items()}
    assert {bit: ours[bit] for bit in reasons} == reasons
