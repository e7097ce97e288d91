"""The operating system: which Linux, which C library, and what kind of machine it believes to be on.

Every function takes the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from packaging.version import InvalidVersion, Version

from envcheck.host.facts import OperatingSystem
from envcheck.host.files import text

# Read from: # R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: ...
_L4T_RELEASE = re.compile(r"R(\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)")

# Path fragments of the control groups that container engines make.
_CGROUP_SIGNS = {"kubepods": "kubernetes", "docker": "docker", "libpod": "podman", "lxc": "lxc"}


def read_system(
    root: Path = Path("/"),
    *,
    uname: os.uname_result | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[OperatingSystem, dict[str, str]]:
    """Return the system's facts, and why the missing ones are missing."""
    uname = uname or os.uname()
    glibc = _glibc()
    distribution = _distribution(root)
    unknown = {
        f"os.{name}": why
        for name, value, why in (
            ("distribution", distribution, "/etc/os-release does not say"),
            ("glibc", glibc, "the C library does not name itself; musl does not"),
        )
        if value is None
    }
    system = OperatingSystem(
        system=uname.sysname,
        machine=uname.machine,
        distribution=distribution,
        kernel=uname.release,
        glibc=glibc,
        wsl=_is_wsl(root, uname.release),
        jetson=_jetson(root),
        container=_container(root, environ),
    )
    return system, unknown


def _glibc() -> Version | None:
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""  # "glibc 2.36"
        return Version(name.removeprefix("glibc "))
    except (ValueError, OSError, InvalidVersion):
        return None


def _distribution(root: Path) -> str | None:
    """Return "ubuntu 22.04"; a rolling distribution has a name only."""
    release = text(root / "etc/os-release") or text(root / "usr/lib/os-release") or ""
    entries = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    words = (entries.get(key, "").strip().strip("\"'") for key in ("ID", "VERSION_ID"))
    return " ".join(word for word in words if word) or None


def _is_wsl(root: Path, kernel: str) -> bool:
    """Own kernels need not be called "microsoft"; the two files are there whatever the kernel's name is."""
    signs = ("proc/sys/fs/binfmt_misc/WSLInterop", "dev/dxg")
    return "microsoft" in kernel.lower() or any((root / sign).exists() for sign in signs)


def _jetson(root: Path) -> str | None:
    """Return the L4T release; a container on a Jetson has no release file, but the board's name."""
    found = _L4T_RELEASE.search(text(root / "etc/nv_tegra_release") or "")
    if found:
        return f"{found[1]}.{found[2]}"
    tree = root / "proc/device-tree"
    if "nvidia,tegra" in (text(tree / "compatible") or ""):
        return text(tree / "model") or "unnamed board"
    return None


def _container(root: Path, environ: Mapping[str, str]) -> str | None:
    """Return what this userland runs in, by the marks that engines leave; None when there is no mark."""
    if "KUBERNETES_SERVICE_HOST" in environ:
        return "kubernetes"
    if (root / ".singularity.d").is_dir():
        return "apptainer"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    groups = text(root / "proc/1/cgroup") or ""
    signs = (engine for sign, engine in _CGROUP_SIGNS.items() if sign in groups)
    return next(signs, None) or environ.get("container") or None
