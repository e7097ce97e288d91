"""A head on a posed body: hair, ears and hat from every side, a face where it looks at the viewer.

The head is an ellipsoid; an area of it is the hull of those of its points that face the viewer, so that
a turning head shows as much of its face as a real one would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose.drawn.canvas import Brush, Colour, toned
from pose.drawn.figure import HEAD_HEIGHT, SIDES

Points = NDArray[np.float64]  # (N, 3) in half head widths, in the head's own frame: x left, y down, z ahead


def _ellipsoid() -> Points:
    """Points all over the head, in rings from top to bottom."""
    polar, turn = np.meshgrid(np.linspace(0.06, np.pi - 0.06, 15), np.linspace(0, 2 * np.pi, 25)[:-1])
    sphere = (np.sin(polar) * np.cos(turn), -np.cos(polar), np.sin(polar) * np.sin(turn))
    return np.stack(sphere, axis=-1).reshape(-1, 3) * (1, HEAD_HEIGHT, 1.06)


HEAD = _ellipsoid()
FACE = HEAD[((HEAD[:, 2] > 0.12) & (HEAD[:, 1] > -0.62)) | (HEAD[:, 1] > 0.62)]
HAT = HEAD[HEAD[:, 1] < -0.38] * 1.16
BRIM = np.array([(-0.8, -0.5, 0.8), (0.8, -0.5, 0.8), (0.5, -0.42, 1.75), (-0.5, -0.42, 1.75)])
EYE = np.array([(0.38, -0.14, 0.92)])
BROW = np.array([(0.2, -0.38, 0.9), (0.56, -0.4, 0.8), (0.56, -0.47, 0.8), (0.2, -0.45, 0.9)])
NOSE = np.array([(0, -0.1, 1.02), (0.15, 0.22, 1.05), (-0.15, 0.22, 1.05)])
MOUTH = np.array([(-0.28, 0.54, 0.88), (0.28, 0.54, 0.88), (0.18, 0.66, 0.84), (-0.18, 0.66, 0.84)])
MIRRORED = (-1, 1, 1)
EYE_WHITE, PUPIL = (235, 238, 240), (30, 28, 26)


def paint_head(
    brush: Brush, skin: Colour, hair: Colour | None, hat: Colour | None, part: int, hat_part: int
) -> None:
    """Head and face; `hair` None is a bald head, `hat` None a bare one."""
    width, centre = brush.figure.build.head, brush.figure.points["head"]
    ears = [brush.figure.points[f"{side}_ear"] for side in SIDES]
    for ear in ears:
        brush.spot(ear, 0.26 * width, skin, part)
    if hair is None:
        _area(brush, HEAD, skin, part)
    else:
        _area(brush, HEAD * 1.06, hair, part)
        _area(brush, FACE, skin, part)
    for ear in ears:
        if ear[2] > centre[2]:
            brush.spot(ear, 0.24 * width, toned(skin, 0.9), part)
    _paint_features(brush, skin)
    if hat is not None:
        _area(brush, HAT, hat, hat_part)
        if brush.figure.head[2, 2] > -0.3:
            brush.patch(_placed(brush, BRIM), toned(hat, 0.8))


def _paint_features(brush: Brush, skin: Colour) -> None:
    """Eyes, brows, nose and mouth, each if its own patch of the face looks at the viewer."""
    width, depth = brush.figure.build.head, brush.figure.points["head"][2]
    for eye, brow in ((EYE, BROW), (EYE * MIRRORED, BROW * MIRRORED)):
        at = _placed(brush, eye)[0]
        if at[2] > depth + 0.3 * width:
            brush.spot(at, 0.18 * width, EYE_WHITE)
            brush.spot(at, 0.11 * width, PUPIL)
            brush.patch(_placed(brush, brow), toned(skin, 0.35))
    nose, mouth = _placed(brush, NOSE), _placed(brush, MOUTH)
    if nose[0, 2] > depth + 0.15 * width:
        brush.patch(nose, toned(skin, 0.72))
    if mouth[0, 2] > depth + 0.1 * width:
        brush.patch(mouth, (skin[0] * 0.5, skin[1] * 0.5, skin[2] * 0.85))


def _placed(brush: Brush, points: Points) -> Points:
    """Points of the head in the viewer's frame."""
    return brush.figure.points["head"] + points @ brush.figure.head.T * brush.figure.build.head


def _area(brush: Brush, points: Points, colour: Colour, part: int) -> None:
    """What the viewer sees of an area of the head."""
    placed = _placed(brush, points)
    facing = placed[placed[:, 2] > brush.figure.points["head"][2] - 0.02 * brush.figure.build.head]
    if len(facing) > 2:
        brush.patch(facing, colour, part)
