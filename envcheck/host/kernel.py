"""What the Linux kernel knows of NVIDIA cards: the devices on the PCI bus and NVIDIA's own module.

The bus lists a card whether or not a driver drives it; that is how a card that NVML does not list is found.
Every function takes the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from envcheck.host.facts import PciDevice
from envcheck.host.files import text
from envcheck.versions import Spelled

NVIDIA = "10de"
_DISPLAY_CONTROLLERS = "0x03"  # class 03: VGA (0300) and 3D (0302) controllers; a card's audio has 0403

# Read from: NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 ...
# or:        NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build ...
_NVRM_LINE = re.compile(r"NVRM version:.*Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)")

# Where distributions keep the names of PCI devices.
_NAME_LISTS = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")


@dataclass(frozen=True, slots=True)
class Module:
    """The kernel module `nvidia`, as loaded."""

    version: Version | None
    is_open: bool | None  # the open kernel modules rather than the proprietary ones


def read_module(root: Path = Path("/")) -> Module | None:
    """Return the loaded module, or None: WSL has none, and neither has a machine without a driver."""
    if not (root / "sys/module/nvidia").is_dir() and not (root / "proc/driver/nvidia").is_dir():
        return None
    announced = text(root / "proc/driver/nvidia/version")
    found = _NVRM_LINE.search(announced or "")
    number = text(root / "sys/module/nvidia/version") or (found[1] if found else None)
    try:
        version = Spelled(number) if number else None
    except InvalidVersion:
        version = None
    return Module(version, None if found is None else "Open Kernel Module" in found[0])


def read_pci(root: Path = Path("/")) -> tuple[PciDevice, ...] | None:
    """Return NVIDIA's display controllers by address, or None where the kernel shows no PCI bus."""
    bus = root / "sys/bus/pci/devices"
    try:
        folders = sorted(bus.iterdir())
    except OSError:
        return None
    cards = [folder for folder in folders if _is_card(folder)]
    names = _device_names(root) if cards else {}
    return tuple(_device(folder, names) for folder in cards)


def _is_card(folder: Path) -> bool:
    if text(folder / "vendor") != f"0x{NVIDIA}":
        return False
    return (text(folder / "class") or "").startswith(_DISPLAY_CONTROLLERS)


def _device(folder: Path, names: dict[str, str]) -> PciDevice:
    device = (text(folder / "device") or "").removeprefix("0x") or None
    driver = folder / "driver"
    return PciDevice(
        address=folder.name,
        vendor=NVIDIA,
        device=device,
        driver=driver.resolve().name if driver.exists() else None,
        name=names.get(device or ""),
    )


def _device_names(root: Path) -> dict[str, str]:
    """Return NVIDIA's part of the system's list of PCI devices: device id to name.

    A vendor's line starts at the margin, its devices are indented by one tab, subsystems by two.
    """
    for path in _NAME_LISTS:
        try:
            content = (root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        _, found, rest = content.partition(f"\n{NVIDIA} ")
        devices = re.split(r"\n(?=[^\t#\n])", rest, maxsplit=1)[0] if found else ""
        return dict(re.findall(r"^\t([0-9a-f]{4})\s+(\S.*)$", devices, re.MULTILINE))
    return {}
