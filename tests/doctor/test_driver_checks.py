"""The driver: its two halves, its silence and its slowness."""

from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.doctor.check import Case
from envcheck.doctor.checks.driver import (
    Answers,
    Hang,
    LibraryThere,
    Loaded,
    ModuleMatch,
    Present,
    Slow,
)
from envcheck.doctor.diagnose import diagnose
from envcheck.host.facts import PciDevice

CARD = (PciDevice("0000:01:00.0", "10de", "2204", None),)


def test_a_card_without_a_driver_is_an_error_and_no_card_no_question(machine):
    assert Present().look(Case(machine("laptop-without-nvidia", pci=CARD))).status == "error"
    assert Present().look(Case(machine("laptop-without-nvidia"))).status == "skip"
    assert Present().look(Case(machine("rtx3090-vfio"))).status == "skip"


def test_inside_a_container_the_driver_comes_from_outside(machine):
    host = machine("laptop-without-nvidia", pci=CARD, os={"container": "podman"})
    assert Present().look(Case(host)).fix.commands == ("podman run --device nvidia.com/gpu=all ...",)
    host = machine("laptop-without-nvidia", pci=CARD, os={"container": "kubernetes"})
    fix = Present().look(Case(host)).fix
    assert fix.commands == ()
    assert "limits: {nvidia.com/gpu: 1}" in fix.text
    host = machine("laptop-without-nvidia", pci=CARD, os={"container": "docker"})
    assert Present().look(Case(host)).fix.commands == ("docker run --gpus all ...",)


def test_a_driver_that_may_or_may_not_be_there_is_unknown(machine):
    host = machine("laptop-without-nvidia", unknown={"driver": "not asked"})
    assert Present().look(Case(host)).status == "unknown"


def test_a_mismatch_shows_both_versions_as_nvidia_writes_them(machine):
    finding = ModuleMatch().look(Case(machine("mismatch-after-upgrade")))
    assert finding.status == "error"
    assert finding.evidence == (
        "NVML: Driver/library version mismatch",
        "library 460.73.01",
        "kernel module 460.56 (/sys/module/nvidia/version)",
    )
    assert finding.fix.reboot


def test_two_versions_that_differ_are_a_mismatch_though_nvml_still_works(machine):
    host = machine("rtx3090-driver550", driver={"module_version": Version("550.54.15")})
    assert ModuleMatch().look(Case(host)).status == "error"


def test_a_mismatch_in_a_container_is_mended_by_restarting_it_first(machine):
    fix = ModuleMatch().look(Case(machine("mismatch-after-upgrade", os={"container": "docker"}))).fix
    assert fix.text.startswith("Restart the container")
    assert not fix.needs_root


def test_wsl_and_jetson_have_no_module_to_compare(machine):
    assert ModuleMatch().look(Case(machine("wsl2-rtx5090"))).status == "skip"
    assert Loaded().look(Case(machine("wsl2-rtx5090"))).status == "skip"
    assert ModuleMatch().look(Case(machine("jetson-orin"))).status == "skip"


def test_a_leftover_library_without_a_card_needs_no_module(machine):
    host = machine("kernel-upgrade-without-module", pci=(), gpus=())
    assert Loaded().look(Case(host)).status == "skip"


def test_a_library_that_is_broken_is_not_to_be_had(machine):
    broken = "LIBRARY_NOT_LOADED: libnvidia-ml.so.1: file too short"
    finding = LibraryThere().look(Case(machine("a100-hang", unknown={"gpus": broken})))
    assert finding.status == "error"
    assert finding.evidence[0] == f"NVML: {broken}"
    assert finding.fix.needs_root


def test_a_hang_and_a_crash_are_told_apart_and_shown_once(machine):
    hang = Hang().look(Case(machine("a100-hang")))
    assert hang.title == "The driver does not answer"
    assert hang.evidence == ("HANG: no answer within 60 s when asked for nvml",)
    crash = Hang().look(
        Case(machine("a100-lost", unknown={"gpus[0].name": "CRASH: SIGSEGV when asked for gpus[0].name"}))
    )
    assert crash.title == "The driver's library crashed"


@pytest.mark.parametrize("why", ["NO_PERMISSION", "UNKNOWN", "ERROR_4711", "NOT_ASKED: no such file"])
def test_any_other_silence_is_shown_in_nvmls_own_word(machine, why):
    finding = Answers().look(Case(machine("a100-hang", unknown={"gpus": why})))
    assert (finding.status, finding.evidence) == ("error", (f"NVML: {why}",))


def test_silence_without_a_reason_is_unknown(machine):
    assert Answers().look(Case(machine("a100-hang", unknown={}))).status == "unknown"


@pytest.mark.parametrize(("seconds", "status"), [(8.0, "ok"), (8.5, "warn")])
def test_a_second_for_each_of_eight_gpus_is_the_limit(machine, seconds, status):
    assert Slow().look(Case(machine("a100x8-slow", driver={"nvml_seconds": seconds}))).status == status


@pytest.mark.parametrize(
    ("container", "selinux", "said", "command"),
    [
        ("docker", None, "UNKNOWN", "docker restart CONTAINER"),
        ("podman", None, "NO_PERMISSION", "podman run --security-opt label=disable ..."),
        ("docker", "enforcing", "NO_PERMISSION", "podman run --security-opt label=disable ..."),
        ("docker", None, "NO_PERMISSION", "nvidia-smi"),
        (None, "enforcing", "NO_PERMISSION", "nvidia-smi"),
        (None, None, "UNKNOWN", "nvidia-smi"),
    ],
)
def test_a_container_that_lost_its_gpus_is_told_how_it_gets_them_back(
    machine, container, selinux, said, command
):
    host = machine(
        "rtx3090-driver550",
        gpus=None,
        os={"container": container},
        kernel={"selinux": selinux, "complaints": ("NVRM: RmInitAdapter failed!",)},
        unknown={"gpus": said},
    )
    finding = Answers().look(Case(host))
    assert (finding.status, finding.fix.commands[0]) == ("error", command)
    assert finding.evidence == (f"NVML: {said}", "kernel log: NVRM: RmInitAdapter failed!")
    assert finding.link


@pytest.mark.parametrize("name", ["jetson-orin-jetpack5", "jetson-nano-jetpack4"])
def test_a_jetson_before_jetpack_6_has_no_nvml_to_reinstall(machine, name):
    diagnosis = diagnose(machine(name))
    assert LibraryThere().look(Case(machine(name))).status == "skip"
    assert diagnosis.primary.id == "system.jetson"


def test_beside_the_reboot_stands_what_does_without_and_what_prevents_the_next_mismatch(machine):
    text = ModuleMatch().look(Case(machine("mismatch-after-upgrade"))).fix.text
    assert "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia" in text
    assert "apt-mark hold" in text
