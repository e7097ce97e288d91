"""What the operating system grants of the machine: processors, memory, disk; control groups included.

Every function takes the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from envcheck.host.facts import Hardware
from envcheck.host.files import is_there, text


def read_hardware(cache: Path, root: Path = Path("/")) -> tuple[Hardware, dict[str, str]]:
    """Return the facts, and why the missing ones are missing; `cache` is where envcheck keeps its files."""
    hardware = Hardware(
        cpus=_cpus(root),
        memory_mib=_memory_mib(root),
        cache_free_mib=_free_mib(cache),
        cache_free_inodes=_free_inodes(cache),
        shm_mib=_shm_mib(root),
    )
    unknown = {
        f"hardware.{name}": why
        for name, why in (
            ("memory_mib", "/proc/meminfo does not say"),
            ("cache_free_mib", f"the file system of {cache} does not say"),
            ("cache_free_inodes", f"the file system of {cache} does not count them"),
            ("shm_mib", "there is no shared memory at dev/shm"),
        )
        if getattr(hardware, name) is None
    }
    return hardware, unknown


def _cpus(root: Path) -> int:
    """Return how many processors this process may use: the affinity mask, or the quota if that is less."""
    limits = [len(os.sched_getaffinity(0))]
    for folder in _groups(root, "cpu"):
        # cpu.max is of cgroup 2: "200000 100000", or "max 100000"; the other two are of cgroup 1.
        quota, _, period = (text(folder / "cpu.max") or "").partition(" ")
        quota = quota or text(folder / "cpu.cfs_quota_us") or ""
        period = period or text(folder / "cpu.cfs_period_us") or ""
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            limits.append(max(1, int(quota) // int(period)))
    return min(limits)


def _memory_mib(root: Path) -> int | None:
    """Return the machine's memory, or the tightest limit of the control groups above this process."""
    total = re.search(r"^MemTotal:\s+(\d+) kB", text(root / "proc/meminfo") or "", re.MULTILINE)
    limits = [int(total[1]) * 1024] if total else []
    for folder in _groups(root, "memory"):
        limit = text(folder / "memory.max") or text(folder / "memory.limit_in_bytes") or ""
        if limit.isdecimal():
            limits.append(int(limit))
    return min(limits) >> 20 if limits else None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the control groups that limit this process, its own first and then those above it.

    A container often sees its group's path as the host has it, but only the group itself mounted: a
    folder that is not there is passed over, and the mount's own root is always looked at.
    """
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mount = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            mount = root / "sys/fs/cgroup" / controllers
        else:
            continue
        group = mount / path.lstrip("/")
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(mount))


def _free_mib(cache: Path) -> int | None:
    """Return the free space where `cache` is, or will be once it is made."""
    try:
        return shutil.disk_usage(_there(cache)).free >> 20
    except OSError:
        return None


def _free_inodes(cache: Path) -> int | None:
    """Return how many files can still be made where `cache` is; btrfs and others have no such limit."""
    try:
        state = os.statvfs(_there(cache))
    except OSError:
        return None
    return state.f_favail if state.f_files else None


def _there(cache: Path) -> Path:
    return next(folder for folder in (cache, *cache.parents) if is_there(folder))


def _shm_mib(root: Path) -> int | None:
    """Return the size of the shared memory through which data loaders hand over their batches."""
    try:
        return shutil.disk_usage(root / "dev/shm").total >> 20
    except OSError:
        return None
