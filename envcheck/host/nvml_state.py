"""NVML's questions about the state of one GPU: its load, its health, its links, who is on it.

Each takes NVML's handle and returns a JSON value, or raises what pynvml raises. None is an answer too: this
GPU has no such thing. Newer names of a question are asked first, the older ones where the library is older.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pynvml

# By number, because nvidia-ml-py gains and renames names, and the numbers are fixed by the library.
# Source: nvml.h, as nvidia-ml-py 13.615 has it.
COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
CLOCK_REASONS = {
    0x001: "gpu idle",
    0x002: "applications clocks setting",
    0x004: "sw power cap",
    0x008: "hw slowdown",
    0x010: "sync boost",
    0x020: "sw thermal slowdown",
    0x040: "hw thermal slowdown",
    0x080: "hw power brake slowdown",
    0x100: "display clock setting",
    0x200: "board limit",
    0x400: "reliability",
}
FABRIC_STATES = {0: "none", 1: "not started", 2: "in progress", 3: "completed"}
_COMPLETED = 3
_VGPU_INSIDE_A_MACHINE = 2
_VOLATILE = 0
_UNCORRECTED = 1
# More than any GPU has: the first question beyond the last link is refused.
_MOST_LINKS = 64
_MOST_NAME_CHARACTERS = 80

# The library is older than the question; or nvidia-ml-py is, and has no name for it.
_NO_SUCH_CALL = (pynvml.NVMLError_FunctionNotFound, AttributeError)
_NO_SUCH_THING = pynvml.NVMLError_NotSupported


def _memory_free_mib(handle: object) -> int:
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) >> 20


def _utilization(handle: object) -> int:
    return int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def _persistence(handle: object) -> bool:
    return bool(pynvml.nvmlDeviceGetPersistenceMode(handle))


def _compute_mode(handle: object) -> str:
    return _named(COMPUTE_MODES, pynvml.nvmlDeviceGetComputeMode(handle), "compute mode")


def _slowed_by(handle: object) -> list[str]:
    try:
        mask = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except _NO_SUCH_CALL:
        mask = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    bits = [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
    return [CLOCK_REASONS.get(bit, f"reason {bit:#x}") for bit in bits]


def _ecc(handle: object) -> bool:
    # What has no error correction has it no more on than what has it off.
    return bool(_or_none(pynvml.nvmlDeviceGetEccMode, handle, none=(False,))[0])


def _uncorrected(handle: object) -> int | None:
    count: int | None = _or_none(pynvml.nvmlDeviceGetTotalEccErrors, handle, _UNCORRECTED, _VOLATILE)
    return count


def _remap_pending(handle: object) -> bool | None:
    return _remapped(handle, 2)


def _remap_failed(handle: object) -> bool | None:
    return _remapped(handle, 3)


def _remapped(handle: object, place: int) -> bool | None:
    rows = _or_none(pynvml.nvmlDeviceGetRemappedRows, handle)
    return None if rows is None else bool(rows[place])


def _retirement_pending(handle: object) -> bool | None:
    pending = _or_none(pynvml.nvmlDeviceGetRetiredPagesPendingStatus, handle)
    return None if pending is None else bool(pending)


def _pcie(handle: object) -> dict[str, int]:
    return {
        "generation": pynvml.nvmlDeviceGetCurrPcieLinkGeneration(handle),
        "width": pynvml.nvmlDeviceGetCurrPcieLinkWidth(handle),
        "most_generation": pynvml.nvmlDeviceGetMaxPcieLinkGeneration(handle),
        "most_width": pynvml.nvmlDeviceGetMaxPcieLinkWidth(handle),
    }


def _nvlinks(handle: object) -> list[bool]:
    states: list[bool] = []
    while len(states) < _MOST_LINKS and (state := _nvlink(handle, len(states))) is not None:
        states.append(state)
    return states


def _nvlink(handle: object, link: int) -> bool | None:
    try:
        return bool(pynvml.nvmlDeviceGetNvLinkState(handle, link))
    except (_NO_SUCH_THING, pynvml.NVMLError_InvalidArgument):
        return None  # this GPU has fewer links


def _fabric(handle: object) -> str:
    info = _fabric_info(handle)
    return FABRIC_STATES[0] if info is None else _named(FABRIC_STATES, info.state, "fabric state")


def _fabric_status(handle: object) -> str | None:
    """Return the outcome of a fabric that is completed: NVML means nothing by it before."""
    info = _fabric_info(handle)
    if info is None or info.state != _COMPLETED:
        return None
    return str(pynvml.NVMLError(info.status)).lower() if info.status else "success"


def _fabric_info(handle: object) -> Any:  # noqa: ANN401 - pynvml has no types
    try:
        info: Any = pynvml.c_nvmlGpuFabricInfoV_t()
        pynvml.nvmlDeviceGetGpuFabricInfoV(handle, pynvml.byref(info))
    except _NO_SUCH_CALL:
        info = pynvml.c_nvmlGpuFabricInfo_t()
        _or_none(pynvml.nvmlDeviceGetGpuFabricInfo, handle, pynvml.byref(info))
    except _NO_SUCH_THING:
        return None
    return info


def _license(handle: object) -> str:
    if _or_none(pynvml.nvmlDeviceGetVirtualizationMode, handle) != _VGPU_INSIDE_A_MACHINE:
        return "none"
    features = pynvml.nvmlDeviceGetGridLicensableFeatures_v4(handle)
    said = features.gridLicensableFeatures[: features.licensableFeaturesCount]
    return "licensed" if any(feature.featureState for feature in said) else "unlicensed"


def _processes(handle: object) -> list[dict[str, object]]:
    """Return who computes, those behind MPS included; both lists are NVML's own."""
    try:
        found = pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except _NO_SUCH_CALL:
        found = pynvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)
    with contextlib.suppress(*_NO_SUCH_CALL, _NO_SUCH_THING):
        found += pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3(handle)
    by_pid = {process.pid: process for process in found}
    return [
        {"pid": pid, "name": _process_name(pid), "memory_mib": _mib(process.usedGpuMemory)}
        for pid, process in by_pid.items()
    ]


def _mib(size: int | None) -> int | None:
    return None if size is None else size >> 20


def _process_name(pid: int) -> str | None:
    """Return the program's name without the path to it, which may begin in somebody's home."""
    try:
        path = str(pynvml.nvmlSystemGetProcessName(pid))
    except (pynvml.NVMLError, UnicodeDecodeError):
        return None
    return path.rpartition("/")[2][:_MOST_NAME_CHARACTERS] or None


def _or_none(question: Callable[..., Any], *arguments: object, none: object = None) -> Any:  # noqa: ANN401
    """Return the answer, or `none` where the GPU has no such thing."""
    try:
        return question(*arguments)
    except _NO_SUCH_THING:
        return none


def _named(names: dict[int, str], number: int, what: str) -> str:
    if number not in names:
        raise LookupError(f"NO_NAME: {what} {number}")
    return names[number]


# The fact, and the question that it answers.
QUESTIONS: dict[str, Callable[[object], object]] = {
    "memory_free_mib": _memory_free_mib,
    "utilization": _utilization,
    "persistence": _persistence,
    "compute_mode": _compute_mode,
    "slowed_by": _slowed_by,
    "memory_health.ecc": _ecc,
    "memory_health.uncorrected": _uncorrected,
    "memory_health.remap_pending": _remap_pending,
    "memory_health.remap_failed": _remap_failed,
    "memory_health.retirement_pending": _retirement_pending,
    "pcie": _pcie,
    "nvlinks": _nvlinks,
    "fabric": _fabric,
    "fabric_status": _fabric_status,
    "license": _license,
    "processes": _processes,
}
