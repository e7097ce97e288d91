"""Skeletons on pictures, and pictures on a sheet: what people look at.

Left limbs are warm, right limbs cool, what belongs to both sides is green, so that a swapped side
catches the eye. Colours are BGR, points (x, y) in the picture's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.data.crop import affine_matrix
from pose.data.joints import COCO, Joints

LEFT, RIGHT, MIDDLE = (48, 140, 255), (255, 176, 56), (96, 214, 116)  # BGR: orange, sky, green
COLOUR_OF = {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
OUTLINE = (36, 30, 28)
PAPER, INK = (250, 248, 246), (52, 46, 42)
SUBPIXEL_BITS = 4
HEAT_COVER = 0.85
MARGIN = 10
CAPTION_HEIGHT = 22

Colour = tuple[int, int, int]


def draw_people(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.floating],
    *,
    threshold: float,
    joints: Joints = COCO,
    zoom: float = 1.0,
) -> NDArray[np.uint8]:
    """A copy of the BGR picture, `zoom` times as large, with N people (N, K, 3) drawn on it.

    Joints whose third number is not above `threshold` are left out, and the limbs at them. Lines are
    as strong as the person is large.
    """
    canvas = np.ascontiguousarray(image)
    if zoom != 1:
        canvas = cv2.resize(canvas, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    canvas = canvas.copy() if canvas is image else canvas
    for person in np.asarray(keypoints, dtype=np.float64):
        # cv2.resize maps pixel centres: (x + 1/2) * zoom - 1/2.
        points = (person[:, :2] + 0.5) * zoom - 0.5
        _draw_person(canvas, points, person[:, 2] > threshold, joints)
    return canvas


def draw_heat(
    image: NDArray[np.uint8],
    heat: NDArray[np.floating],
    center: NDArray[np.floating],
    scale: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """A copy of the BGR picture under N people's heat (N, h, w), the strongest of each place.

    `center` and `scale` (N, 2) are the crops'. A value of 1 covers most of the picture, 0 nothing.
    """
    height, width = image.shape[:2]
    whole = np.zeros((height, width), dtype=np.float32)
    for person, middle, extent in zip(heat, center, scale, strict=True):
        matrix = affine_matrix(middle, extent, 0.0, person.shape, inverse=True)
        warped = cv2.warpAffine(person.astype(np.float32), matrix, (width, height), flags=cv2.INTER_LINEAR)
        np.maximum(whole, warped, out=whole)
    return cover(image, whole)


def cover(image: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The BGR picture under heat of its own size."""
    strength = np.clip(heat, 0, 1)
    colours = cv2.applyColorMap(np.rint(strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    # What is near 0 everywhere would show the crop's edge, and the person should stay in sight.
    share = HEAT_COVER * np.clip((strength - 0.1) / 0.9, 0, 1)[..., None]
    return np.rint(image * (1 - share) + colours * share).astype(np.uint8)


def mark(image: NDArray[np.uint8], at: NDArray[np.floating], colour: Colour) -> NDArray[np.uint8]:
    """A copy of the picture with a ringed dot."""
    canvas = image.copy()
    for radius, ink in ((4.0, OUTLINE), (3.0, (255, 255, 255)), (1.7, colour)):
        _dot(canvas, np.asarray(at, dtype=np.float64), ink, radius)
    return canvas


def sheet(
    tiles: Sequence[NDArray[np.uint8]], columns: int, captions: Sequence[str] | None = None
) -> NDArray[np.uint8]:
    """One picture of all tiles in rows of `columns`, centred in equal cells, each over its caption."""
    captions = captions or [""] * len(tiles)
    height = max(tile.shape[0] for tile in tiles)
    width = max(tile.shape[1] for tile in tiles)
    strip = CAPTION_HEIGHT if any(captions) else 0
    rows = -(-len(tiles) // columns)
    cell = (height + strip + MARGIN, width + MARGIN)
    page = np.full((rows * cell[0] + MARGIN, columns * cell[1] + MARGIN, 3), PAPER, dtype=np.uint8)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        top = MARGIN + number // columns * cell[0]
        left = MARGIN + number % columns * cell[1]
        y, x = top + (height - tile.shape[0]) // 2, left + (width - tile.shape[1]) // 2
        page[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        _write(page, caption, (left, top + height + strip - 6), width)
    return page


def _draw_person(
    canvas: NDArray[np.uint8],
    points: NDArray[np.float64],
    shown: NDArray[np.bool_],
    joints: Joints,
) -> None:
    if not shown.any():
        return
    extent = points[shown].max(axis=0) - points[shown].min(axis=0)
    size = float(np.hypot(*extent))
    strength = float(np.clip(size / 65, 1.3, 9))
    limbs = [(a, b) for a, b in joints.skeleton if shown[a] and shown[b]]
    # All outlines first: a limb's outline must not cut through its neighbour.
    for a, b in limbs:
        _line(canvas, points[a], points[b], OUTLINE, strength + max(1.2, strength * 0.5))
    for a, b in limbs:
        _line(canvas, points[a], points[b], limb_colour(joints, a, b), strength)
    for joint in np.flatnonzero(shown):
        _dot(canvas, points[joint], OUTLINE, strength * 0.95 + 0.7)
        _dot(canvas, points[joint], joint_colour(joints, int(joint)), strength * 0.95)
        _dot(canvas, points[joint], (255, 255, 255), strength * 0.45)


def joint_colour(joints: Joints, joint: int) -> Colour:
    """By side."""
    return COLOUR_OF[joints.side(joint)]


def limb_colour(joints: Joints, a: int, b: int) -> Colour:
    """The side's colour where both ends share it (or one is in the middle), else the middle's."""
    sides = {joints.side(joint) for joint in (a, b)} - {"middle"}
    return COLOUR_OF[sides.pop()] if len(sides) == 1 else MIDDLE


def _fixed(value: float | NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(np.asarray(value) * 2**SUBPIXEL_BITS).astype(int)


def _line(
    canvas: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    colour: Colour,
    width: float,
) -> None:
    """A line with round ends whose width need not be whole, which cv2.line's must be."""
    along = end - start
    length = float(np.hypot(*along))
    if length > 0:
        across = np.array([-along[1], along[0]]) / length * width / 2
        corners = _fixed(np.stack([start + across, end + across, end - across, start - across]))
        cv2.fillConvexPoly(canvas, corners.astype(np.int32), colour, cv2.LINE_AA, SUBPIXEL_BITS)
    _dot(canvas, start, colour, width / 2)
    _dot(canvas, end, colour, width / 2)


def _dot(canvas: NDArray[np.uint8], at: NDArray[np.float64], colour: Colour, radius: float) -> None:
    x, y = _fixed(at).tolist()
    cv2.circle(canvas, (x, y), int(_fixed(radius)), colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _write(page: NDArray[np.uint8], text: str, at: tuple[int, int], width: int) -> None:
    """Write in the sheet's ink, smaller where the cell is too narrow."""
    if not text:
        return
    face, scale = cv2.FONT_HERSHEY_DUPLEX, 0.42
    (needed, _), _ = cv2.getTextSize(text, face, scale, 1)
    cv2.putText(page, text, at, face, scale * min(1.0, width / needed), INK, 1, cv2.LINE_AA)
