"""Fixes that several checks share, in the words of the machine's own distribution."""

from __future__ import annotations

from dataclasses import replace

from envcheck.doctor.finding import Fix
from envcheck.host.facts import Host
from envcheck.symptoms import Action
from envcheck.symptoms.cards import BLACKLIST_NOUVEAU, NOUVEAU
from envcheck.symptoms.packages import COMPILER

_DEBIAN_FAMILY = ("debian", "ubuntu", "linuxmint", "pop")
_RED_HAT_FAMILY = ("fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn")
_ARCH_FAMILY = ("arch", "manjaro", "endeavouros", "cachyos")

REBOOT = "sudo reboot"


def install_driver(host: Host) -> Fix:
    """Return how to install NVIDIA's driver; the distribution's packages also keep nouveau away."""
    name = distribution(host)
    text = "Install NVIDIA's driver and reboot."
    if name in _RED_HAT_FAMILY:
        text = (
            "Install NVIDIA's driver from NVIDIA's repository (see the link), and reboot; a card before"
            " Turing needs cuda-drivers instead."
        )
    elif name in _ARCH_FAMILY:
        text = (
            "Install NVIDIA's driver and reboot; a card before Turing needs nvidia-580xx-dkms from the AUR."
        )
    packages = {
        **dict.fromkeys(("ubuntu", "linuxmint"), "sudo ubuntu-drivers install"),
        "debian": "sudo apt install nvidia-driver firmware-misc-nonfree",
        **_open_modules(),
    }
    commands = (packages[name], REBOOT) if name in packages else ()
    return Fix(text, commands, needs_root=True, reboot=True)


def install_open_module(host: Host, branch: int) -> Fix:
    """Return how to exchange the proprietary kernel modules for the open ones of `branch`."""
    name = distribution(host)
    packages = {
        "ubuntu": f"sudo apt install nvidia-driver-{branch}-open",
        "debian": "sudo apt install nvidia-open-kernel-dkms",
        **_open_modules(),
    }
    text = f"Install the open kernel modules of driver branch R{branch} or newer and reboot."
    return Fix(text, (packages[name], REBOOT) if name in packages else (), needs_root=True, reboot=True)


def _open_modules() -> dict[str, str]:
    """Return how the open modules and the driver with them are installed where one package brings both.

    Source: NVIDIA's driver installation guide (its repository), and Arch's announcement of R590.
    """
    return {
        **dict.fromkeys(_RED_HAT_FAMILY, "sudo dnf install nvidia-open"),
        **dict.fromkeys(_ARCH_FAMILY, "sudo pacman -S nvidia-open nvidia-utils"),
    }


def banish_nouveau(host: Host) -> Fix:
    """Return how to keep nouveau from taking the card before NVIDIA's driver does."""
    rebuild = {
        **dict.fromkeys(_DEBIAN_FAMILY, "sudo update-initramfs -u"),
        **dict.fromkeys(_RED_HAT_FAMILY, "sudo dracut --force"),
        **dict.fromkeys(_ARCH_FAMILY, "sudo mkinitcpio -P"),
    }.get(distribution(host))
    return Fix(
        NOUVEAU.fix.text,
        (BLACKLIST_NOUVEAU, rebuild, REBOOT) if rebuild else (BLACKLIST_NOUVEAU,),
        needs_root=True,
        reboot=True,
    )


def remove_driver(host: Host) -> Fix:
    """Return how to take a Linux driver out of WSL, which brings one of its own."""
    commands = ("sudo apt purge '^(lib)?nvidia-.*'",) if distribution(host) in _DEBIAN_FAMILY else ()
    return Fix(
        "Remove NVIDIA's Linux driver from WSL, take its folder out of LD_LIBRARY_PATH, and restart WSL.",
        (*commands, "wsl --shutdown"),
        needs_root=True,
    )


def build_module(host: Host, *, with_headers: bool) -> Fix:
    """Return how DKMS comes to build the driver's modules for the running kernel."""
    name = distribution(host)
    build = ("sudo dkms autoinstall", "sudo modprobe nvidia")
    headers: tuple[str, ...] = ()
    if with_headers and name in _DEBIAN_FAMILY:
        headers = ('sudo apt install "linux-headers-$(uname -r)"',)
    elif with_headers and name in _RED_HAT_FAMILY:
        headers = ('sudo dnf install "kernel-devel-$(uname -r)"',)
    elif with_headers and name in _ARCH_FAMILY:
        headers = ("sudo pacman -S linux-headers",)
    text = "Install the running kernel's headers, then build" if with_headers else "Build"
    return Fix(f"{text} the module and load it.", (*headers, *build), needs_root=True)


def enrol_key(host: Host) -> Fix:
    """Return how Secure Boot comes to trust the key by which DKMS signs."""
    key = {
        "ubuntu": "/var/lib/shim-signed/mok/MOK.der",
        "debian": "/var/lib/dkms/mok.pub",
    }.get(distribution(host), "/var/lib/dkms/mok.pub")
    return Fix(
        "Enrol the key that signs the module, and confirm it on the screen of the next start; or turn"
        " Secure Boot off.",
        ("mokutil --sb-state", f"sudo mokutil --import {key}", REBOOT),
        needs_root=True,
        reboot=True,
    )


def install_compiler(host: Host) -> Fix:
    """Return how to get a C compiler and Python's headers; no command where the packages are not known."""
    name = distribution(host)
    families = {
        **dict.fromkeys(_DEBIAN_FAMILY, "sudo apt install gcc python3-dev"),
        **dict.fromkeys(_RED_HAT_FAMILY, "sudo dnf install gcc python3-devel"),
        **dict.fromkeys(_ARCH_FAMILY, "sudo pacman -S gcc python"),
    }
    commands = (families[name],) if name in families else ()
    return Fix(COMPILER.fix.text, commands, needs_root=True)


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
    return install_python(f"Install a complete Python {python}.", python)


def install_python(text: str, python: str) -> Fix:
    """Return how a user gets a Python for himself; uv can take it away again, too."""
    action = Action("install-python", python, f"uv python uninstall {python}")
    return Fix(text, (f"uv python install {python}",), action=action)


def install_dcgm(host: Host) -> Fix:
    """Return how DCGM gets here; it has a package for each CUDA of the driver."""
    if host.os.container is not None:
        return Fix("DCGM belongs to the machine outside: run dcgmi there.", ("dcgmi diag -r 3",))
    cuda = host.driver.cuda.major if host.driver and host.driver.cuda else 12
    package = f"datacenter-gpu-manager-4-cuda{cuda}"
    text = "Install NVIDIA's DCGM, from NVIDIA's repository of CUDA packages."
    commands = by_family(host, debian=f"sudo apt install {package}", red_hat=f"sudo dnf install {package}")
    return Fix(text, commands, needs_root=True)


def by_family(host: Host, *, debian: str, red_hat: str) -> tuple[str, ...]:
    """Return the command of the distribution's family; none for one that is not known."""
    name = distribution(host)
    families = ((debian, _DEBIAN_FAMILY), (red_hat, _RED_HAT_FAMILY))
    return tuple(command for command, family in families if name in family)


def distribution(host: Host) -> str:
    """Return the distribution's name without its version: "ubuntu"."""
    return (host.os.distribution or "").partition(" ")[0]
