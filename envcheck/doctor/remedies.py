"""Fixes that several checks share, in the words of the machine's own distribution."""

from __future__ import annotations

from dataclasses import replace

from envcheck.doctor.finding import Fix
from envcheck.host.facts import Host
from envcheck.symptoms.cards import BLACKLIST_NOUVEAU, NOUVEAU

_DEBIAN_FAMILY = ("debian", "ubuntu", "linuxmint", "pop")
_RED_HAT_FAMILY = ("fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn")

REBOOT = "sudo reboot"


def install_driver(host: Host) -> Fix:
    """Return how to install NVIDIA's driver; the distribution's packages also keep nouveau away."""
    text = "Install NVIDIA's driver and reboot."
    commands = {
        "ubuntu": ("sudo ubuntu-drivers install", REBOOT),
        "debian": ("sudo apt install nvidia-driver firmware-misc-nonfree", REBOOT),
    }.get(distribution(host), ())
    return Fix(text, commands, needs_root=True, reboot=True)


def install_open_module(host: Host, branch: int) -> Fix:
    """Return how to exchange the proprietary kernel modules for the open ones of `branch`."""
    text = f"Install the open kernel modules of driver branch R{branch} or newer and reboot."
    commands = {
        "ubuntu": (f"sudo apt install nvidia-driver-{branch}-open", REBOOT),
        "debian": ("sudo apt install nvidia-open-kernel-dkms", REBOOT),
    }.get(distribution(host), ())
    return Fix(text, commands, needs_root=True, reboot=True)


def banish_nouveau(host: Host) -> Fix:
    """Return how to keep nouveau from taking the card before NVIDIA's driver does."""
    name = distribution(host)
    rebuild = "sudo update-initramfs -u" if name in _DEBIAN_FAMILY else "sudo dracut --force"
    known = name in (*_DEBIAN_FAMILY, *_RED_HAT_FAMILY)
    return Fix(
        NOUVEAU.fix.text,
        (BLACKLIST_NOUVEAU, rebuild, REBOOT) if known else (BLACKLIST_NOUVEAU,),
        needs_root=True,
        reboot=True,
    )


def hand_over_gpus(text: str) -> Fix:
    """Return how the GPUs get into a container; nothing that is done inside brings them there."""
    return Fix(text, ("docker run --gpus all ...",))


def of_the_machine(host: Host, fix: Fix) -> Fix:
    """Return a fix that only the machine's own administrator can make; from a container, that is outside."""
    if host.os.container is None:
        return fix
    return replace(fix, text=f"On the machine outside: {fix.text[:1].lower()}{fix.text[1:]}")


def install_venv(host: Host, python: str) -> Fix:
    """Return how a Python gets its `venv` and `ensurepip`, which Debian ships apart from it."""
    if distribution(host) in _DEBIAN_FAMILY:
        package = f"python{python}-venv"
        return Fix(f"Install {package}.", (f"sudo apt install {package}",), needs_root=True)
    return Fix(f"Install a complete Python {python}.", (f"uv python install {python}",))


def distribution(host: Host) -> str:
    """Return the distribution's name without its version: "ubuntu"."""
    return (host.os.distribution or "").partition(" ")[0]
