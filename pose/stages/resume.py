"""What checkpoint.pth holds between epochs, and how training goes on from it.

The public implementation's keys, so that either resumes the other's, and two of ours: the best score so far
(it restores the last epoch's, so that a worse model can replace model_best.pth) and the seed. Random numbers
need no keeping: every one is a function of (seed, epoch).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pose.command.output import BEST, CHECKPOINT
from pose.errors import PoseError
from pose.networks import checkpoint
from pose.report import note
from pose.telling.history import score_of

NO_SCORE = -1.0
# How an optimiser computes is this machine's and this torch's affair, not the checkpoint's.
MACHINE_FLAGS = ("fused", "foreach", "capturable", "differentiable", "decoupled_weight_decay")


@dataclass
class Progress:
    """How far training is."""

    epoch: int  # finished and kept epochs
    best: float = NO_SCORE
    metrics: dict[str, float] | None = None  # of the last evaluated epoch

    @property
    def score(self) -> float:
        """AP, or MPII's mean, of the last evaluated epoch; 0 for sets whose truth is not public."""
        return score_of(self.metrics or {}) or 0.0

    def advance(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Takes note of an evaluated epoch; whether it is the best so far (of equals, the latest is)."""
        self.epoch, self.metrics = epoch, metrics
        is_best = self.score >= self.best
        self.best = max(self.best, self.score)
        return is_best


@dataclass(frozen=True)
class Last:
    """A checkpoint that was found."""

    path: Path
    content: dict[str, Any]

    @property
    def seed(self) -> int:
        """The seed of the run that wrote it; 0 in files of the public implementation."""
        seed = self.content.get("seed")
        return seed if isinstance(seed, int) else 0


def last_checkpoint(folder: Path) -> Last | None:
    """The folder's checkpoint, if it has one."""
    path = folder / CHECKPOINT
    return Last(path, checkpoint.read_checkpoint(path)) if path.is_file() else None


def restore(last: Last, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Puts weights and optimiser back to where they were; returns how far that is."""
    path, content = last.path, last.content
    checkpoint.load_strictly(model, checkpoint.state_of(content, path), path)
    flags = [{key: group[key] for key in MACHINE_FLAGS if key in group} for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(content["optimizer"])
        perf = float(content["perf"])
        best = float(content.get("best_perf", perf))
        progress = Progress(int(content["epoch"]), best, {"AP": perf})
    except (KeyError, TypeError, ValueError) as error:
        raise PoseError(
            f"{path} cannot be resumed from ({type(error).__name__}: {error})",
            "AUTO_RESUME False starts anew; --output DIR names another folder",
        ) from None
    for group, own in zip(optimizer.param_groups, flags, strict=True):
        group.update(own)
    note(f"resuming {path}: {progress.epoch} epochs are done")
    return progress


def keep(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    facts: dict[str, Any],
    *,
    is_best: bool,
) -> None:
    """Writes checkpoint.pth, and model_best.pth if this epoch is the best; `facts`: model's name and seed."""
    state = model.state_dict()
    content = {
        "epoch": progress.epoch,
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "best_state_dict": state,  # this epoch's, as there; the same storages, so it takes no room
        "perf": progress.score,
        "optimizer": optimizer.state_dict(),
        "best_perf": progress.best,
        **facts,
    }
    checkpoint.write(folder / CHECKPOINT, content)
    if is_best:
        checkpoint.write(folder / BEST, state)


def room(model: nn.Module) -> int:
    """Bytes that the files take at most, while checkpoint.pth is replaced."""
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return weights * (2 * 3 + 2)  # weights and Adam's two averages, twice; two weights files
