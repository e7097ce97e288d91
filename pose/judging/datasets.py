"""What a dataset gives a run, whatever its kind: people to learn from and to test on, and who judges them.

A kind is a module with the functions of `Kind`. To add one: write it, and name it in KINDS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pose.command.config import Config
from pose.data import pictures
from pose.data.record import ImageSet, People, SetT
from pose.errors import PoseError
from pose.judging import coco_dataset, mpii_dataset


class Kind(Protocol[SetT]):
    """One DATASET.DATASET."""

    SCORE: str  # the metric by which epochs are compared

    def annotation_file(self, root: Path, image_set: str) -> Path:
        """Where a set's people are listed."""

    def image_folder(self, root: Path, image_set: str) -> Path:
        """Where a set's pictures lie; of zipped ones the folder that the archive stands for."""

    def annotated(self, config: Config, image_set: str) -> SetT:
        """One set's annotated people, with as many joints as the network finds."""

    def people_to_test(self, config: Config, truth: SetT) -> People[SetT]:
        """Whom TEST_SET asks for, everything that judging them needs read and checked."""

    def judge(
        self, people: People[SetT], keypoints: NDArray[np.floating], config: Config, folder: Path
    ) -> dict[str, float]:
        """The metrics of keypoints (N, K, 3) in picture pixels, in their order; writes the results file."""

    def results_file(self, folder: Path, config: Config) -> Path:
        """Where a config's results go, below the folder of its runs."""

    def fingerprint(self, config: Config, image_set: str) -> str:
        """A digest of everything that is read of the set."""


KINDS: Mapping[str, Kind[Any]] = {"coco": coco_dataset, "mpii": mpii_dataset}


def kind(config: Config) -> Kind[Any]:
    """The config's kind of dataset; `config_checks.py` has let pass no other."""
    return KINDS[config.DATASET.DATASET]


def annotated(config: Config, image_set: str) -> ImageSet:
    """One set of the config's dataset."""
    root = Path(config.DATASET.ROOT)
    if not root.is_dir():
        raise PoseError(
            f"there is no dataset folder {root}",
            "--data DIR (or DATASET.ROOT) names another one; envcheck data get coco2017 fetches COCO",
        )
    return kind(config).annotated(config, image_set)


def people_to_test(config: Config) -> People[Any]:
    """The people of TEST_SET."""
    return kind(config).people_to_test(config, annotated(config, config.DATASET.TEST_SET))


def judge(
    people: People[Any], keypoints: NDArray[np.floating], config: Config, folder: Path
) -> dict[str, float]:
    """What the dataset says to what was found; writes the results file."""
    return kind(config).judge(people, keypoints, config, folder)


def results_file(folder: Path, config: Config) -> Path:
    """Where this config's results go."""
    return kind(config).results_file(folder, config)


def fingerprint(config: Config, *image_sets: str, contents: bool = False) -> dict[str, str]:
    """What the record says about the data: where it is, and one fingerprint over the sets that were used.

    With `contents` one more over what their pictures hold, which reads all of them.
    """
    prints = fingerprints(config, *image_sets)
    return described(config, prints, contents=contents)


def fingerprints(config: Config, *image_sets: str) -> dict[str, str]:
    """One of each set."""
    return {name: kind(config).fingerprint(config, name) for name in image_sets}


def described(config: Config, prints: Mapping[str, str], *, contents: bool = False) -> dict[str, str]:
    """The same of sets whose fingerprints are known."""
    root = Path(config.DATASET.ROOT)
    said = {"root": str(root.absolute()), "fingerprint": _together(list(prints.values()))}
    if contents:
        folders = dict.fromkeys(kind(config).image_folder(root, name) for name in prints)
        read = [pictures.contents(folder, config.DATASET.DATA_FORMAT) for folder in folders]
        said["contents"] = _together(read)
    return said


def _together(prints: list[str]) -> str:
    return prints[0] if len(prints) == 1 else hashlib.sha256("".join(prints).encode()).hexdigest()
