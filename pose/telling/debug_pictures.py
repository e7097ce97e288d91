"""DEBUG's pictures: what the network was given, what it should have found and what it found, batch by batch.

Of each shown batch (train_<i>_..., val_<i>_...), overwritten from epoch to epoch:
    gt.jpg     hm_gt.jpg      the joints and the heat maps to learn
    pred.jpg   hm_pred.jpg    the heat maps' maxima and the heat maps, as they are
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pose.command.config import Config
from pose.data.joints import Joints
from pose.judging.decode import peaks
from pose.telling.draw import cover, draw_people, joint_colour, mark, sheet
from pose.writing import write_picture

COLUMNS = 8
LEAST_CROP, LEAST_MAP = 256, 112  # pixels of height that smaller ones are enlarged to


@dataclass(frozen=True)
class DebugPictures:
    """Where they go, and which are asked for."""

    folder: Path
    config: Config
    joints: Joints

    def write(
        self, kind: str, number: int, batch: Mapping[str, Tensor], output: Tensor, target: Tensor | None
    ) -> None:
        """Those of batch `number`: a loader's dict, maps (B, K, h, w) found and wanted; None where unknown.

        Nothing that is given is changed. Joints are drawn at their place in the crop; found ones, which are
        known by their cell, at the place that the cell is learnt for.
        """
        asked, begin = self.config.DEBUG, self.folder / f"{kind}_{number}"
        crops = batch["image"].numpy()[..., ::-1] if self.config.DATASET.COLOR_RGB else batch["image"].numpy()
        known = batch["visible"].numpy() > 0 if target is not None else np.ones(output.shape[:2], bool)
        maps = {"gt": target, "pred": output}
        wanted = {
            "gt": (asked.SAVE_BATCH_IMAGES_GT, asked.SAVE_HEATMAPS_GT),
            "pred": (asked.SAVE_BATCH_IMAGES_PRED, asked.SAVE_HEATMAPS_PRED),
        }
        for name, heat in maps.items():
            if heat is None:
                continue
            cells, values = peaks(heat)
            if name == "gt":
                places, shown = batch["joints"].numpy(), known
            else:  # a map without a positive value has no joint
                places, shown = _in_crop(cells, crops, heat), known & (values > 0).cpu().numpy()
            with_joints, with_heat = wanted[name]
            if with_joints:
                write_picture(Path(f"{begin}_{name}.jpg"), self._people(crops, places, shown))
            if with_heat:
                write_picture(Path(f"{begin}_hm_{name}.jpg"), self._maps(crops, heat, cells))

    def _people(
        self, crops: NDArray[np.uint8], places: NDArray[np.float64], shown: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """All crops with their joints (B, K, 2), those that are `shown`."""
        zoom = max(1.0, LEAST_CROP / crops.shape[1])
        people = np.concatenate([places, shown[..., None]], axis=2)
        tiles = [
            draw_people(crop, person[None], threshold=0.5, joints=self.joints, zoom=zoom)
            for crop, person in zip(crops, people, strict=True)
        ]
        return sheet(tiles, COLUMNS, [str(index) for index in range(len(tiles))])

    def _maps(self, crops: NDArray[np.uint8], heat: Tensor, cells: Tensor) -> NDArray[np.uint8]:
        """A row for each crop: itself, then under each joint's map, its maximum marked, and its value."""
        height, width = heat.shape[2:]
        zoom = max(1, -(-LEAST_MAP // height))
        size = (width * zoom, height * zoom)
        tiles, captions = [], []
        values = heat.detach().to("cpu").float().numpy()
        for index, (crop, person, peak) in enumerate(zip(crops, values, cells.cpu().numpy(), strict=True)):
            small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
            tiles.append(small)
            captions.append(str(index))
            for joint, (one, cell) in enumerate(zip(person, peak, strict=True)):
                tile = cover(small, cv2.resize(one, size, interpolation=cv2.INTER_NEAREST))
                if one.max() > 0:
                    tile = mark(tile, (cell + 0.5) * zoom - 0.5, joint_colour(self.joints, joint))
                tiles.append(tile)
                captions.append(f"{_short(self.joints.names[joint])} {one.max():.2f}")
        return sheet(tiles, 1 + heat.shape[1], captions)


def debug_pictures(folder: Path, config: Config, joints: Joints) -> DebugPictures | None:
    """The pictures that the DEBUG section asks for; None without."""
    return DebugPictures(folder, config, joints) if config.DEBUG.DEBUG else None


def _in_crop(cells: Tensor, crops: NDArray[np.uint8], heat: Tensor) -> NDArray[np.float64]:
    """The cells (B, K, 2) in the crops' pixels."""
    stride = np.array([crops.shape[2] / heat.shape[3], crops.shape[1] / heat.shape[2]])
    return cells.cpu().numpy() * stride


def _short(name: str) -> str:
    return name.replace("left_", "l.").replace("right_", "r.")
