"""What stands behind and before the people: walls, grounds, clutter, obstacles, light and noise."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.drawn.canvas import OBSTACLE, SKINS, Canvas, Colour, capsule, hull, sample_colour, toned

Box = tuple[float, float, float, float]  # x, y, width, height


def paint_background(draw: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) without people, never twice the same and seldom plain."""
    height, width = size
    top, bottom = np.array(sample_colour(draw)), np.array(sample_colour(draw))
    ramp = np.linspace(0, 1, height)[:, None, None] ** draw.uniform(0.5, 2)
    image = np.repeat((top + (bottom - top) * ramp), width, axis=1).astype(np.uint8)
    horizon = int(height * draw.uniform(0.45, 0.9))
    if draw.random() < 0.6:  # a floor or a field
        image[horizon:] = np.array(sample_colour(draw)) * np.linspace(0.8, 1, height - horizon)[:, None, None]
    if draw.random() < 0.25:
        _paint_pattern(draw, image, horizon)
    canvas = Canvas(image)
    for _ in range(int(draw.integers(1, 9))):
        _paint_shape(draw, canvas)
    for _ in range(int(draw.integers(0, 4))):
        _paint_limb_like(draw, canvas)
    _mottle(draw, image)
    return image


def paint_obstacle(draw: np.random.Generator, canvas: Canvas, person: Box) -> None:
    """Something that stands before a person: a post, a bush, a crate or a table edge."""
    height = canvas.image.shape[0]
    x, y, w, h = person
    colour = sample_colour(draw)
    kind = draw.choice(["post", "bush", "crate", "table"])
    if kind == "post":
        centre, half = x + w * draw.uniform(0.1, 0.9), max(2.0, w * draw.uniform(0.04, 0.12))
        _paint_box(canvas, (centre - half, 0, 2 * half, height), colour)
    elif kind == "bush":
        middle = np.array([x + w * draw.uniform(0, 1), y + h * draw.uniform(0.75, 1.05)])
        green = (draw.uniform(20, 70), draw.uniform(70, 150), draw.uniform(20, 90))
        for _ in range(9):
            at = middle + draw.normal(0, 0.09 * h, 2)
            leaf = toned(green, draw.uniform(0.7, 1.2))
            canvas.fill(capsule(at, at, *(draw.uniform(0.04, 0.09, 2) * h)), leaf, OBSTACLE)
    elif kind == "crate":
        side = h * draw.uniform(0.15, 0.3)
        box = (x + (w - side) * draw.uniform(0, 1), y + h - side * draw.uniform(0.6, 1.0), side, side)
        _paint_box(canvas, box, colour)
    else:
        edge = y + h * draw.uniform(0.5, 0.75)
        _paint_box(canvas, (x - w * 0.3, edge, w * 1.6, max(3.0, h * 0.05)), colour)
        _paint_box(canvas, (x + w * draw.uniform(0, 0.9), edge, max(3.0, h * 0.04), height), colour)


def develop(draw: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as a camera might have taken it: exposure, softness, grain."""
    if draw.random() < 0.5:
        image = cv2.GaussianBlur(image, (3, 3), draw.uniform(0.3, 0.9))
    height, width = image.shape[:2]
    grain = _grain()
    top, left = (int(draw.integers(g - s + 1)) for g, s in zip(grain.shape, (height, width), strict=False))
    tile = grain[top : top + height, left : left + width]
    amount, gain = draw.uniform(0.0, 0.14), draw.uniform(0.8, 1.15)
    # One pass: the grain's mean of 128 is taken off again with the offset.
    return cv2.addWeighted(image, gain, tile, amount, draw.uniform(-8, 18) - 128 * amount)


@functools.lru_cache(maxsize=1)
def _grain() -> NDArray[np.uint8]:
    """One sheet of noise for all pictures, cut out at another place each time."""
    noise = np.random.default_rng(2017).normal(128, 36, (1400, 1400, 3))
    return noise.clip(0, 255).astype(np.uint8)


def _mottle(draw: np.random.Generator, image: NDArray[np.uint8]) -> None:
    """Blotches of light and colour, coarse or fine."""
    height, width = image.shape[:2]
    cell = int(draw.choice([6, 14, 30, 60]))
    light = draw.integers(0, 256, (height // cell + 2, width // cell + 2, 1), dtype=np.uint8)
    tint = draw.integers(0, 256, (*light.shape[:2], 3), dtype=np.uint8)
    coarse = cv2.addWeighted(np.repeat(light, 3, axis=2), 0.75, tint, 0.25, 0)
    blotches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    amount = draw.uniform(0.02, 0.24)
    cv2.addWeighted(image, 1 - amount * 0.5, blotches, amount, -128 * amount * 0.5, dst=image)


def _paint_pattern(draw: np.random.Generator, image: NDArray[np.uint8], horizon: int) -> None:
    """Bricks, boards or tiles above the floor."""
    width = image.shape[1]
    row, column = int(draw.integers(8, 40)), int(draw.integers(12, 60))
    line, strength = sample_colour(draw), int(draw.integers(1, 3))
    for number, y in enumerate(range(0, horizon, row)):
        cv2.line(image, (0, y), (width, y), line, strength)
        for x in range(number % 2 * column // 2, width, column):
            cv2.line(image, (x, y), (x, min(y + row, horizon)), line, strength)


def _paint_shape(draw: np.random.Generator, canvas: Canvas) -> None:
    """A window, a ball, a gable: anything with an outline."""
    height, width = canvas.image.shape[:2]
    centre = draw.uniform((0, 0), (width, height))
    extent = draw.uniform(0.03, 0.28, 2) * height
    kind = draw.choice(["box", "blob", "polygon"])
    colour = sample_colour(draw)
    if kind == "box":
        _paint_box(canvas, (*(centre - extent / 2), *extent), colour, owner=None)
    elif kind == "blob":
        canvas.fill(capsule(centre, centre + extent / 2, *(extent / 3)), colour, None)
    else:
        canvas.fill(hull(centre + draw.normal(0, 1, (5, 2)) * extent / 2), colour, None)


def _paint_limb_like(draw: np.random.Generator, canvas: Canvas) -> None:
    """Branches, pipes, rolls: shapes and colours that could be somebody's arm or leg, and are not."""
    height, width = canvas.image.shape[:2]
    start = draw.uniform((0, 0), (width, height))
    end = start + draw.normal(0, 0.16 * height, 2)
    radius = draw.uniform(0.008, 0.03) * height
    skin = SKINS[int(draw.integers(len(SKINS)))]
    colour = skin if draw.random() < 0.4 else sample_colour(draw)
    canvas.fill(capsule(start, end, radius, radius * 0.8), toned(colour, 0.74), None)
    canvas.fill(capsule(start, end, radius * 0.7, radius * 0.55), colour, None)


def _paint_box(canvas: Canvas, box: Box, colour: Colour, owner: tuple[int, int] | None = OBSTACLE) -> None:
    x, y, w, h = box
    corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    canvas.fill(corners, toned(colour, 0.8), owner)
    inset = min(1.5, w / 4, h / 4)
    canvas.fill(corners + np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * inset, colour, None)
