"""DATASET.DATASET coco: its people, in annotated boxes or a detector's, and COCO's numbers of what was found.

One of the kinds that `datasets.py` knows; `coco.py` and `detections.py` read the files, `evaluate.py`
computes the numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose.command.config import Config
from pose.command.output import results_folder
from pose.data import coco, coco_files, pictures
from pose.data.coco import CocoSet
from pose.data.detections import load_detections
from pose.data.joints import USUAL_SIGMA, without_partner, without_sigma
from pose.data.record import People
from pose.errors import PoseError
from pose.judging.evaluate import coco_metrics, results_of, write_results
from pose.report import note

SCORE = "AP"
annotation_file = coco_files.annotation_file
image_folder = coco_files.image_folder


def annotated(config: Config, image_set: str) -> CocoSet:
    """One set of the config's dataset."""
    return coco.load_ground_truth(
        Path(config.DATASET.ROOT),
        image_set,
        config.MODEL.image_height_width,
        image_format=config.DATASET.DATA_FORMAT,
        sigmas=tuple(config.TEST.OKS_SIGMAS),
        joint_count=config.MODEL.NUM_JOINTS,
        evaluated=image_set == config.DATASET.TEST_SET,
    )


def people_to_test(config: Config, truth: CocoSet) -> People[CocoSet]:
    """The annotated people, or the detector's boxes unless USE_GT_BBOX."""
    unknown = without_sigma(truth.joints)
    if unknown and not config.TEST.OKS_SIGMAS and not truth.is_test:
        note(
            f"TEST.OKS_SIGMAS is not given: {USUAL_SIGMA:.3f}, the mean of COCO's, stands for {len(unknown)} "
            f"joints that COCO does not name ({', '.join(unknown)})"
        )
    alone = without_partner(truth.joints)
    if alone and (config.DATASET.FLIP or config.TEST.FLIP_TEST):
        note(f"in a mirror these joints stay as they are, their other side has no name: {', '.join(alone)}")
    if config.TEST.USE_GT_BBOX:
        if not truth.records:
            raise PoseError(f"{truth.annotation_file} has no person with a labelled joint")
        return People(
            truth, truth.records, f"boxes: {len(truth.records)} annotated ones (TEST.USE_GT_BBOX True)"
        )
    if not config.TEST.COCO_BBOX_FILE:
        raise PoseError(
            "TEST.USE_GT_BBOX is False, but TEST.COCO_BBOX_FILE names no file of detected boxes",
            "TEST.USE_GT_BBOX True takes the annotated boxes",
        )
    file = Path(config.TEST.COCO_BBOX_FILE)
    found = load_detections(file, truth, config.TEST.IMAGE_THRE, config.MODEL.image_height_width)
    passed_over = f", {found.elsewhere} more are of other pictures" if found.elsewhere else ""
    told = f"boxes: {len(found.records)} detected ones ({file.name}, TEST.USE_GT_BBOX False){passed_over}"
    return People(truth, found.records, told)


def judge(
    people: People[CocoSet], keypoints: NDArray[np.floating], config: Config, folder: Path
) -> dict[str, float]:
    """COCO's numbers of keypoints (N, K, 3), NaN for who was not found, written as COCO's results file."""
    found = ~np.isnan(keypoints[:, 0, 0])
    truth, records = people.annotated, [people.records[row] for row in np.flatnonzero(found).tolist()]
    results = results_of(
        keypoints[found],
        np.stack([record.center for record in records]),
        np.stack([record.scale for record in records]),
        np.array([record.score for record in records]),
        [record.image_id for record in records],
        category_id=truth.category_id,
        in_vis_threshold=config.TEST.IN_VIS_THRE,
        oks_threshold=config.TEST.OKS_THRE,
        soft_nms=config.TEST.SOFT_NMS,
        sigmas=truth.joints.sigmas,
    )
    write_results(results_file(folder, config), results)
    return coco_metrics(truth, results)


def results_file(folder: Path, config: Config) -> Path:
    """Where COCO's results of this config go."""
    return results_folder(folder) / f"keypoints_{config.DATASET.TEST_SET}_results_{config.RANK}.json"


def fingerprint(config: Config, image_set: str) -> str:
    """Of the set's annotations and pictures."""
    root = Path(config.DATASET.ROOT)
    files = (annotation_file(root, image_set),)
    return pictures.fingerprint(files, image_folder(root, image_set), config.DATASET.DATA_FORMAT)
