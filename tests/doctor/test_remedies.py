"""Fixes in the words of the distribution: each family has its own, and what is not known gets no command."""

from __future__ import annotations

import pytest

from envcheck.doctor.remedies import banish_nouveau, install_driver, install_open_module


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


def test_a_distribution_that_is_not_known_gets_no_command_of_another(machine):
    host = machine("rtx3090-nouveau", os={"distribution": "gentoo"})
    assert install_driver(host).commands == install_open_module(host, 575).commands == ()
    assert len(banish_nouveau(host).commands) == 1
