"""Which training people SELECT_DATA keeps: those whose joints lie around the middle of their box.

Someone of whom one far hand is labelled teaches little. Knows nothing about files or pictures.
*Source:* the formula of leoxiaobin/deep-high-resolution-net.pytorch@6f69e46, its 16 joints included.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pose.data.crop import SCALE_UNIT
from pose.data.record import Record

SPREAD = 0.2  # how far the joints' mean may lie from the centre, as a share of the person's size
BASE, PER_JOINT = 0.45, 0.2 / 16  # what is asked of one joint, and of every further one on top


def selected(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records to keep, in their order."""
    return tuple(record for record in records if _is_kept(record))


def _is_kept(record: Record) -> bool:
    labelled = record.joints[record.visible > 0]
    if not len(labelled):
        return False
    distance = labelled.mean(axis=0) - record.center.astype(np.float64)
    area = np.prod(record.scale.astype(np.float64)) * SCALE_UNIT**2
    similarity = np.exp(-(distance**2).sum() / (2 * SPREAD**2 * area))
    return bool(similarity > BASE + PER_JOINT * (len(labelled) - 1))
