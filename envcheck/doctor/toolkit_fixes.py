"""Fixes of NVIDIA's container toolkit, in the words of the machine's own distribution."""

from __future__ import annotations

import shlex

from envcheck.doctor.finding import Fix
from envcheck.doctor.remedies import distribution
from envcheck.host.facts import Host

_APT = ("debian", "ubuntu", "linuxmint", "pop")
_DNF = ("fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn")
_PACMAN = ("arch", "manjaro", "endeavouros")
_PACKAGE = "nvidia-container-toolkit"


def install_toolkit(host: Host) -> Fix:
    """Return how docker gets the toolkit, from the beginning."""
    text = (
        "Install NVIDIA's container toolkit, from NVIDIA's own repository where the distribution has none"
        " (see the link); then tell docker of it and restart it, which ends running containers."
    )
    return Fix(text, (*_install(host), *_register(host)), needs_root=True, destructive=True)


def register_toolkit(host: Host) -> Fix:
    """Return how docker learns of a toolkit that is installed."""
    text = "Tell docker of the toolkit and restart it, which ends running containers."
    return Fix(text, _register(host), needs_root=True, destructive=True)


def upgrade_toolkit(host: Host) -> Fix:
    """Return how the toolkit gets its newest version."""
    upgrade = _command(host, "sudo apt install --only-upgrade", "sudo dnf upgrade", "sudo pacman -Syu")
    commands = ("sudo apt update", *upgrade) if distribution(host) in _APT else upgrade
    return Fix("Update NVIDIA's container toolkit; containers that run go on.", commands, needs_root=True)


def write_spec(host: Host, file: str = "/etc/cdi/nvidia.yaml") -> Fix:
    """Return how the CDI spec is written anew: by the toolkit's own service where there is one."""
    if host.toolkit is not None and host.toolkit.refresh:
        return Fix(
            "Let the toolkit's service write the specification anew.",
            ("sudo systemctl restart nvidia-cdi-refresh.service",),
            needs_root=True,
        )
    install = () if host.toolkit is not None else _install(host)
    return Fix(
        "Write the specification, and again after every change of the driver; from version 1.18 on the "
        "toolkit has a service that does.",
        (*install, f"sudo nvidia-ctk cdi generate --output={shlex.quote(file)}"),
        needs_root=True,
    )


def _install(host: Host) -> tuple[str, ...]:
    return _command(host, "sudo apt install", "sudo dnf install", "sudo pacman -S")


def _command(host: Host, apt: str, dnf: str, pacman: str) -> tuple[str, ...]:
    name = distribution(host)
    for families, command in ((_APT, apt), (_DNF, dnf), (_PACMAN, pacman)):
        if name in families:
            return (f"{command} {_PACKAGE}",)
    return ()


def _register(host: Host) -> tuple[str, ...]:
    # Older WSL has no systemd, and its newer ones understand this as well.
    restart = "sudo service docker restart" if host.os.wsl else "sudo systemctl restart docker"
    return ("sudo nvidia-ctk runtime configure --runtime=docker", restart)
