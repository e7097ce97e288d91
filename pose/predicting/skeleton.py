"""Which joints a config's network finds, for who has pictures and no dataset to load."""

from __future__ import annotations

from pathlib import Path

from pose.command.config import Config
from pose.data.category import PERSON, Category, category_in, file_of
from pose.data.joints import joints_of
from pose.errors import PoseError


def category_of(config: Config) -> Category:
    """As ROOT's annotation file names them, where it is there; else what so many joints usually are."""
    count, dataset = config.MODEL.NUM_JOINTS, config.DATASET
    is_told = dataset.DATASET == "coco"  # MPII's files name none
    file = file_of(Path(dataset.ROOT), dataset.TEST_SET, dataset.TRAIN_SET) if is_told else None
    usual = joints_of(dataset.DATASET, count)
    found = category_in(file, count, config.TEST.OKS_SIGMAS) if file else None
    return found or Category(PERSON, usual, is_named=bool(usual.flip_pairs))


def require_mirror(config: Config, category: Category) -> None:
    """Stop where FLIP_TEST is asked for, and nothing tells which joints change places."""
    if config.TEST.FLIP_TEST and not category.is_named:
        count, root = config.MODEL.NUM_JOINTS, config.DATASET.ROOT
        raise PoseError(
            f"which of the {count} joints change places in a mirror stands in no config",
            f"TEST.FLIP_TEST False; or --data DIR with annotations/ that name them, it is {root}",
        )
