"""Object keypoint similarity between two poses, and the suppression of double detections by it.

NumPy only. The joints' tolerances are COCO's unless others are given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose.data.joints import COCO

KEPT_BY_SOFT_NMS = 20


def oks_matrix(
    keypoints: NDArray[np.floating],
    areas: NDArray[np.floating],
    sigmas: Sequence[float] = COCO.sigmas,
) -> NDArray[np.float64]:
    """Similarity (N, N) of each pair of poses (N, K, >=2), each pair's area being the mean of both.

    All joints count, seen or not: that is what the public implementation's suppression does.
    """
    variances = (2 * np.array(sigmas)) ** 2
    points = keypoints[..., :2].astype(np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=-1)  # (N, N, K)
    area = (areas[:, None].astype(np.float64) + areas[None]) / 2 + np.spacing(1)
    return np.exp(-squared / variances / area[..., None] / 2).mean(axis=-1)


def oks_nms(
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    areas: NDArray[np.floating],
    threshold: float,
    sigmas: Sequence[float] = COCO.sigmas,
) -> list[int]:
    """Indices kept, best score first; whoever is more similar than `threshold` to a better one goes."""
    similar = oks_matrix(keypoints, areas, sigmas)
    kept: list[int] = []
    remaining = np.argsort(scores)[::-1]
    while remaining.size:
        best, others = remaining[0], remaining[1:]
        kept.append(int(best))
        remaining = others[similar[best, others] <= threshold]
    return kept


def soft_oks_nms(
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    areas: NDArray[np.floating],
    threshold: float,
    sigmas: Sequence[float] = COCO.sigmas,
) -> list[int]:
    """Indices of at most 20 poses, best first, similar ones losing score instead of going at once.

    The lowered scores only order the poses; callers write the original ones.
    """
    similar = oks_matrix(keypoints, areas, sigmas)
    remaining = np.argsort(scores)[::-1]
    lowered = np.asarray(scores, dtype=np.float64)[remaining]
    kept: list[int] = []
    while remaining.size and len(kept) < KEPT_BY_SOFT_NMS:
        best = remaining[0]
        kept.append(int(best))
        lowered = lowered[1:] * np.exp(-(similar[best, remaining[1:]] ** 2) / threshold)
        order = lowered.argsort()[::-1]
        remaining, lowered = remaining[1:][order], lowered[order]
    return kept
