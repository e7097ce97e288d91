"""Processors, memory and disk as granted, with control groups of both versions."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from envcheck.host.hardware import read_hardware

MEMINFO = {"proc/meminfo": "MemTotal:       65536000 kB\nMemFree:  1000 kB\n"}
V1_NO_LIMIT = "9223372036854771712"


class Usage(NamedTuple):
    total: int
    free: int


@pytest.fixture(autouse=True)
def _sixteen_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))


def read(root):
    hardware, _ = read_hardware(root / "cache", root)
    return hardware


def test_without_limits_the_machine_is_granted_whole(lay_out):
    hardware = read(lay_out(MEMINFO))
    assert (hardware.cpus, hardware.memory_mib) == (16, 64000)


def test_limits_of_cgroup_2_count_the_groups_above_too(lay_out):
    hardware = read(
        lay_out(
            {
                **MEMINFO,
                "proc/self/cgroup": "0::/user.slice/job.scope\n",
                "sys/fs/cgroup/user.slice/job.scope/memory.max": "max\n",
                "sys/fs/cgroup/user.slice/memory.max": "8589934592\n",
                "sys/fs/cgroup/user.slice/job.scope/cpu.max": "350000 100000\n",
                "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
            }
        )
    )
    assert (hardware.cpus, hardware.memory_mib) == (3, 8192)


def test_limits_of_cgroup_1_are_found_per_controller(lay_out):
    hardware = read(
        lay_out(
            {
                **MEMINFO,
                "proc/self/cgroup": "4:memory:/job\n3:cpu,cpuacct:/job\n2:cpuset:/\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "4294967296\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{V1_NO_LIMIT}\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            }
        )
    )
    assert (hardware.cpus, hardware.memory_mib) == (2, 4096)


def test_a_container_sees_its_groups_path_from_outside_and_its_limit_at_the_mount(lay_out):
    hardware = read(
        lay_out(
            {
                **MEMINFO,
                "proc/self/cgroup": "0::/../../system.slice/docker-1a2b.scope\n",
                "sys/fs/cgroup/memory.max": "2147483648\n",
                "sys/fs/cgroup/cpu.max": "50000 100000\n",
            }
        )
    )
    assert (hardware.cpus, hardware.memory_mib) == (1, 2048)


def test_free_disk_is_that_of_the_folder_in_which_the_cache_will_be_made(lay_out, monkeypatch):
    root = lay_out(MEMINFO)

    free = {root: 40 << 30}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total=0, free=free.get(path, 0)))
    hardware, _ = read_hardware(root / "home" / "cache", root)
    assert hardware.cache_free_mib == 40 * 1024


@pytest.mark.parametrize(("files", "free", "inodes"), [(1000, 70, 70), (1000, 0, 0), (0, 0, None)])
def test_a_file_system_that_makes_inodes_as_it_needs_them_counts_none(
    lay_out, monkeypatch, files, free, inodes
):
    root = lay_out(MEMINFO)
    state = SimpleNamespace(f_files=files, f_favail=free, f_bavail=0, f_blocks=0, f_bfree=0, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", {root: state, root / "dev/shm": state}.__getitem__)
    hardware, unknown = read_hardware(root / "home" / "cache", root)
    assert hardware.cache_free_inodes == inodes
    assert ("hardware.cache_free_inodes" in unknown) == (inodes is None)


def test_shared_memory_is_the_size_of_its_mount(lay_out, monkeypatch):
    root = lay_out({**MEMINFO, "dev/shm": None})
    total = {root / "dev/shm": 64 << 20}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total=total.get(path, 0), free=0))
    assert read(root).shm_mib == 64


def test_what_cannot_be_read_is_unknown_with_its_reason(lay_out):
    hardware, unknown = read_hardware(lay_out({"etc/fstab": ""}), lay_out({}))
    assert (hardware.memory_mib, hardware.shm_mib) == (None, None)
    assert {"hardware.memory_mib", "hardware.shm_mib"} == set(unknown)
