"""Simple Baseline's loss on heat maps, and the learning rate of an epoch.

Pure functions of tensors and numbers; the optimiser is `train.py`'s, the loop `learn.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pose.command.config import Loss


def joints_loss(output: Tensor, target: Tensor, weight: Tensor | None, settings: Loss) -> Tensor:
    """The loss that the LOSS section asks for: the mean over all joints, or over each person's hardest."""
    if settings.USE_OHKM:
        return _joints_ohkm(output, target, weight, settings.TOPK)
    return joints_mse(output, target, weight)


def joints_mse(output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """Scalar loss: per joint half the mean over batch and cells of (w*p - w*t)^2, averaged over the joints.

    `output` and `target` are (B, K, h, w), `weight` (B, K, 1) or None for 1 everywhere; the weight enters
    squared. All joints have equally many cells, so that the mean over joints of means is one mean.
    """
    return 0.5 * _squares(output, target, weight).mean()


def _joints_ohkm(output: Tensor, target: Tensor, weight: Tensor | None, hardest: int) -> Tensor:
    """Scalar loss: half the mean over a joint's cells, averaged over each person's `hardest` joints.

    Online hard keypoint mining: which joints count is decided person by person and batch by batch, by the
    same half mean; the others get no gradient. Shapes as for `joints_mse`; `hardest` is at most K.
    """
    joints = 0.5 * _squares(output, target, weight).flatten(2).mean(dim=2)
    return joints.topk(hardest, dim=1, sorted=False).values.mean()


def _squares(output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """(w*p - w*t)^2 of every cell."""
    difference = output - target
    if weight is not None:
        difference = difference * weight[..., None]
    return difference.square()


def learning_rate(base: float, factor: float, steps: Sequence[int], epoch: int) -> float:
    """The rate of an epoch (counted from 0): `base` times `factor` for every step that is at or before it.

    A function of the epoch alone, so that resuming cannot shift it. The public implementation, run on torch
    1.1 or later, drops one epoch early; this is what it did on torch 1.0 and what its configs say.
    """
    return base * factor ** sum(step <= epoch for step in steps)
