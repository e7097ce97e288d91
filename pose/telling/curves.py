"""The curves of a training run as a picture: loss above, score below, over the epochs.

Drawn with OpenCV alone. Knows rows of `history.py` and nothing of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.telling.draw import INK, LEFT, PAPER, RIGHT
from pose.telling.history import SCORES, Row

SIZE = (780, 960)  # (height, width)
LEFT_EDGE, RIGHT_EDGE = 110, 30  # room for the numbers, and for the last label
PANELS = ((50, 330), (440, 710))  # (top, bottom) of each plot
GRID = (226, 222, 218)
FACE = cv2.FONT_HERSHEY_DUPLEX
SHIFT = 4  # bits of a pixel's fraction
TICKS_UPWARDS, TICKS_ACROSS = 6, 8  # at most so many steps


@dataclass(frozen=True)
class Axis:
    """Numbers from `low` to `high`, laid over pixels from `start` to `end`."""

    low: float
    high: float
    start: int
    end: int
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The value's pixel."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """A BGR picture of all rows; an untested epoch has no point in the lower plot."""
    canvas = np.full((*SIZE, 3), PAPER, dtype=np.uint8)
    epochs = [row.epoch for row in rows]
    first, last = min(epochs, default=0), max(epochs, default=1)
    step = max(1.0, tick_step(last - first, TICKS_ACROSS))
    across = Axis(first - 0.5, last + 0.5, LEFT_EDGE, SIZE[1] - RIGHT_EDGE, _ticks(first, last, step))
    losses = [(row.epoch, row.loss) for row in rows]
    scores = [(row.epoch, row.score) for row in rows if row.score is not None]
    name = next((name for name in SCORES for row in rows if name in row.metrics), next(iter(SCORES)))
    for (top, bottom), title, points, colour in (
        (PANELS[0], "training loss", losses, RIGHT),
        (PANELS[1], f"{name} on validation pictures", scores, LEFT),
    ):
        upwards = _from_zero([value for _, value in points], bottom, top)
        _frame(canvas, across, upwards, title)
        if points:
            _curve(canvas, [(across.at(epoch), upwards.at(value)) for epoch, value in points], colour)
        else:
            _text(canvas, "no epoch was tested", ((across.start + across.end) // 2, (top + bottom) // 2), 0.5)
    return canvas


def tick_step(extent: float, most: int = TICKS_UPWARDS) -> float:
    """1, 2 or 5 times a power of ten, so that at most so many steps cover the extent."""
    if extent <= 0:
        return 1.0
    rough = extent / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _ticks(low: float, high: float, step: float) -> tuple[float, ...]:
    begin, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(number * step for number in range(begin, end + 1))


def _from_zero(values: Sequence[float], start: int, end: int) -> Axis:
    """From zero (or the smallest value below it) to a whole tick above the largest."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    if high == low:
        high = low + 1.0
    step = tick_step(high - low)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Axis(low, high, start, end, _ticks(low, high, step))


def _frame(canvas: NDArray[np.uint8], across: Axis, upwards: Axis, title: str) -> None:
    """Grid, axes, their numbers and names."""
    decimals = max(0, -math.floor(math.log10(upwards.ticks[1] - upwards.ticks[0]) + 1e-9))
    for value in upwards.ticks:
        y = round(upwards.at(value))
        cv2.line(canvas, (across.start, y), (across.end, y), GRID, 1)
        _text(canvas, f"{value:.{decimals}f}", (across.start - 10, y + 5), 0.45, place="right")
    for value in across.ticks:
        x = round(across.at(value))
        cv2.line(canvas, (x, upwards.start), (x, upwards.start + 5), INK, 1)
        _text(canvas, f"{value:.0f}", (x, upwards.start + 22), 0.45)
    cv2.line(canvas, (across.start, upwards.start), (across.end, upwards.start), INK, 1, cv2.LINE_AA)
    cv2.line(canvas, (across.start, upwards.start), (across.start, upwards.end), INK, 1, cv2.LINE_AA)
    _text(canvas, "epoch", ((across.start + across.end) // 2, upwards.start + 44), 0.5)
    _text(canvas, title, (across.start, upwards.end - 16), 0.6, place="left")


def _curve(canvas: NDArray[np.uint8], points: Sequence[tuple[float, float]], colour: tuple[int, ...]) -> None:
    """The points joined; each marked while there are few."""
    fixed = np.rint(np.array(points) * 2**SHIFT).astype(np.int32)
    cv2.polylines(canvas, [fixed.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA, SHIFT)  # noqa: FBT003
    if len(points) <= 60:
        for x, y in fixed.tolist():
            cv2.circle(canvas, (x, y), 4 << SHIFT, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)


def _text(
    canvas: NDArray[np.uint8], text: str, at: tuple[int, int], size: float, place: str = "middle"
) -> None:
    """Text on a base line that begins, ends or has its middle at `at`."""
    (width, _), _ = cv2.getTextSize(text, FACE, size, 1)
    x = at[0] - {"left": 0, "middle": width // 2, "right": width}[place]
    cv2.putText(canvas, text, (x, at[1]), FACE, size, INK, 1, cv2.LINE_AA)
