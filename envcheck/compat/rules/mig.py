"""MIG, GPUs split into slices: one process sees one slice, and none where none was made."""

from __future__ import annotations

from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards, fact_paths
from envcheck.host.facts import Gpu, Host, MigInstance

SOURCE = "NVIDIA, Multi-Instance GPU user guide, CUDA device enumeration"


def mig(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether CUDA has one device, or whole GPUs only, where MIG is in play among the host's GPUs."""
    if build.cuda is None or not host.gpus:
        return ()
    unsaid = _unsaid(host, host.gpus)
    split = [gpu for gpu in host.gpus if gpu.mig is not None and gpu.mig.enabled]
    if not split:
        return unsaid
    empty = tuple(gpu for gpu in split if gpu.mig is not None and gpu.mig.instances == ())
    slices = tuple(one for gpu in split if gpu.mig is not None for one in gpu.mig.instances or ())
    whole = tuple(gpu for gpu in host.gpus if gpu not in split)
    if empty:
        return (*unsaid, _refuse_empty(host.gpus, empty))
    if slices and len(slices) + len(whole) > 1:
        return (*unsaid, _refuse_several(slices, whole))
    if unsaid:
        return unsaid
    (one,) = slices
    because = f"{one.name or 'One MIG slice'} is the one CUDA device of the process."
    return (Reason("mig", "fits", because, source=SOURCE),)


def _unsaid(host: Host, gpus: tuple[Gpu, ...]) -> tuple[Reason, ...]:
    """Return the facts that are missing: whether a GPU is split, and into what."""
    places = [(gpu, place if gpu.index is None else gpu.index) for place, gpu in enumerate(gpus)]
    missing = {
        "mig": [gpu for gpu, place in places if gpu.mig is None and f"gpus[{place}].mig" in host.unknown],
        "mig.enabled": [gpu for gpu in gpus if gpu.mig is not None and gpu.mig.enabled is None],
        "mig.instances": [
            gpu for gpu in gpus if gpu.mig is not None and gpu.mig.enabled and gpu.mig.instances is None
        ],
    }
    return tuple(
        Reason(
            "mig",
            "unknown",
            f"Whether CUDA sees one device or several of {cards(group)} depends on MIG:"
            f" {fact_paths(host, group, fact)} would settle it.",
            source=SOURCE,
        )
        for fact, group in missing.items()
        if group
    )


def _refuse_empty(gpus: tuple[Gpu, ...], empty: tuple[Gpu, ...]) -> Reason:
    because = f"MIG is on for {cards(empty)} and no instance was made: CUDA sees no device there."
    off = "".join(f" -i {gpu.index}" for gpu in empty if gpu.index is not None and len(empty) == 1)
    ways = ["Make instances (nvidia-smi mig -lgip lists the kinds)", f"turn MIG off (nvidia-smi{off} -mig 0)"]
    others = [str(gpu.index) for gpu in gpus if gpu not in empty and gpu.index is not None]
    if others:
        ways.append(f"name the other GPUs (--gpus {','.join(others)})")
    return Reason("mig", "refused", because, f"{', '.join(ways[:-1])} or {ways[-1]}.", SOURCE)


def _refuse_several(slices: tuple[MigInstance, ...], whole: tuple[Gpu, ...]) -> Reason:
    counted = f"{len(slices)} MIG slice{'s' if len(slices) > 1 else ''}"
    beside = f" and {cards(whole)}" if whole else ""
    because = (
        f"One process sees one slice: {counted}{beside} cannot work together, nor in parallel over the data."
    )
    largest = max(slices, key=lambda one: one.memory_mib or 0)
    ways = [f"Name one slice (--gpus {largest.uuid or 'MIG-...'})"]
    if named := [str(gpu.index) for gpu in whole if gpu.index is not None]:
        ways.append(f"whole GPUs only (--gpus {','.join(named)})")
    return Reason("mig", "refused", because, f"{' or '.join(ways)}.", SOURCE)
