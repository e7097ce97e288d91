"""The kernel's table of processes: is a program among them, and what does one of them wait for.

Inside a container it is the container's own table, and NVML still counts by the machine's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from envcheck.host.facts import Gpu, GpuProcess
from envcheck.host.files import text

_WAITS_IN_THE_KERNEL = "D"
# Who reads from a disk is in that state for a moment, too; who hangs in a driver stays there.
_LOOKS = 3
_BETWEEN_S = 0.02
# What the kernel keeps of a program's name.
_NAME_CHARACTERS = 15


def with_states(
    gpus: tuple[Gpu, ...] | None, *, inside: bool, root: Path = Path("/")
) -> tuple[tuple[Gpu, ...] | None, dict[str, str]]:
    """Return the GPUs with the states of their processes, and why some are missing.

    `inside` a container, NVML's numbers are those of processes outside, and not to be looked up here.
    """
    reasons: dict[str, str] = {}
    if gpus is None:
        return None, reasons
    looked_up = []
    for place, gpu in enumerate(gpus):
        known = [_looked_up(process, inside=inside, root=root) for process in gpu.processes or ()]
        for number, (process, why) in enumerate(known):
            if process.state is None:
                reasons[f"gpus[{place}].processes[{number}].state"] = why
        processes = None if gpu.processes is None else tuple(process for process, _ in known)
        looked_up.append(replace(gpu, processes=processes))
    return tuple(looked_up), reasons


def runs(program: str, root: Path = Path("/")) -> bool | None:
    """Return whether a program is among the processes; None where not all of them are to be seen."""
    names = list(_names(root / "proc"))
    if program[:_NAME_CHARACTERS] in names:
        return True
    # With hidepid, the processes of others are hidden; the first one is always somebody else's.
    return False if text(root / "proc/1/comm") else None


def _looked_up(process: GpuProcess, *, inside: bool, root: Path) -> tuple[GpuProcess, str]:
    if inside:
        return process, "OUTSIDE: the number is that of a process outside this container"
    state = _state(process.pid, root)
    for _ in range(_LOOKS - 1):
        if state != _WAITS_IN_THE_KERNEL:
            break
        time.sleep(_BETWEEN_S)
        state = _state(process.pid, root)
    return replace(process, state=state), f"NOT_SEEN: /proc/{process.pid}/stat is not to be read"


def _state(pid: int, root: Path) -> str | None:
    # "4242 (python (3)) D 1 ...": the name may hold anything, so what counts is its last parenthesis.
    fields = (text(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    return fields[0] if fields and len(fields[0]) == 1 and fields[0].isalpha() else None


def _names(proc: Path) -> Iterable[str]:
    try:
        folders = [folder for folder in proc.iterdir() if folder.name.isdecimal()]
    except OSError:
        return
    for folder in folders:
        yield text(folder / "comm") or ""
