"""Which GPUs are in question: every one of a host, the named ones, or none.

A GPU is named by its index (as nvidia-smi counts, by PCI bus), its UUID or the beginning of one, a MIG
instance by its UUID or as `0:1`, instance 1 of GPU 0. What follows from the GPUs is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from packaging.version import Version

from envcheck.compat.rules.devices import unlisted_cards
from envcheck.compat.words import card
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu, Host, MigInstance


@dataclass(frozen=True, slots=True)
class Device:
    """What CUDA would see as one device: a whole GPU, or one slice of it."""

    gpu: Gpu
    place: int  # of the GPU in the host's list
    instance: MigInstance | None = None
    slice: int | None = None  # of the instance in its GPU's list

    @property
    def names(self) -> tuple[str, ...]:
        """What the device is called on a command line, beside its UUID."""
        index = str(self.place if self.gpu.index is None else self.gpu.index)
        return (index,) if self.slice is None else (index, f"{index}:{self.slice}")

    @property
    def uuid(self) -> str | None:
        """The UUID under which it is handed over."""
        return self.gpu.uuid if self.instance is None else self.instance.uuid


def narrow(host: Host, names: tuple[str, ...] | Literal["none"] | None) -> Host:
    """Return the host with the GPUs in question alone; of a GPU that MIG splits, with those slices alone.

    Who names cards has said which ones matter: others on the PCI bus are then not asked after. Where nobody
    does, a split machine keeps what one process can use at once: its whole GPUs, or else its largest slice.
    Raises `UsageError` for a GPU that is not there.
    """
    if names == "none":
        return replace(host, gpus=(), pci=None)
    if names is None:
        return _usable_at_once(host)
    if host.gpus is None:
        raise UsageError("--gpus names GPUs, and which there are is not known", host.unknown.get("gpus", ""))
    here = tuple(devices_of(host.gpus))
    named = [device for name in names for device in _named(here, name)]
    return replace(host, gpus=_joined(host.gpus, named), pci=None)


def handed_over(host: Host) -> tuple[str, ...]:
    """Return the UUIDs of what a narrowed host's jobs get: whole GPUs and slices, where they are known."""
    return tuple(device.uuid for device in devices_of(host.gpus or ()) if device.uuid)


def devices_of(gpus: tuple[Gpu, ...]) -> Iterator[Device]:
    """Yield what CUDA could see of these GPUs: of one that MIG splits its slices, in its stead."""
    for place, gpu in enumerate(gpus):
        if gpu.mig is not None and gpu.mig.enabled and gpu.mig.instances:
            for number, instance in enumerate(gpu.mig.instances):
                yield Device(gpu, place, instance, number)
        else:
            yield Device(gpu, place)


def _usable_at_once(host: Host) -> Host:
    devices = tuple(devices_of(host.gpus or ()))
    slices = [device for device in devices if device.instance is not None]
    # A card that nothing explains stops everything: the rules have to see the whole machine.
    if not slices or unlisted_cards(host):
        return host
    whole = [device for device in devices if device.instance is None]
    largest = max(slices, key=_size)
    return replace(host, gpus=_joined(host.gpus or (), whole or [largest]), pci=None)


def _size(device: Device) -> tuple[int, Version]:
    """Return what makes one slice more than another; of equals that of the newer card, wherever it stands."""
    memory = device.instance.memory_mib if device.instance else None
    return memory or 0, device.gpu.compute_capability or Version("0")


def _joined(gpus: tuple[Gpu, ...], devices: list[Device]) -> tuple[Gpu, ...]:
    """Return those of `gpus` that `devices` belong to, in their order, each with its named slices only."""
    kept = []
    for place, gpu in enumerate(gpus):
        mine = [device for device in devices if device.place == place]
        if not mine:
            continue
        numbers = sorted({device.slice for device in mine if device.slice is not None})
        if numbers and gpu.mig is not None and gpu.mig.instances is not None:
            instances = tuple(gpu.mig.instances[number] for number in numbers)
            kept.append(replace(gpu, mig=replace(gpu.mig, instances=instances)))
        else:
            kept.append(gpu)
    return tuple(kept)


def _named(devices: tuple[Device, ...], name: str) -> tuple[Device, ...]:
    """Return what one name stands for: a device, or every slice of a split GPU that is named whole."""
    found = tuple(device for device in devices if name in device.names)
    if not found and name:
        found = _by_uuid(devices, name.lower())
    if len({device.place for device in found}) == 1:
        return found
    here = ", ".join(f"{device.names[-1]} ({card(device.gpu)})" for device in devices)
    problem = f"--gpus: {name!r:.60} names {len(found) or 'no'} GPU{'s' if found else ''}"
    raise UsageError(problem, f"There are: {here}" if here else "This machine has none: --gpus none")


def _by_uuid(devices: tuple[Device, ...], beginning: str) -> tuple[Device, ...]:
    slices = [device for device in devices if device.instance and _begins(device.uuid, beginning)]
    return tuple(slices or [device for device in devices if _begins(device.gpu.uuid, beginning)])


def _begins(uuid: str | None, beginning: str) -> bool:
    return uuid is not None and uuid.lower().startswith(beginning)
