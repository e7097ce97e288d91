"""The system around the GPUs: WSL and Jetson, where other rules hold; disk and shared memory."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.cards import nvidia_cards
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.remedies import more_shared_memory, remove_driver
from envcheck.host.facts import Host
from envcheck.symptoms.driver import WSL

# What a recipe takes, wheels and environment together, with room for pip's own copies while it installs.
_NEEDED_MIB_CPU = 3 * 1024
_NEEDED_MIB_CUDA = 12 * 1024

# An environment of the CPU recipe has 24600 files and folders; CUDA's wheels bring some thousands more.
_NEEDED_INODES = 40_000

# Where WSL lays the driver of Windows.
_OF_WINDOWS = "/usr/lib/wsl/"

# Docker's default. A batch of 32 crops of 256x192 has 5 MiB, and each worker keeps two ready.
_SMALL_SHM_MIB = 64


class Wsl(Check):
    """Windows has the driver; the Linux inside borrows it."""

    id = WSL.id
    title = "The system is Linux on its own, not inside Windows"

    def look(self, case: Case) -> Finding:
        """Look whether this is WSL, and whether the Windows driver reaches into it."""
        if case.host.os.wsl is None:
            return unknown(self, "The facts do not say whether this is WSL.")
        if not case.host.os.wsl:
            return ok(self)
        if not case.in_container and (hiding := _before_windows(case.host)):
            return Finding(
                self.id,
                "error",
                "A Linux driver inside WSL hides the one of Windows",
                hiding,
                WSL.why,
                remove_driver(case.host),
                WSL.link,
            )
        # Without any library the list is empty, not unknown: Windows may have no NVIDIA card at all.
        cut_off = case.host.gpus is None
        status: Status = "warn" if cut_off else "info"
        return Finding(
            self.id,
            status,
            WSL.title if cut_off else "This is WSL: the driver is the one of Windows",
            (f"kernel {case.host.os.kernel}",) if case.host.os.kernel else (),
            WSL.why,
            None if case.host.gpus else WSL.fix,
            WSL.link,
        )


def _before_windows(host: Host) -> tuple[str, ...]:
    """Return the files of libcuda that the loader takes before the one that Windows hands over."""
    files = host.driver.libcuda_files if host.driver else None
    of_windows = [place for place, file in enumerate(files or ()) if file.startswith(_OF_WINDOWS)]
    return (files or ())[: of_windows[0]] if of_windows else ()


class Jetson(Check):
    """A Tegra board, whose CUDA comes with JetPack and whose wheels are its own."""

    id = "system.jetson"
    title = "The GPU is one that the public wheels serve"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look whether this is a Jetson."""
        if case.host.os.jetson is None:
            return self._is_none(case.host)
        return Finding(
            self.id,
            "warn",
            "This is a Jetson: the public CUDA wheels do not run on it",
            (f"L4T {case.host.os.jetson}",),
            "Its GPU is part of the chip and its driver part of JetPack; NVML knows little of either.",
            Fix("Use the wheels or containers of its own JetPack."),
            "https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/",
        )

    def _is_none(self, host: Host) -> Finding:
        """Return the answer where nothing tells of a board: a GPU that is seen is none of its chip's."""
        if host.gpus or nvidia_cards(host):
            return ok(self)
        if host.gpus is None and (host.driver is not None or host.pci is None):
            return unknown(self, host.why("gpus"))
        return skip(self, "There is no NVIDIA GPU.")


class Disk(Check):
    """Room for wheels and environments, before gigabytes are downloaded."""

    id = "system.disk"
    title = "There is room for the environment"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Hold the free space at the cache against what an environment takes."""
        free, inodes = case.host.hardware.cache_free_mib, case.host.hardware.cache_free_inodes
        if inodes is not None and inodes < _NEEDED_INODES:
            return self._without_inodes(inodes)
        if free is None:
            return unknown(self, case.host.why("hardware.cache_free_mib"))
        needed = needed_mib(case)
        seen = f"{free / 1024:.1f} GiB free where envcheck keeps its files, about {needed // 1024} GiB needed"
        if free >= needed:
            if inodes is None:
                return ok(self, seen, f"free inodes: {case.host.why('hardware.cache_free_inodes')}")
            return ok(self, seen)
        return Finding(
            self.id,
            "warn",
            "There is hardly room for the environment",
            (seen,),
            "Wheels are kept beside the environments, so that the next one downloads nothing.",
            Fix(
                "Free some space, or keep the cache on a larger disk.",
                ("export ENVCHECK_CACHE=/path/with/room",),
            ),
        )

    def _without_inodes(self, inodes: int) -> Finding:
        return Finding(
            self.id,
            "warn",
            "There is hardly room for more files, whatever their size",
            (f"{inodes} inodes free where envcheck keeps its files, about {_NEEDED_INODES} needed",),
            'A file system with a fixed number of files says "No space left on device" with space left.',
            Fix(
                "Remove folders with many small files, or keep the cache on another disk.",
                ("df -i", "export ENVCHECK_CACHE=/path/with/room"),
            ),
        )


class SharedMemory(Check):
    """The memory through which a data loader's workers hand over their batches."""

    id = "system.shm"
    title = "Shared memory is large enough for data loaders"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Hold the size of /dev/shm against Docker's default."""
        size = case.host.hardware.shm_mib
        if size is None:
            return unknown(self, case.host.why("hardware.shm_mib"))
        if size > _SMALL_SHM_MIB:
            return ok(self, f"{size} MiB at /dev/shm")
        return Finding(
            self.id,
            "warn",
            "Shared memory is small",
            (f"{size} MiB at /dev/shm",),
            'Workers of a data loader that find no room die of "Bus error", or wait for ever.',
            more_shared_memory(case.host),
            "https://github.com/pytorch/pytorch/issues/1355",
        )


def needed_mib(case: Case) -> int:
    """Return what an environment of the picked recipe takes, as files or as an image."""
    cuda = case.choice is not None and case.choice.cuda is not None
    return _NEEDED_MIB_CUDA if cuda else _NEEDED_MIB_CPU
