"""A person to look at, and people together: a set of annotated ones, or those that are to be found.

The same whatever the dataset: who reads them from files is `coco.py` and `mpii.py`, who judges what was found
about them `coco_dataset.py` and `mpii_dataset.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pose.data.joints import Joints


@dataclass(frozen=True)
class Record:
    """One person to look at. Pixels are those of the picture, (x, y), counted from 0."""

    image_id: int  # COCO's; MPII's pictures have none, there it is the person's place in the list
    path: Path
    box_xywh: NDArray[np.float32] | None  # None for MPII, which has a centre and a size instead
    center: NDArray[np.floating]  # (2,) float32 for COCO, float64 for MPII
    scale: NDArray[np.floating]  # (2,) in units of 200 px, padded by a quarter; likewise
    joints: NDArray[np.float64]  # (K, 2); zeros for a detection
    visible: NDArray[np.float32]  # (K,) 1 where labelled, hidden joints included; ones for a detection
    score: float  # the detector's, 1 for an annotated box
    area: float | None  # of the annotated person's outline; None for a detection and for MPII


@dataclass(frozen=True)
class ImageSet:
    """One image set: its annotated people, and which joints they have."""

    image_set: str
    annotation_file: Path
    records: tuple[Record, ...]
    joints: Joints

    @property
    def is_test(self) -> bool:
        """True for the sets whose truth is not public: nothing to evaluate against."""
        return "test" in self.image_set

    @property
    def picture_count(self) -> int:
        """How many pictures it has."""
        return len({record.path for record in self.records})


SetT = TypeVar("SetT", bound=ImageSet)


@dataclass(frozen=True)
class People(Generic[SetT]):
    """Who is to be found, and whether the truth about them is known."""

    annotated: SetT
    records: Sequence[Record]
    boxes: str  # where the boxes come from, for the person at the screen

    @property
    def has_truth(self) -> bool:
        """A detector's boxes say nothing about joints; loss and accuracy mean nothing there."""
        return self.records is self.annotated.records and not self.annotated.is_test
