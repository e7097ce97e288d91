"""A person's box (x, y, width, height) in a picture's pixels: what it must be for a crop to show anything.

The same for a dataset's detected boxes and for those that `pred` is given. Sizes are (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST_SIDE = 0.01  # below it, float32 no longer tells a crop's corners apart
LARGEST_SIDE = 1000  # times the picture's larger side
WIDEST_PICTURE = 2**20  # OpenCV decodes no wider one


def side_fault(box: Sequence[float], picture_size: tuple[float, float] | None = None) -> str | None:
    """What is wrong with its sides, in words that follow "its box"; without a picture's size, by any."""
    smallest, largest = min(box[2:]), max(box[2:])
    if smallest < SMALLEST_SIDE:
        return f"has a side of {smallest:g} pixels; {SMALLEST_SIDE:g} is the least"
    most = LARGEST_SIDE * max(picture_size or (WIDEST_PICTURE,))
    if largest > most:
        return f"has a side of {largest:g} pixels; {most:g} is the most, {LARGEST_SIDE} times the picture's"
    return None


def is_outside(box: Sequence[float], picture_size: tuple[float, float]) -> bool:
    """Whether nothing of it lies in the picture; it may reach over the edges."""
    x, y, width, height = box
    return x >= picture_size[1] or y >= picture_size[0] or x + width <= 0 or y + height <= 0
