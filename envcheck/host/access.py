"""By what programs reach NVIDIA's driver: its device nodes, and the files that they could load as libcuda.

Nothing is opened: opening a node would wake a GPU. Every function takes the root of the file system, so that
a folder can stand in for a machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envcheck.host.facts import DeviceNode
from envcheck.host.files import is_folder, is_there, names, plain
from envcheck.host.loader import read_loader

LIBCUDA = "libcuda.so.1"

# WSL hands the GPUs over by a device of Windows' own.
_WINDOWS_DEVICE = "dxg"


@dataclass(frozen=True, slots=True)
class Access:
    """What there is to reach the driver by, and why it is not known."""

    nodes: tuple[DeviceNode, ...] | None = None
    modprobe: bool | None = None
    libcuda_files: tuple[str, ...] | None = None
    unknown: dict[str, str] = field(default_factory=dict)


def read_access(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Access:
    """Return the nodes in /dev, with whether this user may use them, and the files of libcuda in order."""
    nodes = _nodes(root / "dev")
    return Access(
        nodes=nodes,
        modprobe=is_there(root / "usr/bin/nvidia-modprobe"),
        libcuda_files=tuple(map(plain, read_loader(root, environ).find(LIBCUDA))),
        unknown={} if nodes is not None else {"driver.nodes": "/dev is not to be seen"},
    )


def without_access(why: str) -> Access:
    """Return what is known when nothing of this could be read."""
    return Access(unknown=dict.fromkeys(("driver.nodes", "driver.modprobe", "driver.libcuda_files"), why))


def _nodes(folder: Path) -> tuple[DeviceNode, ...] | None:
    found = names(folder)
    if found is None:
        return None
    return tuple(
        DeviceNode(f"/dev/{plain(name)}", os.access(folder / name, os.R_OK | os.W_OK))
        for name in found
        if (name.startswith("nvidia") or name == _WINDOWS_DEVICE) and not is_folder(folder / name)
    )
