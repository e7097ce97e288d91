"""Fixes in the words of the distribution: each family has its own, and what is not known gets no command."""

from __future__ import annotations

import pytest

from envcheck.doctor.remedies import (
    banish_nouveau,
    install_driver,
    install_open_module,
    install_proprietary_module,
)
from envcheck.host.facts import PciDevice


@pytest.mark.parametrize(
    ("distribution", "driver", "open_module", "initramfs"),
    [
        ("ubuntu 24.04", "sudo ubuntu-drivers install", "nvidia-driver-575-open", "update-initramfs"),
        ("debian 12", "apt install nvidia-driver", "nvidia-open-kernel-dkms", "update-initramfs"),
        ("fedora 43", "dnf install nvidia-open", "dnf install nvidia-open", "dracut"),
        ("rhel 9.6", "dnf install nvidia-open", "dnf install nvidia-open", "dracut"),
        ("arch", "pacman -S nvidia-open", "pacman -S nvidia-open", "mkinitcpio"),
    ],
)
def test_a_driver_is_installed_as_the_distribution_does_it(
    machine, distribution, driver, open_module, initramfs
):
    host = machine("rtx3090-nouveau", os={"distribution": distribution})
    for fix, command in (
        (install_driver(host), driver),
        (install_open_module(host, 575), open_module),
    ):
        assert command in fix.commands[0]
        assert fix.commands[-1] == "sudo reboot"
        assert fix.needs_root
        assert fix.reboot
    assert initramfs in banish_nouveau(host).commands[1]


@pytest.mark.parametrize(
    ("distribution", "device", "command", "words"),
    [
        ("rhel 9.6", "1db4", "sudo dnf install cuda-drivers", "R580, the last for this card"),  # V100
        ("fedora 43", "1db4", "sudo dnf install cuda-drivers", "R580"),
        ("arch", "1db4", None, "nvidia-580xx-dkms"),
        ("arch", "102d", None, "nvidia-470xx-dkms"),  # K80
        ("ubuntu 24.04", "1db4", "sudo ubuntu-drivers install", "R580"),
        ("rhel 9.6", "2204", "sudo dnf install nvidia-open", "repository"),  # RTX 3090
        ("arch", "2204", "sudo pacman -S nvidia-open nvidia-utils", "and reboot."),
    ],
)
def test_a_card_before_turing_is_not_given_the_open_modules(machine, distribution, device, command, words):
    host = machine("rtx3090-nouveau", os={"distribution": distribution})
    fix = install_driver(host, (PciDevice("0000:01:00.0", "10de", device, None),))
    assert fix.commands[:1] == ((command,) if command else ())
    assert words in fix.text
    assert ("before Turing" in fix.text) is False


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("ubuntu 24.04", "sudo apt install nvidia-driver-580"),
        ("debian 12", "sudo apt install nvidia-kernel-dkms"),
        ("rhel 9.6", "sudo dnf install --allowerasing cuda-drivers"),
        ("arch", None),
    ],
)
def test_the_proprietary_modules_come_back(machine, distribution, command):
    fix = install_proprietary_module(machine("v100-open-module", os={"distribution": distribution}), 580)
    assert fix.commands == ((command, "sudo reboot") if command else ())


def test_a_distribution_that_is_not_known_gets_no_command_of_another(machine):
    host = machine("rtx3090-nouveau", os={"distribution": "gentoo"})
    assert install_driver(host).commands == install_open_module(host, 575).commands == ()
    assert len(banish_nouveau(host).commands) == 1
