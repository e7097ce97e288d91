"""Who runs a container or builds an image, as a label that tells later whether that process is gone."""

from __future__ import annotations

import os
from pathlib import Path

OWNER_LABEL = "dev.envcheck.owner"


def me() -> str:
    """Return this process: the machine since it started, its namespace of processes, number and start."""
    return _owner(os.getpid()) or "unknown"


def is_gone(owner: str) -> bool:
    """Tell whether an owner was a process here and is none any more; of others nothing is known."""
    boot, _, rest = owner.partition(" ")
    space, _, rest = rest.partition(" ")
    pid = rest.partition(" ")[0]
    mine = me().split(" ")
    return mine[:2] == [boot, space] and pid.isdecimal() and _owner(int(pid)) != owner


def _owner(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        begun = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        return f"{boot} {Path('/proc/self/ns/pid').readlink()} {pid} {begun}"
    except OSError:
        return None
