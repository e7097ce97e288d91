"""`promise.json`: what a command has to find in its environment before it may begin, and how it gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from envcheck.choice.gpus import devices_of
from envcheck.environments.place import Place
from envcheck.situation import Situation


@dataclass(frozen=True, slots=True)
class Promise:
    """The document `envcheck.promise/1`."""

    torch: str | None  # null where nothing was promised: the interpreter at hand is taken as it is
    cuda: str | None
    device: Literal["cpu", "cuda"]
    gpus: tuple[str, ...]  # UUIDs, of GPUs and MIG instances
    schema: str = "envcheck.promise/1"

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that hand over exactly the promised GPUs, in NVML's order."""
        if self.device == "cpu":
            return {"CUDA_VISIBLE_DEVICES": ""}
        chosen = {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **chosen}


def promise(situation: Situation, place: Place) -> Promise:
    """Return what a command may rely on in `place`: the recipe's own torch, and the GPUs that were judged."""
    recipe = situation.recipe
    devices = tuple(devices_of(situation.judged))
    uuids = tuple(device.uuid for device in devices if device.uuid is not None)
    return Promise(
        torch=str(recipe.torch) if place.is_locked else None,
        cuda=str(recipe.cuda) if place.is_locked and recipe.cuda is not None else None,
        device="cuda" if devices else "cpu",
        # A GPU without a known UUID cannot be handed over by one: then what is visible stays as it is.
        gpus=uuids if len(uuids) == len(devices) else (),
    )
