"""When a device's memory does not hold a batch: which size would fit, found by trying halves on the spot.

Knows neither networks nor devices: the step and the trial are given. torch 1.13 has no type of its own for
it on every path, so its words are what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pose.errors import FAILED, PoseError

SYMPTOM = "out of memory"
T = TypeVar("T")


def within_memory(step: Callable[[], T], trial: Callable[[int], object], size: int, key: str) -> T:
    """What `step` returns.

    Raises:
        PoseError: when memory gives out. Its hint names the largest half of `size` that `trial` went through
            with: an estimate, since memory may be in pieces or others may take some.
    """
    try:
        return step()
    except RuntimeError as error:
        if SYMPTOM not in str(error):
            raise
        said = " ".join(str(error).split()).split(". ")[0]
    # Only here, after the except block, nothing holds the failed step's memory any more.
    fits = _fitting(trial, size)
    if fits is None:
        hint = f"not even {key} 1 fits: a smaller MODEL.IMAGE_SIZE or network, or a device with more memory"
    else:
        hint = f"{key} {fits} fits here (tried just now, {size} does not)"
    raise PoseError(said, hint, FAILED)


def _fitting(trial: Callable[[int], object], size: int) -> int | None:
    """The first of size/2, size/4 ... 1 that `trial` can take; None if none is."""
    size //= 2
    while size and not _goes(trial, size):
        size //= 2
    return size or None


def _goes(trial: Callable[[int], object], size: int) -> bool:
    try:
        trial(size)
    except (RuntimeError, ValueError):  # ValueError: batch statistics of too few values
        return False
    return True
