"""A picture under the brush that remembers which pixel is whose, and the shapes that the brush knows.

Knows neither people nor scenery: limbs, blocks and spots, in pixels or on a posed body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.drawn.figure import Figure, Point

Colour = tuple[float, float, float]  # BGR, 0 to 255
Outline = NDArray[np.float64]  # (N, 2) pixels, convex
Owner = tuple[int, int]  # a person's number and a body part's

SUBPIXEL_BITS = 4
OBSTACLE: Owner = (255, 0)  # what stands before people; (0, 0) is the background
SKINS: tuple[Colour, ...] = (
    *((190, 214, 246), (160, 192, 236), (132, 170, 222), (104, 142, 200), (78, 112, 168), (58, 82, 128)),
    *((44, 60, 96), (36, 46, 70)),
)
CIRCLE = np.array([(np.cos(turn), np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 17)[:-1]])


class Canvas:
    """`image` (H, W, 3) BGR, and `owner` (H, W, 2): the numbers of person and part."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.owner = np.zeros((*image.shape[:2], 2), dtype=np.uint8)

    def fill(self, outline: Outline, colour: Colour, owner: Owner | None) -> None:
        """Paint a convex outline; `owner` None leaves the pixels to whoever had them (markings)."""
        corners = np.rint(outline * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillConvexPoly(self.image, corners, colour, cv2.LINE_AA, SUBPIXEL_BITS)
        if owner is not None:
            cv2.fillConvexPoly(self.owner, corners, owner, cv2.LINE_8, SUBPIXEL_BITS)


def hull(points: NDArray[np.floating]) -> Outline:
    """The convex outline around all points (N, 2)."""
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)


def capsule(a: NDArray[np.float64], b: NDArray[np.float64], radius_a: float, radius_b: float) -> Outline:
    """Two discs and what lies between: a limb, a branch, a stone."""
    return hull(np.concatenate([a + CIRCLE * radius_a, b + CIRCLE * radius_b]))


def toned(colour: Colour, factor: float) -> Colour:
    """The colour in more light or less."""
    blue, green, red = (min(255.0, part * factor) for part in colour)
    return blue, green, red


def sample_colour(draw: np.random.Generator) -> Colour:
    """Cloth, wall or object: mostly muted, sometimes loud, dark and light ones included."""
    hue, saturation, value = draw.uniform(0, 180), 255 * draw.beta(1.3, 1.8), 255 * draw.beta(1.8, 1.4)
    pixel = np.array([[[hue, saturation, value]]], dtype=np.uint8)
    blue, green, red = map(float, cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])
    return blue, green, red


@dataclass(frozen=True)
class Place:
    """Where the pelvis is in the picture, and how many pixels the standing height is."""

    x: float
    y: float
    height: float

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (..., 2) of points (..., 3) of the viewer's frame, seen from far away."""
        return points[..., :2] * self.height + (self.x, self.y)


class Brush:
    """Paints on one posed body: lengths are shares of its standing height, points the viewer's frame.

    The light comes from the upper left of the viewer, and the far side of a body gets less of it.
    """

    def __init__(self, canvas: Canvas, figure: Figure, place: Place, person: int) -> None:
        self.canvas, self.figure, self.place, self.person = canvas, figure, place, person
        depths = [point[2] for point in figure.points.values()]
        self.far, self.span = min(depths), max(max(depths) - min(depths), 0.15)

    def depth(self, *names: str) -> float:
        """How near the named points are to the viewer, on average."""
        return float(np.mean([self.figure.points[name][2] for name in names]))

    def limb(self, start: Point, end: Point, radii: tuple[float, float], colour: Colour, part: int) -> None:
        """A round limb: its dark edge, its body, and a streak of light where it is thick enough."""
        a, b = self.place.project(start), self.place.project(end)
        ra, rb = (max(radius * self.place.height, 0.8) for radius in radii)
        depth = float(start[2] + end[2]) / 2
        self.canvas.fill(capsule(a, b, ra, rb), self._lit(colour, depth, 0.74), (self.person, part))
        layers = [(0.8, (-0.16, -0.12), 1.0), (0.36, (-0.36, -0.22), 1.1)]
        for size, shift, light in layers if min(ra, rb) > 2 else layers[:1]:
            inner = capsule(a + np.multiply(shift, ra), b + np.multiply(shift, rb), ra * size, rb * size)
            self.canvas.fill(inner, self._lit(colour, depth, light), None)

    def block(self, discs: Sequence[tuple[Point, float]], colour: Colour, part: int) -> None:
        """Several discs under one skin: a trunk, a bag."""
        points, radii = np.array([point for point, _ in discs]), np.array([radius for _, radius in discs])
        centres = self.place.project(points)
        rings = centres[:, None] + CIRCLE * (radii * self.place.height)[:, None, None]
        outline, middle = hull(rings.reshape(-1, 2)), centres.mean(axis=0)
        depth = float(points[:, 2].mean())
        self.canvas.fill(outline, self._lit(colour, depth, 0.76), (self.person, part))
        towards_light = np.array([-0.0048, -0.0032]) * self.place.height
        inner = middle + (outline - middle) * 0.88 + towards_light
        self.canvas.fill(inner, self._lit(colour, depth), None)

    def patch(self, corners: NDArray[np.float64], colour: Colour, part: int | None = None) -> None:
        """A flat area between corners (N, 3); without a part it is a marking on what is there."""
        owner = None if part is None else (self.person, part)
        outline = hull(self.place.project(corners))
        self.canvas.fill(outline, self._lit(colour, float(corners[:, 2].mean())), owner)

    def spot(self, at: Point, radius: float, colour: Colour, part: int | None = None) -> None:
        """A disc; without a part a marking."""
        owner = None if part is None else (self.person, part)
        ring = self.place.project(at) + CIRCLE * max(radius * self.place.height, 0.5)
        self.canvas.fill(ring, self._lit(colour, float(at[2])), owner)

    def _lit(self, colour: Colour, depth: float, factor: float = 1.0) -> Colour:
        return toned(colour, factor * (0.78 + 0.22 * min(1.0, (depth - self.far) / self.span)))
