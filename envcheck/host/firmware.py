"""What decides whether a kernel module may be loaded, and could be built: firmware, headers, DKMS, SELinux.

Beside them stands what the kernel says of its clock and of memory that devices reach. Every function takes
the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from envcheck.host.clock import is_synchronized
from envcheck.host.facts import Kernel
from envcheck.host.files import names, text
from envcheck.host.kernel import NVIDIA
from envcheck.host.kernel_log import read_kernel_log

# The variable's name, of the vendor that is UEFI itself.
_SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_HEADER_BYTES = 4  # the attributes of a variable stand before its value

_NOT_SAID = {
    "secure_boot": "the firmware's variables are not to be seen",
    "headers": "the running kernel's modules are not to be seen",
    "dkms": "DKMS knows no module of NVIDIA's",
    "selinux": "/sys/fs is not to be seen",
    "clock_synchronized": "the kernel does not say",
    "iommu": "no NVIDIA card's group is to be seen",
}


def read_kernel(root: Path = Path("/"), release: str | None = None) -> tuple[Kernel, dict[str, str]]:
    """Return the kernel's facts, and why the missing ones are missing; `release` is the running one's."""
    release = release or os.uname().release
    xids, complaints, why = read_kernel_log(root)
    kernel = Kernel(
        xids=xids,
        complaints=complaints,
        secure_boot=_secure_boot(root),
        headers=_headers(root, release),
        dkms=_dkms(root, release),
        selinux=_selinux(root),
        clock_synchronized=is_synchronized(),
        iommu=_iommu(root),
    )
    missing = {name: reason for name, reason in _NOT_SAID.items() if getattr(kernel, name) is None}
    if why:  # also beside lines that were found: there may have been more
        missing |= {"xids": why, "complaints": why}
    return kernel, {f"kernel.{name}": reason for name, reason in missing.items()}


def _secure_boot(root: Path) -> bool | None:
    """Return whether the firmware lets only signed modules be loaded; a BIOS has no such thing."""
    firmware = root / "sys/firmware"
    try:
        value = (firmware / "efi/efivars" / _SECURE_BOOT).read_bytes()
    except OSError:
        # A container engine lays an empty folder over all of it.
        seen = names(firmware)
        return False if seen and "efi" not in seen else None
    return value[_HEADER_BYTES:] == b"\x01" if len(value) > _HEADER_BYTES else None


def _headers(root: Path, release: str) -> bool | None:
    modules = root / "lib/modules" / release
    return (modules / "build").exists() if modules.is_dir() else None


def _dkms(root: Path, release: str) -> str | None:
    """Return how far DKMS is with NVIDIA's module for the running kernel."""
    trees = root / "var/lib/dkms"
    versions = [
        trees / tree / name
        for tree in names(trees) or ()
        if tree.startswith("nvidia")
        for name in names(trees / tree) or ()
        if (trees / tree / name).is_dir()
    ]
    if not versions:
        return None
    if any((version / release).is_dir() for version in versions):
        return "installed"
    # `source` leads to the module's source, which an uninstalled package takes with it.
    return "added" if any((version / "source").exists() for version in versions) else "broken"


def _selinux(root: Path) -> str | None:
    enforce = text(root / "sys/fs/selinux/enforce")
    if enforce is not None:
        return "enforcing" if enforce == "1" else "permissive"
    return "disabled" if names(root / "sys/fs") else None


def _iommu(root: Path) -> str | None:
    """Return how the IOMMU treats NVIDIA's cards: "off", "identity", or by translation, "DMA", "DMA-FQ"."""
    bus = root / "sys/bus/pci/devices"
    cards = [bus / name for name in names(bus) or () if text(bus / name / "vendor") == f"0x{NVIDIA}"]
    kinds = [text(card / "iommu_group/type") for card in cards]
    if cards and not any(kinds):
        return None if any((card / "iommu_group").exists() for card in cards) else "off"
    return next((kind for kind in kinds if kind), None)
