"""Who is on the GPUs: what a program that starts now finds taken, full or stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.per_gpu import SILENT, named, unanswered
from envcheck.doctor.remedies import of_the_machine
from envcheck.host.facts import Gpu, GpuProcess
from envcheck.symptoms.cards import EXCLUSIVE, MEMORY

_COMPUTE_MODES = "https://docs.nvidia.com/deploy/nvidia-smi/"
_MPS_GUIDE = "https://docs.nvidia.com/deploy/mps/"

# NVIDIA's guide sets an exclusive mode for it, so that nobody passes it by.
_MPS_SERVER = "nvidia-cuda-mps-server"

# What CUDA's context, torch's libraries and a small network take before there is room for a batch; a GPU that
# is smaller altogether has what it has.
_NEEDED_MIB = 2048


class Exclusive(Check):
    """Compute modes that let in one process, or none."""

    id = EXCLUSIVE.id
    title = "Every GPU lets several processes in"
    caused_by = ("gpu.stuck",)
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look at the compute modes, and who is on the GPUs that take one process."""
        if nothing := without_gpus(self, case.host):
            return nothing
        limited = [(name, gpu) for name, gpu in named(case.host) if gpu.compute_mode not in (None, "default")]
        if not limited:
            return unanswered(self, case.host, "compute_mode") or ok(self)
        closed = [entry for entry in limited if _is_closed(entry[1])]
        evidence = tuple(f"{name}: {gpu.compute_mode}{_occupants(gpu)}" for name, gpu in closed or limited)
        if closed:
            return Finding(
                self.id,
                # Where another GPU is left, CUDA gives that one to a program that does not ask for its own.
                "error" if len(closed) == len(case.host.gpus or ()) else "warn",
                "A GPU is closed to computing"
                if all(gpu.compute_mode == "prohibited" for _, gpu in closed)
                else EXCLUSIVE.title,
                evidence,
                "In this mode one process may have the GPU at a time, or none at all.",
                of_the_machine(case.host, _let_several_in([gpu for _, gpu in closed])),
                EXCLUSIVE.link,
            )
        if unseen := [name for name, gpu in limited if gpu.processes is None]:
            return unknown(self, case.host.why(f"{unseen[0]}.processes"), *evidence)
        if all(_is_shared(gpu) for _, gpu in limited):
            return Finding(
                self.id,
                "info",
                "Programs share a GPU through MPS",
                evidence,
                "Its server is the one process that the GPU lets in; programs come in through the server.",
                link=_MPS_GUIDE,
            )
        return Finding(
            self.id,
            "info",
            "A GPU takes one process at a time",
            tuple(f"{name}: {gpu.compute_mode}" for name, gpu in limited if not _is_shared(gpu)),
            "Nobody is on it now; a second program that starts will find it busy.",
            link=_COMPUTE_MODES,
        )


class MemoryFree(Check):
    """Memory that other programs hold, so that there is none left for the next one."""

    id = MEMORY.id
    title = "Every GPU has memory to spare"
    worst = "warn"
    caused_by = ("gpu.stuck", "gpu.exclusive")
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Hold the free memory against what any network takes."""
        if nothing := without_gpus(self, case.host):
            return nothing
        # Under MIG each slice has its own, and the whole GPU's says nothing of them.
        whole = [(name, gpu) for name, gpu in named(case.host) if not (gpu.mig and gpu.mig.enabled)]
        full = [(name, gpu) for name, gpu in whole if _is_full(gpu)]
        if not full:
            if not whole:
                return skip(self, "Every GPU is split by MIG.")
            return unanswered(self, case.host, "memory_free_mib") or ok(self)
        return Finding(
            self.id,
            "warn",
            MEMORY.title,
            tuple(
                f"{name}: {gpu.memory_free_mib} of {gpu.memory_mib} MiB free{_occupants(gpu)}"
                for name, gpu in full
            ),
            "Other programs hold it; a training that starts now runs out of it.",
            MEMORY.fix,
            MEMORY.link,
        )


class Stuck(Check):
    """A process on a GPU that waits inside the kernel, where no signal reaches it."""

    id = "gpu.stuck"
    title = "No process on a GPU hangs in the kernel"
    worst = "warn"
    caused_by = ("gpu.lost", "gpu.fault", "driver.hang")
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look at the states of the processes that compute."""
        if nothing := without_gpus(self, case.host):
            return nothing
        stuck = [
            (name, process)
            for name, gpu in named(case.host)
            for process in gpu.processes or ()
            if process.state == "D"
        ]
        if not stuck:
            return unanswered(self, case.host, "processes", "state") or ok(self)
        return Finding(
            self.id,
            "warn",
            "A process on a GPU hangs in the kernel",
            tuple(f"{name}: {_process(process)}, state D" for name, process in stuck),
            "It waits for the driver or for a disk, cannot be killed, and keeps its memory on the GPU.",
            of_the_machine(case.host, _see_stacks([process for _, process in stuck])),
            "https://docs.nvidia.com/deploy/xid-errors/",
        )


def _is_closed(gpu: Gpu) -> bool:
    return gpu.compute_mode == "prohibited" or (bool(gpu.processes) and not _is_shared(gpu))


def _is_shared(gpu: Gpu) -> bool:
    # The programs that the server lets in stand in NVML's list beside it.
    return gpu.compute_mode != "prohibited" and any(one.name == _MPS_SERVER for one in gpu.processes or ())


def _let_several_in(gpus: Sequence[Gpu]) -> Fix:
    numbers = ",".join(str(gpu.index) for gpu in gpus if gpu.index is not None)
    which = f"-i {numbers} " if numbers else ""
    commands = ("nvidia-smi", f"sudo nvidia-smi {which}-c 0")
    return replace(EXCLUSIVE.fix, commands=commands)


def _see_stacks(stuck: Sequence[GpuProcess]) -> Fix:
    return Fix(
        "See what it waits for; if that is NVIDIA's driver, a reboot is the way out.",
        tuple(f"sudo cat /proc/{process.pid}/stack" for process in stuck),
        needs_root=True,
        reboot=True,
    )


def _is_full(gpu: Gpu) -> bool:
    if gpu.memory_free_mib is None or gpu.memory_mib is None:
        return False
    return gpu.memory_free_mib < min(_NEEDED_MIB, gpu.memory_mib // 2)


def _occupants(gpu: Gpu) -> str:
    if not gpu.processes:
        return ""
    return "; " + ", ".join(_process(process) for process in gpu.processes)


def _process(process: GpuProcess) -> str:
    held = f", {process.memory_mib} MiB" if process.memory_mib else ""
    return f"{process.name or 'a process'} (PID {process.pid}{held})"
