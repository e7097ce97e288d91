"""People found in many pictures: boxes to crops, crops to full batches, batches back to their pictures.

Holds a batch of pictures at most, however many come. Knows no files and no drawing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose.command.config import Config
from pose.data.crop import affine_matrix, box_to_center_scale, warp
from pose.data.joints import joints_of
from pose.judging import inference
from pose.judging.evaluate import person_scores
from pose.machines import devices
from pose.predicting.boxes import Boxed
from pose.predicting.sources import Frame


@dataclass
class Seen:
    """A picture with its boxes, and what was found so far, person by person."""

    frame: Frame
    boxes: tuple[Boxed, ...]
    keypoints: list[NDArray[np.float32]] = field(default_factory=list)  # each (K, 3)
    heat: list[NDArray[np.float32]] = field(default_factory=list)  # each (h, w); empty unless asked for

    def scores(self, config: Config) -> NDArray[np.float64]:
        """COCO's score of each person: the box's times the mean of the values over TEST.IN_VIS_THRE."""
        table = np.array(self.keypoints, dtype=np.float32).reshape(
            len(self.boxes), config.MODEL.NUM_JOINTS, 3
        )
        box_scores = np.array([boxed.score for boxed in self.boxes])
        return person_scores(table[..., 2], box_scores, config.TEST.IN_VIS_THRE)


@dataclass(frozen=True)
class _Crop:
    owner: Seen
    pixels: NDArray[np.uint8]
    center: NDArray[np.float32]
    scale: NDArray[np.float32]


def find_people(
    model: nn.Module,
    pictures: Iterable[tuple[Frame, tuple[Boxed, ...]]],
    config: Config,
    used: devices.Devices,
    *,
    with_heat: bool,
) -> Iterator[Seen]:
    """The pictures in their order, each once all its people are found."""
    size = config.TEST.BATCH_SIZE_PER_GPU
    waiting: deque[Seen] = deque()
    crops: deque[_Crop] = deque()

    def work(least: int) -> Iterator[Seen]:
        # Pictures without people may not pile up behind one that waits for a full batch.
        while len(crops) >= least or (crops and len(waiting) > size):
            _run(model, [crops.popleft() for _ in range(min(size, len(crops)))], config, used, with_heat)
        while waiting and len(waiting[0].keypoints) == len(waiting[0].boxes):
            yield waiting.popleft()

    for frame, boxes in pictures:
        seen = Seen(frame, boxes)
        waiting.append(seen)
        crops += [_Crop(seen, *cut) for cut in crops_of(frame.picture, boxes, config)]
        yield from work(size)
    while crops:
        yield from work(1)
    yield from work(1)


def crops_of(
    picture: NDArray[np.uint8], boxes: Sequence[Boxed], config: Config
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]]:
    """What the network is to see of each box in a BGR picture (H, W, 3): pixels, centre and scale."""
    colours = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if config.DATASET.COLOR_RGB else picture
    for boxed in boxes:
        center, scale = box_to_center_scale(boxed.box, config.MODEL.image_height_width)
        matrix = affine_matrix(center, scale, 0.0, config.MODEL.image_height_width)
        yield warp(colours, matrix, config.MODEL.image_height_width), center, scale


def _run(
    model: nn.Module, crops: list[_Crop], config: Config, used: devices.Devices, with_heat: bool
) -> None:
    batch: dict[str, Tensor] = {
        "image": torch.from_numpy(np.stack([crop.pixels for crop in crops])),
        "center": torch.from_numpy(np.stack([crop.center for crop in crops])),
        "scale": torch.from_numpy(np.stack([crop.scale for crop in crops])),
    }
    pairs = joints_of(config.DATASET.DATASET, config.MODEL.NUM_JOINTS).flip_pairs
    found = inference.find(model, [batch], config, used.main, pairs, has_truth=False)
    for crop, keypoints in zip(crops, found.keypoints, strict=True):
        crop.owner.keypoints.append(keypoints)
    if with_heat:
        with torch.no_grad():
            maps = inference.heat_maps(model, batch["image"].to(used.main), config, pairs)
        for crop, heat in zip(crops, maps.amax(dim=1).float().cpu().numpy(), strict=True):
            crop.owner.heat.append(heat)
