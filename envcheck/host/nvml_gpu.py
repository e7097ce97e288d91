"""One GPU, put together from what NVML said about it."""

from __future__ import annotations

from typing import Any

from envcheck.host.facts import Gpu, GpuProcess, MemoryHealth, Mig, MigInstance, PcieLink
from envcheck.host.nvml_lines import Lines


def gpu_of(said: Lines, index: int) -> Gpu:
    """Return the GPU at a place of NVML's list; why a fact of it is missing is noted in `said`."""
    path = f"gpus[{index}]"
    if said.fact(path) is None:
        return Gpu(index=index)  # the one reason stands for all that is missing
    pcie = said.fact(f"{path}.pcie")
    return Gpu(
        index=index,
        uuid=said.fact(f"{path}.uuid"),
        name=said.fact(f"{path}.name"),
        brand=said.fact(f"{path}.brand"),
        compute_capability=said.version(f"{path}.compute_capability"),
        memory_mib=said.fact(f"{path}.memory_mib"),
        pci_address=said.fact(f"{path}.pci_address"),
        mig=_mig(said, f"{path}.mig"),
        memory_free_mib=said.fact(f"{path}.memory_free_mib"),
        utilization=said.fact(f"{path}.utilization"),
        persistence=said.fact(f"{path}.persistence"),
        compute_mode=said.fact(f"{path}.compute_mode"),
        slowed_by=_several(said, f"{path}.slowed_by"),
        memory_health=_memory_health(said, f"{path}.memory_health"),
        pcie=None if pcie is None else PcieLink(**pcie),
        nvlinks=_several(said, f"{path}.nvlinks"),
        fabric=said.fact(f"{path}.fabric"),
        fabric_status=said.fact(f"{path}.fabric_status"),
        license=said.fact(f"{path}.license"),
        processes=_processes(said, f"{path}.processes"),
    )


def _mig(said: Lines, path: str) -> Mig | None:
    enabled = said.fact(path)
    if not enabled:
        return None if enabled is None else Mig(enabled=False)
    count = said.fact(f"{path}.instances")
    if count is None:
        return Mig(enabled=True)
    return Mig(
        enabled=True,
        instances=tuple(
            MigInstance(
                uuid=said.fact(f"{path}.instances[{number}].uuid"),
                name=said.fact(f"{path}.instances[{number}].name"),
                memory_mib=said.fact(f"{path}.instances[{number}].memory_mib"),
            )
            for number in range(count)
        ),
    )


def _several(said: Lines, path: str) -> tuple[Any, ...] | None:
    found = said.fact(path)
    return None if found is None else tuple(found)


def _processes(said: Lines, path: str) -> tuple[GpuProcess, ...] | None:
    found = said.fact(path)
    return None if found is None else tuple(GpuProcess(**process) for process in found)


def _memory_health(said: Lines, path: str) -> MemoryHealth:
    return MemoryHealth(
        ecc=said.fact(f"{path}.ecc"),
        uncorrected=said.fact(f"{path}.uncorrected"),
        remap_pending=said.fact(f"{path}.remap_pending"),
        remap_failed=said.fact(f"{path}.remap_failed"),
        retirement_pending=said.fact(f"{path}.retirement_pending"),
    )
