"""From batches of crops to people's joints: normalisation, flip averaging, decoding, all on the device.

Shared by training's evaluation, testing and prediction. Knows nothing about files, tables or terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose.average import Average
from pose.command.config import Config
from pose.data.joints import COCO
from pose.errors import PoseError
from pose.judging.decode import decode, flip_back, pck_accuracy
from pose.judging.targets import heatmap_targets
from pose.networks.loss import joints_loss

# ImageNet's, applied in the channel order at hand: with COLOR_RGB False the published weights saw blue first.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


# A batch as it came, its heat maps as found and as wanted; None where the records have no truth.
JudgedBatch = tuple[dict[str, Tensor], Tensor, "Tensor | None"]


@dataclass(frozen=True)
class Found:
    """What a network found for N records, in their order."""

    keypoints: NDArray[np.float32]  # (N, K, 3): x and y in picture pixels, the heat map's value
    loss: float | None  # None where the records have no truth
    accuracy: float | None  # None also where no joint could be judged
    unreadable: tuple[str, ...] = ()  # a sentence for each picture that nobody could look at
    people: float = 0  # that the loss is a mean over
    joints: float = 0  # that the accuracy is

    def with_gaps(self, count: int, unreadable: Mapping[int, PoseError]) -> Found:
        """The same for `count` records, of whom those who could not be looked at have NaN.

        Raises:
            PoseError: when nobody could be looked at.
        """
        if not unreadable:
            return self
        if len(unreadable) == count:
            raise next(iter(unreadable.values()))
        keypoints = np.full((count, *self.keypoints.shape[1:]), np.nan, dtype=np.float32)
        keypoints[[index for index in range(count) if index not in unreadable]] = self.keypoints
        sentences = tuple(dict.fromkeys(error.message for _, error in sorted(unreadable.items())))
        return Found(keypoints, self.loss, self.accuracy, sentences)


def normalise(crops: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W); on GPUs channels last in memory, as the crops are."""
    mean, deviation = (torch.tensor(v, device=crops.device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    layout = torch.channels_last if crops.is_cuda else torch.contiguous_format
    pictures = crops.permute(0, 3, 1, 2).to(torch.float32, memory_format=layout)
    return pictures.div_(255).sub_(mean).div_(deviation)


def heat_maps(
    model: nn.Module, crops: Tensor, config: Config, flip_pairs: Sequence[tuple[int, int]]
) -> Tensor:
    """(B, K, h, w) for uint8 crops, averaged with the mirrored picture's when FLIP_TEST is set."""
    pictures = normalise(crops)
    with _whole_float32():
        maps = model(pictures)
        if config.TEST.FLIP_TEST:
            mirrored = model(pictures.flip(3))
            maps = (maps + flip_back(mirrored, flip_pairs, shift=config.TEST.SHIFT_HEATMAP)) * 0.5
    return maps


@contextmanager
def _whole_float32() -> Iterator[None]:
    """Convolutions without TF32: it has ten bits where the published figures were computed with 23."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.no_grad()
def find(  # noqa: PLR0913 - the network, its people, and what is known of their joints
    model: nn.Module,
    batches: Iterable[dict[str, Tensor]],
    config: Config,
    device: torch.device,
    flip_pairs: Sequence[tuple[int, int]],
    *,
    has_truth: bool,
    joint_weights: Sequence[float] = COCO.weights,
    each: Callable[[Average, Average, JudgedBatch], None] = lambda _loss, _accuracy, _seen: None,
) -> Found:
    """The joints of every record; `each` is told loss and accuracy so far, batch by batch, and may stop."""
    model.eval()
    keypoints: list[Tensor] = []
    loss, accuracy = Average(), Average()
    for batch in batches:
        crops = batch["image"].to(device, non_blocking=True)
        maps, target = heat_maps(model, crops, config, flip_pairs), None
        if has_truth:
            joints, visible = batch["joints"].to(device), batch["visible"].to(device)
            target, weight = make_targets(joints, visible, config, joint_weights)
            loss.add(float(joints_loss(maps, target, weight, config.LOSS)), len(crops))
            accuracy.add(*pck_accuracy(maps, target))
        points, values = decode(maps, batch["center"], batch["scale"], post_process=config.TEST.POST_PROCESS)
        keypoints.append(torch.cat([points, values[..., None]], dim=2).cpu())
        each(loss, accuracy, (batch, maps, target))
    found = (
        torch.cat(keypoints).numpy() if keypoints else np.zeros((0, config.MODEL.NUM_JOINTS, 3), np.float32)
    )
    return Found(found, loss.mean, accuracy.mean, people=loss.count, joints=accuracy.count)


def make_targets(
    joints: Tensor, visible: Tensor, config: Config, joint_weights: Sequence[float] = COCO.weights
) -> tuple[Tensor, Tensor | None]:
    """Heat maps (B, K, h, w) and weights (B, K, 1), or None for 1 everywhere, as the LOSS section says."""
    model = config.MODEL
    target, weight = heatmap_targets(
        joints, visible, model.image_height_width, model.heatmap_height_width, model.SIGMA
    )
    if not config.LOSS.USE_TARGET_WEIGHT:
        return target, None
    if config.LOSS.USE_DIFFERENT_JOINTS_WEIGHT:
        weight = weight * torch.tensor(joint_weights, device=weight.device).view(1, -1, 1)
    return target, weight
