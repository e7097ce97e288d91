"""Fixes that several checks share, in the words of the machine's own distribution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envcheck.compat.pci_ids import generation_of
from envcheck.doctor.finding import Fix
from envcheck.host.facts import Host, PciDevice
from envcheck.symptoms import Action
from envcheck.symptoms.cards import BLACKLIST_NOUVEAU, NOUVEAU
from envcheck.symptoms.packages import COMPILER

_DEBIAN_FAMILY = ("debian", "ubuntu", "linuxmint", "pop")
_RED_HAT_FAMILY = ("fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn")
_ARCH_FAMILY = ("arch", "manjaro", "endeavouros", "cachyos")

# How Arch's kernels end that are not the plain one.
_ARCH_KERNELS = ("lts", "zen", "hardened")

REBOOT = "sudo reboot"


def install_driver(host: Host, cards: Iterable[PciDevice] = ()) -> Fix:
    """Return how to install NVIDIA's driver for `cards`; the packages also keep nouveau away."""
    name = distribution(host)
    rows = [row for card in cards if (row := generation_of(card)) is not None]
    ends = [row.last_branch for row in rows if row.last_branch is not None]
    text = "Install NVIDIA's driver and reboot."
    commands = {
        **dict.fromkeys(("ubuntu", "linuxmint"), "sudo ubuntu-drivers install"),
        "debian": "sudo apt install nvidia-driver firmware-misc-nonfree",
        **_open_modules(),
    }
    if ends:
        end = min(ends)
        text = f"Install NVIDIA's driver of branch R{end}, the last for this card, and reboot."
        if name in _ARCH_FAMILY:
            text = f"Install nvidia-{end}xx-dkms from the AUR, the last branch for this card, and reboot."
        elif name in _RED_HAT_FAMILY:
            text = (
                f"Install cuda-drivers from NVIDIA's repository (see the link), without the open modules and"
                f" held at branch R{end}, the last for this card; then reboot."
            )
        commands |= {**dict.fromkeys(_RED_HAT_FAMILY, "sudo dnf install cuda-drivers")}
        commands = {one: command for one, command in commands.items() if one not in _ARCH_FAMILY}
    elif name in _RED_HAT_FAMILY:
        text = "Install NVIDIA's driver from NVIDIA's repository (see the link), and reboot."
        if not rows:
            text += " A card before Turing needs cuda-drivers instead."
    elif name in _ARCH_FAMILY and not rows:
        text += " A card before Turing needs nvidia-580xx-dkms from the AUR instead."
    return Fix(text, _and_reboot(commands.get(name)), needs_root=True, reboot=True)


def change_driver(host: Host, text: str, last: int | None) -> Fix:
    """Return how to exchange a driver for a newer one, or for one of `last`, the branch that a GPU ends with.

    `text` says for which. Under WSL the driver is Windows's, and in a container the machine's outside.
    """
    if host.os.wsl:
        return Fix(text)
    packages = {**dict.fromkeys(("ubuntu", "linuxmint"), "sudo ubuntu-drivers install")}
    if last is not None:
        packages = {**dict.fromkeys(("ubuntu", "linuxmint"), f"sudo apt install nvidia-driver-{last}")}
        if distribution(host) in _ARCH_FAMILY:
            text = f"{text} The AUR has it as nvidia-{last}xx-dkms."
    else:
        packages |= {
            **dict.fromkeys(_RED_HAT_FAMILY, "sudo dnf upgrade --refresh '*nvidia*'"),
            **dict.fromkeys(_ARCH_FAMILY, "sudo pacman -Syu"),
        }
    commands = () if host.os.container else _and_reboot(packages.get(distribution(host)))
    return of_the_machine(host, Fix(text, commands, needs_root=True, reboot=True))


def install_open_module(host: Host, branch: int) -> Fix:
    """Return how to exchange the proprietary kernel modules for the open ones of `branch`."""
    packages = {
        "ubuntu": f"sudo apt install nvidia-driver-{branch}-open",
        "debian": "sudo apt install nvidia-open-kernel-dkms",
        **_open_modules(),
    }
    text = f"Install the open kernel modules of driver branch R{branch} or newer and reboot."
    return Fix(text, _and_reboot(packages.get(distribution(host))), needs_root=True, reboot=True)


def install_proprietary_module(host: Host, branch: int) -> Fix:
    """Return how to exchange the open kernel modules for the proprietary ones of `branch`."""
    packages = {
        "ubuntu": f"sudo apt install nvidia-driver-{branch}",
        "debian": "sudo apt install nvidia-kernel-dkms",
        **dict.fromkeys(_RED_HAT_FAMILY, "sudo dnf install --allowerasing cuda-drivers"),
    }
    text = f"Install the proprietary kernel modules of driver branch R{branch} and reboot."
    if distribution(host) in _ARCH_FAMILY:
        text = f"{text} The AUR has those of the last branch as nvidia-580xx-dkms."
    return Fix(text, _and_reboot(packages.get(distribution(host))), needs_root=True, reboot=True)


def _and_reboot(command: str | None) -> tuple[str, ...]:
    return (command, REBOOT) if command else ()


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
        destructive=True,
    )


def build_module(host: Host, *, with_headers: bool, with_driver: bool = False) -> Fix:
    """Return how DKMS comes to build the driver's modules for the running kernel.

    `with_driver`: nothing here builds one yet. Arch keeps no older kernel's headers: kernel and headers are
    upgraded together, and it starts anew with both.
    """
    name = distribution(host)
    if with_headers and name in _ARCH_FAMILY:
        flavour = next((one for one in _ARCH_KERNELS if (host.os.kernel or "").endswith(f"-{one}")), "")
        kernel = f"linux-{flavour}" if flavour else "linux"
        cards = [generation_of(card) for card in host.pci or ()]
        drives = with_driver and all(row is None or row.modules != "proprietary" for row in cards)
        module = " nvidia-open-dkms" if drives else ""
        return Fix(
            "Upgrade the kernel and its headers together and reboot; DKMS builds the module meanwhile.",
            (f"sudo pacman -Syu {kernel} {kernel}-headers{module}", REBOOT),
            needs_root=True,
            reboot=True,
        )
    headers: tuple[str, ...] = ()
    if with_headers and name in _DEBIAN_FAMILY:
        headers = ('sudo apt install "linux-headers-$(uname -r)"',)
    elif with_headers and name in _RED_HAT_FAMILY:
        headers = ('sudo dnf install "kernel-devel-$(uname -r)"',)
    if with_driver:
        text = "Install the running kernel's headers and the driver, whose packages bring the module; reboot."
        driver = install_driver(host, host.pci or ()).commands or (REBOOT,)
        return Fix(text, (*headers, *driver), needs_root=True, reboot=True)
    text = "Install the running kernel's headers, then build" if with_headers else "Build"
    build = ("sudo dkms autoinstall", "sudo modprobe nvidia")
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


def hand_over_gpus(host: Host, text: str) -> Fix:
    """Return how the GPUs get into such a container; nothing that is done inside brings them there."""
    commands = {
        "podman": ("podman run --device nvidia.com/gpu=all ...",),
        "apptainer": ("apptainer exec --nv ...",),
    }
    if host.os.container == "kubernetes":
        spec = "resources: {limits: {nvidia.com/gpu: 1}}"
        return Fix(f"{text} In the pod's spec its container asks for them: {spec}.")
    return Fix(text, commands.get(host.os.container or "", ("docker run --gpus all ...",)))


def more_shared_memory(host: Host) -> Fix:
    """Return how /dev/shm becomes larger: on the machine itself, or by who starts the container."""
    if host.os.container is None:
        command = "sudo mount -o remount,size=1G /dev/shm"
        return Fix("Give it more, or train with WORKERS 0.", (command,), needs_root=True)
    if host.os.container == "kubernetes":
        volume = "emptyDir: {medium: Memory, sizeLimit: 1Gi}"
        return Fix(f"Mount a volume at /dev/shm in the pod's spec ({volume}), or train with WORKERS 0.")
    engine = "podman" if host.os.container == "podman" else "docker"
    return Fix(
        "Start the container with more, or train with WORKERS 0.", (f"{engine} run --shm-size=1g ...",)
    )


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
