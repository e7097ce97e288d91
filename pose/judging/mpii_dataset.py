"""DATASET.DATASET mpii: its people by their centres and sizes, and PCKh of what was found.

One of the kinds that `datasets.py` knows; `mpii.py` reads the lists, `pckh.py` computes the numbers.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose.command.config import Config
from pose.data import mpii, mpii_files, pictures
from pose.data.mpii import MpiiSet
from pose.data.record import People
from pose.judging import pckh

SCORE = "Mean"
annotation_file = mpii_files.annotation_file


def image_folder(root: Path, image_set: str) -> Path:  # noqa: ARG001 - all sets have one
    """The folder of all pictures."""
    return mpii_files.image_folder(root)


def annotated(config: Config, image_set: str) -> MpiiSet:
    """One set of the config's dataset."""
    return mpii.load(Path(config.DATASET.ROOT), image_set, image_format=config.DATASET.DATA_FORMAT)


def people_to_test(config: Config, truth: MpiiSet) -> People[MpiiSet]:
    """Everyone, with the truth about them; a test set's is not public."""
    pckh.scipy_io()
    if not truth.is_test:
        file = mpii_files.truth_file(Path(config.DATASET.ROOT), truth.image_set)
        truth = dataclasses.replace(truth, truth=pckh.read_truth(file, len(truth.records)))
    return People(truth, truth.records, f"boxes: {len(truth.records)} by MPII's centres and sizes")


def judge(
    people: People[MpiiSet], keypoints: NDArray[np.floating], config: Config, folder: Path
) -> dict[str, float]:
    """PCKh of keypoints (N, 16, 3), or {"Null": 0} without a truth; writes pred.mat."""
    found = keypoints[..., :2] + 1
    pckh.write_found(results_file(folder, config), found)
    truth = people.annotated.truth
    return {"Null": 0.0} if truth is None else pckh.pckh(truth, found)


def results_file(folder: Path, config: Config) -> Path:  # noqa: ARG001 - the kind's
    """Where what was found goes."""
    return folder / "pred.mat"


def fingerprint(config: Config, image_set: str) -> str:
    """Of the set's list, its pictures, and its truth where that is read."""
    root = Path(config.DATASET.ROOT)
    files = mpii_files.documents(root, image_set, is_tested=image_set == config.DATASET.TEST_SET)
    return pictures.fingerprint(files, mpii_files.image_folder(root), config.DATASET.DATA_FORMAT)
