"""Fixes that several checks share, in the words of the machine's own distribution."""

from __future__ import annotations

from envcheck.doctor.finding import Fix
from envcheck.host.facts import Host
from envcheck.symptoms import Action
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
    name = distribution(host)
    installer = {"apt": _DEBIAN_FAMILY, "dnf": _RED_HAT_FAMILY}
    commands = tuple(f"sudo {tool} install {package}" for tool, family in installer.items() if name in family)
    return Fix(text, commands, needs_root=True)


def distribution(host: Host) -> str:
    """Return the distribution's name without its version: "ubuntu"."""
    return (host.os.distribution or "").partition(" ")[0]
