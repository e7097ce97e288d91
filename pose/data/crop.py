"""From a person's box to the network's input: centre, scale, affine matrix, warp.

The numbers follow the public implementation bit for bit, because its published weights were trained
on exactly these pixels: float32 points, integer centre of the crop (W/2, not (W-1)/2), and OpenCV
4.x's fixed-point warp (5.0 warps in float32 and differs by up to 5 grey levels).
Points are (x, y) in pixels; sizes are (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.errors import PoseError

SCALE_UNIT = 200.0  # scales count in units of 200 pixels: MPII's habit, kept by the COCO loaders
PADDING = 1.25  # the box grows by this before it is cropped


def box_to_center_scale(
    box_xywh: NDArray[np.floating] | Sequence[float], image_size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centre (2,) in pixels and padded scale (2,) in units of 200 px, both float32.

    The shorter side grows until the box has the aspect of `image_size`, then both grow by a quarter.
    """
    x, y, width, height = (float(value) for value in box_xywh)
    center = np.array([x + width * 0.5, y + height * 0.5], dtype=np.float32)
    scale = scale_of(width, height, image_size)
    # A centre at exactly -1 means "unknown" in the public implementation and skips the padding.
    return center, scale if center[0] == -1 else scale * np.float32(PADDING)


def scale_of(width: float, height: float, image_size: tuple[int, int]) -> NDArray[np.float32]:
    """The unpadded scale (2,) float32 of a box, grown to the aspect of `image_size`."""
    aspect = image_size[1] / image_size[0]
    if width > aspect * height:
        height = width / aspect
    elif width < aspect * height:
        width = height * aspect
    return np.array([width / SCALE_UNIT, height / SCALE_UNIT], dtype=np.float32)


def affine_matrix(
    center: NDArray[np.floating],
    scale: NDArray[np.floating],
    rotation_degrees: float,
    size: tuple[int, int],
    *,
    inverse: bool = False,
) -> NDArray[np.float64]:
    """The (2, 3) matrix from picture to crop pixels, or with `inverse` back.

    Only the width decides: the crop's height follows from `size`. Three point pairs define the
    matrix: the centre, a point half the width above it (turned by the rotation), and the corner that
    makes a right angle with these two.
    """
    height, width = size
    angle = np.pi * rotation_degrees / 180
    across_picture = np.asarray(scale)[0]
    half_width = float(across_picture * across_picture.dtype.type(SCALE_UNIT)) * 0.5  # MPII's in float64
    picture = np.zeros((3, 2), dtype=np.float32)
    picture[0] = center
    picture[1] = np.float64(center) + np.array([np.sin(angle), -np.cos(angle)]) * half_width
    crop = np.zeros((3, 2), dtype=np.float32)
    crop[0] = width * 0.5, height * 0.5
    crop[1] = width * 0.5, height * 0.5 - width * 0.5
    for points in (picture, crop):
        across = points[0] - points[1]
        points[2] = points[1] + np.array([-across[1], across[0]], dtype=np.float32)
    source, target = (crop, picture) if inverse else (picture, crop)
    return cv2.getAffineTransform(source, target)


def map_points(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) carried through an affine (2, 3) matrix."""
    x, y = points[:, 0], points[:, 1]
    return np.stack([row[0] * x + row[1] * y + row[2] for row in matrix], axis=1)


def warp(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The crop of `size`, bilinear, black outside the picture.

    Raises:
        PoseError: under OpenCV 5; stages with work before their first crop ask beforehand.
    """
    require_fixed_point_warp()
    height, width = size
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)


def require_fixed_point_warp() -> None:
    """Stop under OpenCV 5, whose warp gives other pixels than the weights were trained on."""
    if int(cv2.__version__.split(".")[0]) >= 5:
        raise PoseError(
            f"OpenCV {cv2.__version__} warps pictures differently from the 4.x series",
            hint='python -m pip install "opencv-python-headless>=4.5,<5"',
        )
