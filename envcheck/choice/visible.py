"""What CUDA_VISIBLE_DEVICES stands for: the GPUs and slices that CUDA would show, by UUID.

It is read as CUDA reads it: numbers, or UUIDs of GPUs (their beginning is enough), or UUIDs of MIG slices;
the list ends at the first entry that names nothing. Where that leaves CUDA without a GPU, and nobody asked
for that, it is refused: a typing error must not end on the CPU. CUDA's order is asked elsewhere.

*Source:* CUDA programming guide, "CUDA Environment Variables"; MIG user guide, "CUDA Device Enumeration".
Where they are silent (other text behind a number, two kinds of entries in one list, an entry that comes
twice), `_parse_visible_devices` of PyTorch's torch/cuda/__init__.py; not verified on a machine of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from envcheck.choice.gpus import Device, devices_of
from envcheck.compat.words import card
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu

_NUMBER = re.compile(r"\+?([0-9]{1,9})")  # more digits count no GPU, and cost time
_ALL_HIDDEN = re.compile(r"\s*(?:-[0-9].*|NoDevFiles\s*)?", re.DOTALL)
_CPU_HINT = "To use the CPU on purpose, say --gpus none."


@dataclass(frozen=True, slots=True)
class Visible:
    """What is left of a machine's GPUs, and the sentence that tells it."""

    names: tuple[str, ...] | Literal["none"]
    sentence: str


def counts(value: str) -> bool:
    """Return whether a CUDA_VISIBLE_DEVICES counts GPUs: what it names depends on CUDA's order."""
    return _kind(value.partition(",")[0].strip()) == "number"


def resolve(value: str, gpus: tuple[Gpu, ...], order: tuple[str, ...] | None = None) -> Visible:
    """Return what `value` shows of `gpus`. `order` is CUDA's, as UUIDs; None where it is that of `gpus`.

    Raises `UsageError` where CUDA would be left without a GPU by mistake, or would choose a slice by itself.
    """
    said = f"CUDA_VISIBLE_DEVICES={value:.60}"
    if _ALL_HIDDEN.fullmatch(value):
        return Visible("none", f"{said} hides every GPU")
    entries = [entry.strip() for entry in value.split(",")]
    counted = gpus if order is None else tuple(_by_uuid(uuid, gpus) for uuid in order)
    shown: list[Device] = []
    end = ""
    for entry in entries:
        device = _named(entry, gpus, counted, said) if _kind(entry) == _kind(entries[0]) else None
        if device is None:
            end = f"; CUDA stops reading at {entry[:60] or 'the empty entry'}"
            break
        if device in shown:
            raise UsageError(f"{said} names {_called(device)} twice: CUDA would show no GPU", _CPU_HINT)
        shown.append(device)
    if not shown:
        raise UsageError(
            f"{said} names no GPU of this machine: CUDA would show none", f"{_there_are(gpus)} {_CPU_HINT}"
        )
    order_said = ", in CUDA's own order" if order is not None else ", counted by PCI bus"
    called = ", ".join(_called(device) for device in shown) + (order_said if counts(value) else "")
    return Visible(tuple(device.uuid or device.names[-1] for device in shown), f"{said} is {called}{end}")


def _kind(entry: str) -> str:
    if _NUMBER.match(entry):
        return "number"
    return entry[:4] if entry.startswith(("GPU-", "MIG-")) else ""


def _named(entry: str, gpus: tuple[Gpu, ...], counted: tuple[Gpu | None, ...], said: str) -> Device | None:
    """Return the device that an entry names, None where it names nothing."""
    if entry.startswith("MIG-"):
        # Before driver 470 it is MIG-GPU-<uuid>/<GPU instance>/<compute instance>, to NVML as to CUDA.
        return next((one for one in devices_of(gpus) if one.instance and one.uuid == entry), None)
    if number := _NUMBER.match(entry):
        place = int(number[1])
        gpu = counted[place] if place < len(counted) else None
    else:
        gpu = _by_uuid(entry, gpus) if entry.startswith("GPU-") else None
    if gpu is None:
        return None
    devices = [one for one in devices_of(gpus) if one.gpu is gpu]
    if len(devices) > 1:
        slices = ", ".join(_called(one) for one in devices)
        raise UsageError(
            f"{said} names {card(gpu)}, of which CUDA shows one of {len(devices)} slices",
            f"Name the slice: {slices}.",
        )
    return devices[0]


def _by_uuid(beginning: str, gpus: tuple[Gpu, ...]) -> Gpu | None:
    found = [gpu for gpu in gpus if gpu.uuid is not None and gpu.uuid.startswith(beginning)]
    return found[0] if len(found) == 1 else None


def _there_are(gpus: tuple[Gpu, ...]) -> str:
    return f"There are: {', '.join(_called(device) for device in devices_of(gpus))}."


def _called(device: Device) -> str:
    name = device.instance.name.removeprefix("NVIDIA ") if device.instance and device.instance.name else ""
    return f"{name or card(device.gpu)} ({device.uuid or device.names[-1]})"
