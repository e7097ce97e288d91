"""Which devices a stage works on, and how a network gets onto them.

The config's GPUS index what this process was handed; fewer or none is said, not refused. A training has a
process for each of them (`team.py`), testing and prediction split their batches over all in one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

from pose.command.config import Config, Train
from pose.errors import PoseError
from pose.machines import randomness
from pose.machines.team import ALONE, Team
from pose.report import note


@dataclass(frozen=True)
class Devices:
    """This process's devices, and how many processes load for them."""

    gpus: tuple[int, ...]  # CUDA indices; none for the CPU
    workers: int
    asked: int = 0  # how many the config names
    team: Team = ALONE  # the processes that train together

    @property
    def main(self) -> torch.device:
        """Where batches go and losses are taken."""
        return torch.device("cuda", self.gpus[0]) if self.gpus else torch.device("cpu")

    @property
    def count(self) -> int:
        """How many batches this process works on side by side: what BATCH_SIZE_PER_GPU is multiplied by."""
        return max(1, len(self.gpus))

    @property
    def share(self) -> float:
        """The batch as a share of the one that the config was written for."""
        return self.together / max(1, self.asked or self.together)

    @property
    def together(self) -> int:
        """How many batches are worked on side by side in all processes."""
        return self.count * self.team.size

    def rate(self, train: Train, rate: float) -> float:
        """The learning rate to use, scaled as the batch is where SCALE_LR asks for it."""
        return rate * self.share if train.SCALE_LR else rate

    def place(self, model: nn.Module) -> nn.Module:
        """The network on its devices, its batches split over them when there are several.

        Channels last on GPUs, whose tensor cores want it and whose crops come that way; not on CPUs, where
        it was slower at a batch of 8 and no faster at 32 (torch 2.13, ResNet-18 96x64).
        """
        if not self.gpus:
            return model
        model = model.to(self.main, memory_format=torch.channels_last)
        return nn.DataParallel(model, device_ids=list(self.gpus)) if len(self.gpus) > 1 else model


def usable(config: Config) -> tuple[int, ...]:
    """Those of the config's GPUS that are here; the first one where only others are."""
    present = _present()
    gpus = tuple(dict.fromkeys(index for index in config.GPUS if index < present))
    return gpus or ((0,) if config.GPUS and present else ())


def choose(config: Config, *, learning: bool = False, team: Team = ALONE) -> Devices:
    """This process's GPUs or the CPU; says where those in use differ from what was asked.

    With `learning` one GPU for each process of the team, and it also says what a smaller batch means for
    the learning rate.
    """
    gpus = usable(config)
    if learning and gpus:
        if team.local >= len(gpus):
            raise PoseError(
                f"torchrun started more processes than GPUS {config.GPUS} has here: {len(gpus)}",
                f"--nproc_per_node {len(gpus)}",
            )
        gpus = gpus[: team.size]
    if not gpus:
        why = "torch sees no GPU" if config.GPUS else "none asked for"
        note(f"GPUS {config.GPUS} becomes the CPU with {torch.get_num_threads()} threads: {why}")
    elif gpus != config.GPUS:
        note(f"GPUS {config.GPUS} becomes {gpus}: torch sees {_present()}")
    most = cores()
    if most < config.WORKERS:
        note(f"WORKERS {config.WORKERS} becomes {most}: as many as there are cores")
    own = gpus[team.local : team.local + 1] if team.size > 1 else gpus
    workers = -(-min(config.WORKERS, most) // team.size)
    used = Devices(own, workers, asked=len(set(config.GPUS)), team=team)
    if learning and used.share != 1:
        note(_on_the_rate(config.TRAIN, used))
    return used


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _present() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _on_the_rate(train: Train, used: Devices) -> str:
    batch = train.BATCH_SIZE_PER_GPU
    sizes = f"batches of {batch * used.together} instead of the config's {batch * used.asked}"
    scaled = f"{train.LR * used.share:.3g}"
    if train.SCALE_LR:
        return f"{sizes}: the learning rate is {scaled} instead of {train.LR:.3g} (TRAIN.SCALE_LR)"
    return f"{sizes}: the learning rate stays {train.LR:.3g}; TRAIN.SCALE_LR True would make it {scaled}"


def settle(config: Config, seed: int, *, deterministic: bool) -> None:
    """Seeds every random generator and sets torch's switches for this process."""
    deterministic = deterministic or config.CUDNN.DETERMINISTIC
    randomness.seed(seed)
    torch.backends.cudnn.enabled = config.CUDNN.ENABLED
    torch.backends.cudnn.benchmark = config.CUDNN.BENCHMARK and not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        torch.use_deterministic_algorithms(mode=True)
