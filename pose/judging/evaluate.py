"""From predicted people to COCO's results file, its ten numbers and the table that shows them.

The numbers are pycocotools' own. This file is the only one that imports it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose.command.published import COCO_METRICS, MARK, Known
from pose.data.coco import CocoSet
from pose.data.crop import SCALE_UNIT
from pose.data.joints import COCO as COCO_JOINTS
from pose.data.reading import read_json
from pose.judging.oks import oks_nms, soft_oks_nms
from pose.report import figure
from pose.writing import replacing


def results_of(  # noqa: PLR0913 - what is known of N people, and three settings
    keypoints: NDArray[np.floating],
    center: NDArray[np.floating],
    scale: NDArray[np.floating],
    box_scores: NDArray[np.floating],
    image_ids: Sequence[int],
    *,
    category_id: int,
    in_vis_threshold: float,
    oks_threshold: float,
    soft_nms: bool = False,
    sigmas: Sequence[float] = COCO_JOINTS.sigmas,
) -> list[dict[str, Any]]:
    """COCO results of N people, doubles suppressed: pictures in order of first appearance, best first.

    `keypoints` (N, K, 3) are picture pixels and heat-map values; `center`, `scale` (N, 2) are the
    crops' and give the area by which doubles are judged.
    """
    scores = person_scores(keypoints[..., 2], box_scores, in_vis_threshold)
    areas = np.prod(scale.astype(np.float64) * SCALE_UNIT, axis=1)
    suppress = soft_oks_nms if soft_nms else oks_nms
    people: dict[int, list[int]] = {}
    for row, image_id in enumerate(image_ids):
        people.setdefault(int(image_id), []).append(row)
    results = []
    for image_id, members in people.items():
        rows = np.array(members)
        for kept in suppress(keypoints[rows], scores[rows], areas[rows], oks_threshold, sigmas):
            row = rows[kept]
            results.append(
                {
                    "image_id": image_id,
                    "category_id": category_id,
                    "keypoints": [float(value) for value in keypoints[row].reshape(-1)],
                    "score": float(scores[row]),
                    "center": [float(value) for value in center[row]],
                    "scale": [float(value) for value in scale[row]],
                }
            )
    return results


def person_scores(
    values: NDArray[np.floating], box_scores: NDArray[np.floating], in_vis_threshold: float
) -> NDArray[np.float64]:
    """Box score times the mean of the heat-map values (N, K) above the threshold, 0 without any."""
    sure = values > in_vis_threshold
    total = np.where(sure, values, 0).astype(np.float64).sum(axis=1)
    return total / np.maximum(sure.sum(axis=1), 1) * box_scores


def write_results(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write COCO's results file: indented by four, keys sorted; whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(list(results), indent=4, sort_keys=True), encoding="utf-8")


def coco_metrics(coco: CocoSet, results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """COCO's ten keypoint numbers in their order, or {"Null": 0} for sets whose truth is not public."""
    if coco.is_test:
        return {"Null": 0.0}
    with contextlib.redirect_stdout(StringIO()):  # pycocotools reports its progress by print
        truth = _truth(coco)
        found = truth.loadRes(list(results)) if results else _nothing_found(truth)
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.params.catIds = [coco.category_id]
        if coco.joints.sigmas != COCO_JOINTS.sigmas:  # pycocotools' own, to the last bit, for COCO
            evaluation.params.kpt_oks_sigmas = np.array(coco.joints.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(COCO_METRICS, evaluation.stats, strict=True)}


def coco_table(arch: str, metrics: Mapping[str, float], known: Known | None = None) -> str:
    """The numbers as the public implementation prints them: a markdown table with three decimals.

    Below them the published row and how much more each number is, where there is one.
    """
    name = f"{arch[:8]}..." if len(arch) > 15 else arch
    lines = [_table_row("Arch", metrics), "|---" * (len(metrics) + 1) + "|"]
    lines.append(_table_row(name, [f"{value:.3f}" for value in metrics.values()]))
    if known:
        apart = known.apart(metrics)
        title = f"published{MARK if known.differences else ''}"
        lines.append(_table_row(title, [figure(known.row.metrics.get(name), 3) for name in metrics]))
        more = [f"{apart[name]:+.3f}" if name in apart else "-" for name in metrics]
        lines.append(_table_row("difference", more))
    return "\n".join(lines)


def _table_row(name: str, cells: Iterable[str]) -> str:
    """One line of a markdown table."""
    return f"| {' | '.join((name, *cells))} |"


def _truth(coco: CocoSet) -> COCO:
    """The set's people as COCOeval takes them: each field that it insists on, and ids from 1.

    COCO's files have all fields, tools for own files leave some out. COCOeval notes who was found by an
    id that is not 0, and reads nothing else from ids.
    """
    document = read_json(coco.annotation_file, dict, "the annotation file", "fetch it again")
    of_people = (entry for entry in document["annotations"] if entry["category_id"] == coco.category_id)
    people = []
    for number, entry in enumerate(of_people, start=1):
        keypoints = entry.get("keypoints") or []  # a crowd's, of which none is labelled
        labelled = sum(seen > 0 for seen in keypoints[2::3])
        usual = {"iscrowd": 0, "num_keypoints": labelled}
        people.append({**usual, **entry, "keypoints": keypoints, "id": number})
    truth = COCO()
    truth.dataset = {**document, "categories": [{"id": coco.category_id}], "annotations": people}
    truth.createIndex()
    return truth


def _nothing_found(truth: COCO) -> COCO:
    """An empty result: loadRes refuses to read one."""
    found = COCO()
    found.dataset = {**truth.dataset, "annotations": []}
    found.createIndex()
    return found
