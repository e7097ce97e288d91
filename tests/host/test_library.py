"""NVML through pynvml's real loading path: the library behind it is our own (tests/nvml)."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys

import pynvml
import pytest
from packaging.version import Version

from envcheck.host.facts import Gpu, GpuProcess, MemoryHealth, Mig, MigInstance, PcieLink
from envcheck.host.library import child, read_library
from envcheck.host.nvml import BRANDS
from tests.nvml.fixtures import SONAME


def test_the_fake_library_has_the_layouts_that_pynvml_hands_over(nvml_folders):
    fake = ctypes.CDLL(str(nvml_folders["new"] / SONAME))
    layouts = {
        "memory": pynvml.c_nvmlMemory_t,
        "pci_info": pynvml.nvmlPciInfo_t,
        "utilization": pynvml.c_nvmlUtilization_t,
        "process_info": pynvml.c_nvmlProcessInfo_v3_t,
        "fabric_info": pynvml.c_nvmlGpuFabricInfo_t,
        "fabric_info_v2": pynvml.c_nvmlGpuFabricInfo_v2_t,
        "licensable_features": pynvml.c_nvmlGridLicensableFeatures_v4_t,
    }
    sizes = {name: ctypes.c_ulong.in_dll(fake, f"fake_nvml_sizeof_{name}").value for name in layouts}
    assert sizes == {name: ctypes.sizeof(layout) for name, layout in layouts.items()}


def test_a_t4_answers_every_question(nvml_machine):
    nvml_machine("t4")
    said = read_library()
    assert said.found
    assert (said.version, said.cuda, said.libcuda) == (
        Version("535.161.07"),
        Version("12.2"),
        Version("12.2"),
    )
    assert said.gpus == (
        Gpu(
            index=0,
            uuid="GPU-2d8d1a6c-6b0e-4d3c-9a57-0f6f6a1c1f10",
            name="Tesla T4",
            brand="tesla",
            compute_capability=Version("7.5"),
            memory_mib=15360,
            mig=None,
            pci_address="0000:00:1e.0",
            memory_free_mib=14848,
            utilization=37,
            persistence=False,
            compute_mode="default",
            slowed_by=("sw power cap",),
            memory_health=MemoryHealth(ecc=True, uncorrected=0, retirement_pending=False),
            pcie=PcieLink(generation=3, width=8, most_generation=3, most_width=16),
            nvlinks=(),
            fabric="none",
            license="none",
            processes=(GpuProcess(pid=4194999, name="python3", memory_mib=512),),
        ),
    )
    assert said.seconds is not None
    assert said.unknown == {}


def test_mig_slices_are_listed_and_an_empty_place_is_passed_over(nvml_machine):
    nvml_machine("h100-mig")
    split, whole = read_library().gpus
    assert split.mig == Mig(
        enabled=True,
        instances=(
            MigInstance(
                "MIG-7a3f8f5c-42d5-5f0a-9a52-2b9d4c0b7e11", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 40448
            ),
            MigInstance(
                "MIG-1f9c2f0b-9d0e-5c34-8f61-6e2d0b4c9a22", "NVIDIA H100 80GB HBM3 MIG 2g.20gb", 20096
            ),
            MigInstance(
                "MIG-c2b8a7d4-5e1f-5b60-a7c8-0d3e9f6a1b33", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9984
            ),
        ),
    )
    assert whole.mig == Mig(enabled=False)
    assert whole.compute_capability == Version("9.0")


def test_every_gpu_of_a_mixed_machine_has_its_own_facts(nvml_machine):
    nvml_machine("gtx1080ti-rtx5090")
    said = read_library()
    assert [(gpu.index, gpu.name, gpu.brand, str(gpu.compute_capability)) for gpu in said.gpus] == [
        (0, "NVIDIA GeForce GTX 1080 Ti", "geforce", "6.1"),
        (1, "NVIDIA GeForce RTX 5090", "geforce", "12.0"),
    ]
    assert said.cuda == Version("13.0")


def test_a_driver_without_devices_lists_none(nvml_machine):
    nvml_machine("no-device")
    said = read_library()
    assert said.gpus == ()
    assert said.version == Version("575.57.08")
    assert said.unknown == {}


@pytest.mark.parametrize(
    ("machine", "reason"), [("mismatch", "LIB_RM_VERSION_MISMATCH"), ("no-driver", "DRIVER_NOT_LOADED")]
)
def test_a_library_that_does_not_open_is_the_reason_of_all_that_is_missing(nvml_machine, machine, reason):
    nvml_machine(machine)
    said = read_library()
    assert said.found
    assert (said.cuda, said.gpus) == (None, None)
    assert said.unknown["driver.cuda"] == said.unknown["gpus"] == reason


def test_the_version_of_a_library_that_does_not_open_is_read_from_its_file_name(
    nvml_machine, nvml_folders, tmp_path
):
    shutil.copy(nvml_folders["new"] / SONAME, tmp_path / "libnvidia-ml.so.560.35.03")
    (tmp_path / SONAME).symlink_to("libnvidia-ml.so.560.35.03")
    nvml_machine("mismatch", folder=tmp_path)
    said = read_library()
    assert said.version == Version("560.35.03")
    assert said.unknown["gpus"] == "LIB_RM_VERSION_MISMATCH"


def test_unanswered_questions_are_unknown_with_their_reason_and_the_others_stand(nvml_machine):
    nvml_machine("half-not-supported")
    said = read_library()
    (gpu,) = said.gpus
    assert (gpu.name, gpu.compute_capability) == ("NVIDIA GB10", Version("12.1"))
    assert (gpu.memory_mib, gpu.brand, gpu.pci_address, gpu.mig) == (None, None, None, None)
    assert said.unknown == {
        "gpus[0].memory_mib": "NOT_SUPPORTED",
        "gpus[0].brand": "NOT_SUPPORTED",
        "gpus[0].pci_address": "NOT_SUPPORTED",
        "gpus[0].memory_free_mib": "NOT_SUPPORTED",
        "gpus[0].utilization": "NOT_SUPPORTED",
        "gpus[0].persistence": "NOT_SUPPORTED",
        "gpus[0].compute_mode": "NOT_SUPPORTED",
        "gpus[0].slowed_by": "NOT_SUPPORTED",
        "gpus[0].pcie": "NOT_SUPPORTED",
    }


def test_a_lost_gpu_keeps_its_place_and_one_reason(nvml_machine):
    nvml_machine("lost-gpu")
    said = read_library()
    assert said.gpus[0] == Gpu(index=0)
    assert said.gpus[1].name == "NVIDIA A100-SXM4-80GB"
    assert said.gpus[1].pci_address == "10000:00:00.0"
    assert said.unknown == {"gpus[0]": "GPU_IS_LOST", "gpus[1].compute_capability": "NO_PERMISSION"}


def test_a_library_from_before_mig_is_asked_the_older_questions(nvml_machine):
    nvml_machine("t4", library="old")
    said = read_library()
    assert said.cuda == Version("12.2")
    assert said.libcuda is None
    assert said.gpus[0].mig is None
    assert said.gpus[0].slowed_by == ("sw power cap",)
    assert said.gpus[0].processes == (GpuProcess(pid=4194999, name="python3", memory_mib=512),)
    assert said.unknown == dict.fromkeys(
        (
            "driver.libcuda",
            "gpus[0].memory_health.remap_pending",
            "gpus[0].memory_health.remap_failed",
            "gpus[0].fabric",
            "gpus[0].fabric_status",
        ),
        "FUNCTION_NOT_FOUND",
    )


def test_the_driver_and_libcuda_are_asked_for_their_cuda_each(nvml_machine):
    nvml_machine(b"driver 535.161.07\ncuda 12020\nlibcuda 12090\n")
    said = read_library()
    assert (said.cuda, said.libcuda) == (Version("12.2"), Version("12.9"))


def test_without_libcuda_the_driver_still_says_its_cuda(nvml_machine):
    nvml_machine(b"driver 535.161.07\ncuda 12020\nfail nvmlSystemGetCudaDriverVersion_v2 12\n")
    said = read_library()
    assert (said.cuda, said.libcuda) == (Version("12.2"), None)
    assert said.unknown == {"driver.libcuda": "LIBRARY_NOT_FOUND"}


def test_a_hang_keeps_what_was_known_and_names_the_question(nvml_machine):
    nvml_machine("hang")
    said = read_library(limit_s=5)
    assert said.version == Version("550.54.15")
    first, second = said.gpus
    assert first.pci_address == "0000:07:00.0"
    assert (second.name, second.memory_mib) == ("NVIDIA A100-SXM4-80GB", None)
    reason = "HANG: no answer within 5 s when asked for gpus[1].memory_mib"
    assert said.unknown["gpus[1].memory_mib"] == said.unknown["gpus[1].pci_address"] == reason
    assert not any(path.startswith("gpus[0]") for path in said.unknown)


def test_a_hang_in_the_first_call_leaves_the_gpus_unknown(nvml_machine):
    nvml_machine(b"hang nvmlInitWithFlags\n")
    said = read_library(limit_s=3)
    assert said.gpus is None
    assert said.unknown["gpus"] == "HANG: no answer within 3 s when asked for nvml"


def test_a_crash_of_the_library_is_a_fact(nvml_machine):
    nvml_machine("crash")
    said = read_library()
    assert said.gpus[0].uuid == "GPU-b6a5f4e3-d2c1-4b0a-9f8e-7d6c5b4a3903"
    assert said.gpus[0].name is None
    assert said.unknown["gpus[0].name"] == "CRASH: SIGSEGV when asked for gpus[0].name"


def test_ctrl_c_ends_a_child_that_hangs_inside_the_library(nvml_machine):
    nvml_machine(b"hang nvmlInitWithFlags\n")
    with subprocess.Popen(child(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
        assert started.stderr.readline() == b"fake_nvml: nvmlInitWithFlags hangs\n"
        started.send_signal(signal.SIGINT)
        assert started.wait(timeout=30) == -signal.SIGINT


def test_a_name_with_a_broken_byte_is_still_a_name(nvml_machine):
    nvml_machine(b"driver 550.54.15\ncuda 12040\ngpu\nname Tesla \xff T4\nbrand 2\nbus 00000000:01:00.0\n")
    assert read_library().gpus[0].name == "Tesla \N{REPLACEMENT CHARACTER} T4"


def test_a_brand_and_a_version_that_nobody_knows_are_unknown_by_name(nvml_machine):
    nvml_machine(b"driver five-fifty\ncuda 12040\ngpu\nbrand 77\nbus 00000000:01:00.0\n")
    said = read_library()
    assert said.version is None
    assert said.gpus[0].brand is None
    assert said.unknown["driver.version"] == "NOT_A_VERSION: five-fifty"
    assert said.unknown["gpus[0].brand"] == "NO_NAME: brand 77"


def test_a_file_that_is_no_library_was_found_but_not_loaded(nvml_machine, tmp_path):
    (tmp_path / SONAME).write_text("")
    nvml_machine("t4", folder=tmp_path)
    said = read_library()
    assert said.found
    assert said.unknown["gpus"].startswith("LIBRARY_NOT_LOADED: ")


def test_no_library_is_no_driver_whether_the_loader_says_so_or_loading_does(monkeypatch, lay_out):
    try:
        ctypes.CDLL(SONAME)
    except OSError:
        pass
    else:
        pytest.skip("this machine has a real NVML: a missing one is not verified here")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    said = read_library(lay_out({"etc": None}))  # without the loader's cache it is tried
    assert not said.found
    assert said.unknown["gpus"] == "LIBRARY_NOT_FOUND"
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert read_library() == said, "nobody was asked"


def test_a_python_that_does_not_start_asks_nothing(nvml_machine, monkeypatch):
    nvml_machine("t4")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    said = read_library()
    assert said.gpus is None
    assert said.unknown["gpus"] == "NOT_ASKED: No such file or directory"


def test_the_child_imports_nothing_of_the_users_own(nvml_machine, tmp_path, monkeypatch):
    nvml_machine("t4")
    for name in ("pynvml.py", "sitecustomize.py"):
        (tmp_path / name).write_text("import os; os._exit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert [gpu.name for gpu in read_library().gpus] == ["Tesla T4"]


def test_brands_are_named_as_pynvml_numbers_them():
    aliases = {"NVML_BRAND_UNKNOWN", "NVML_BRAND_COUNT", "NVML_BRAND_NVIDIA_VGAMING"}
    theirs = {
        value: name.removeprefix("NVML_BRAND_").replace("_", " ").lower()
        for name, value in vars(pynvml).items()
        if name.startswith("NVML_BRAND_") and name not in aliases
    }
    assert {number: BRANDS[number] for number in theirs} == theirs
