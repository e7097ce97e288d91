"""Why the module is not loaded: the reason that the facts name, and the way out in the system's words."""

from __future__ import annotations

import pytest

from envcheck.doctor.check import Case
from envcheck.doctor.checks.driver import Loaded

MACHINE = "kernel-upgrade-without-module"


def look(machine, system="ubuntu 22.04", container=None, **kernel):
    host = machine(MACHINE, kernel=kernel, os={"distribution": system, "container": container})
    return Loaded().look(Case(host))


@pytest.mark.parametrize(
    ("kernel", "seen", "command"),
    [
        ({"headers": False}, "/build is missing", 'sudo apt install "linux-headers-$(uname -r)"'),
        ({"headers": False, "dkms": "added"}, "/build is missing", "sudo dkms autoinstall"),
        ({"headers": True, "dkms": "added"}, "not built for 6.8.0-49-generic", "sudo dkms autoinstall"),
        ({"headers": False, "dkms": "broken"}, "source of NVIDIA's module is gone", "dkms status"),
        ({"headers": True, "dkms": "installed", "secure_boot": True}, "SecureBoot: on", "mokutil --sb-state"),
        (
            {"headers": False, "dkms": "installed", "secure_boot": True},
            "SecureBoot: on",
            "mokutil --sb-state",
        ),
        ({"complaints": ("NVRM: No NVIDIA GPU found.",)}, "No NVIDIA GPU found", "sudo modprobe nvidia"),
    ],
)
def test_the_reason_is_seen_and_has_its_own_way_out(machine, kernel, seen, command):
    finding = look(machine, **kernel)
    assert finding.id == "driver.loaded"
    assert any(seen in one for one in finding.evidence)
    assert command in finding.fix.commands


def test_headers_that_are_there_are_not_installed_again(machine):
    finding = look(machine, headers=True, dkms="added")
    assert finding.fix.commands == ("sudo dkms autoinstall", "sudo modprobe nvidia")


def test_without_a_reason_the_usual_ones_are_named(machine):
    finding = look(machine, headers=True, dkms="installed", secure_boot=False)
    assert "Secure Boot" in finding.cause
    assert len(finding.evidence) == 2


def test_a_container_can_do_nothing_about_it(machine):
    finding = look(machine, container="docker", headers=False)
    assert finding.fix.commands == ("docker run --gpus all ...",)


@pytest.mark.parametrize(
    ("system", "first"),
    [
        ("fedora 41", 'sudo dnf install "kernel-devel-$(uname -r)"'),
        ("arch", "sudo pacman -Syu linux linux-headers"),
        ("gentoo", "sudo dkms autoinstall"),
    ],
)
def test_headers_come_from_the_distribution(machine, system, first):
    assert look(machine, system, headers=False, dkms="added").fix.commands[0] == first


def test_arch_upgrades_its_kernel_with_the_headers_and_starts_anew(machine):
    host = machine(MACHINE, os={"distribution": "arch", "kernel": "6.12.9-1-lts"}, kernel={"headers": False})
    fix = Loaded().look(Case(host)).fix
    assert fix.commands == ("sudo pacman -Syu linux-lts linux-lts-headers nvidia-open-dkms", "sudo reboot")
    assert fix.reboot


def test_where_dkms_knows_of_no_module_it_is_not_said_to_have_failed(machine):
    finding = look(machine, headers=False, dkms=None)
    assert "could not build" not in finding.cause
    assert finding.fix.commands[-1] == "sudo reboot"
    assert "sudo ubuntu-drivers install" in finding.fix.commands


@pytest.mark.parametrize("dkms", [None, "added"])
def test_secure_boot_is_named_beside_the_headers_that_are_missing(machine, dkms):
    finding = look(machine, headers=False, dkms=dkms, secure_boot=True)
    assert "EFI variable SecureBoot: on" in finding.evidence
    assert "Secure Boot is on, too" in finding.cause


def test_the_key_lies_where_the_distribution_keeps_it(machine):
    keys = {
        system: look(machine, system, secure_boot=True).fix.commands[1]
        for system in ("ubuntu 24.04", "debian 12")
    }
    assert keys["ubuntu 24.04"].endswith("/var/lib/shim-signed/mok/MOK.der")
    assert keys["debian 12"].endswith("/var/lib/dkms/mok.pub")
