"""A sheet of what a network found on validation pictures: the first people of the set, none chosen.

Each person's own part of the picture with the joints on it; knows nothing about how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.data.crop import SCALE_UNIT
from pose.data.dataset import read_picture
from pose.data.joints import Joints
from pose.data.record import Record
from pose.telling.draw import draw_people, sheet

SHOWN, COLUMNS = 12, 4
TILE = (300, 220)  # (height, width) that the tiles fit into
DRAWN_FROM = 0.2  # joints that the network is less sure of are not drawn


def predictions(
    records: Sequence[Record], keypoints: NDArray[np.floating], joints: Joints
) -> NDArray[np.uint8]:
    """A BGR sheet of the first records that were found, their joints (N, K, 3) in picture pixels."""
    tiles, captions = [], []
    for record, person in _found(records, keypoints)[:SHOWN]:
        tiles.append(_tile(record, person, joints))
        sure = int((person[:, 2] > DRAWN_FROM).sum())
        captions.append(f"{record.image_id}   {sure} of {len(person)} joints")
    return sheet(tiles, COLUMNS, captions)


def _found(
    records: Sequence[Record], keypoints: NDArray[np.floating]
) -> list[tuple[Record, NDArray[np.floating]]]:
    """Without those whose picture could not be read."""
    pairs = zip(records, keypoints, strict=True)
    return [(record, person) for record, person in pairs if not np.isnan(person[0, 0])]


def _tile(record: Record, person: NDArray[np.floating], joints: Joints) -> NDArray[np.uint8]:
    """The part of the picture that the network saw, with the joints."""
    picture = read_picture(record.path)
    height, width = picture.shape[:2]
    half = np.asarray(record.scale, dtype=np.float64) * SCALE_UNIT / 2
    x0, y0 = np.clip(np.floor(record.center - half), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(record.center + half), (x0 + 1, y0 + 1), (width, height)).astype(int)
    part = picture[y0:y1, x0:x1]
    zoom = min(TILE[0] / part.shape[0], TILE[1] / part.shape[1])
    size = (max(1, round(part.shape[1] * zoom)), max(1, round(part.shape[0] * zoom)))
    shown = cv2.resize(part, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    shifted = np.array(person, dtype=np.float64)
    # cv2.resize maps pixel centres: (x + 1/2) * zoom - 1/2.
    shifted[:, :2] = (shifted[:, :2] - (x0, y0) + 0.5) * np.divide(size, part.shape[1::-1]) - 0.5
    return draw_people(shown.astype(np.uint8), shifted[None], threshold=DRAWN_FROM, joints=joints)
