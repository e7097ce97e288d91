"""Stage `test`: the COCO numbers of trained weights, on annotated boxes or a detector's.

Also what training uses after each epoch. Knows the way from people to the table; how joints are found is
`inference.py`'s, how they are judged `evaluate.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pose import checkpoint, coco, devices, expect, inference, models, published
from pose.arguments import Arguments
from pose.average import Average
from pose.coco import CocoSet, Record
from pose.config import Config, as_dict
from pose.dataset import CropDataset, batches
from pose.debug_pictures import debug_pictures
from pose.errors import PoseError
from pose.evaluate import coco_metrics, coco_table, results_of, write_results
from pose.inference import Found
from pose.interruption import Stop, stop_on_signals
from pose.joints import USUAL_SIGMA, without_sigma
from pose.journal import Journal
from pose.log_lines import LinesOfATest
from pose.memory import within_memory
from pose.output import FINAL, Log, output_folder, prepare, results_folder
from pose.report import Result, bar, figure, note


@dataclass(frozen=True)
class People:
    """Who is to be found, and whether the truth about them is known."""

    coco: CocoSet
    records: Sequence[Record]
    boxes: str  # where the boxes come from, for the person at the screen

    @property
    def has_truth(self) -> bool:
        """A detector's boxes say nothing about joints; loss and accuracy mean nothing there."""
        return self.records is self.coco.records and not self.coco.is_test


def run(arguments: Arguments, result: Result) -> None:
    """Finds the people of TEST_SET and prints COCO's table."""
    config, config_file = arguments.configuration
    seed = arguments.seed()
    result.config, result.seed = as_dict(config), seed
    people = people_to_test(config)
    known = published.known(config, len(people.coco.pictures), untrained=arguments.untrained)
    expected = expect.expectation(arguments, config, known)
    coco.check_pictures(people.records)
    result.dataset = fingerprint(config, config.DATASET.TEST_SET)
    folder = output_folder(config, config_file)
    model = models.build(config.MODEL)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    weights = load_weights(model, config, folder, untrained=arguments.untrained)
    prepare(folder)
    result.output_dir = str(folder.absolute())
    used = devices.choose(config)
    note(f"{weights}; {people.boxes}")
    with stop_on_signals() as stop, Log(folder, config_file, "valid") as log:
        journal = Journal(log.keep, pictures=debug_pictures(folder, config, people.coco.joints))
        found, metrics = evaluate(used.place(model), people, config, used, folder, stop, journal)
        log.keep(f"{weights}; {people.boxes}")
        log.say(coco_table(config.MODEL.NAME, metrics, None if people.coco.is_test else known))
        if known:
            log.keep(known.note)
    note(f"loss {figure(found.loss, 5)}   accuracy {figure(found.accuracy, 3)}   ({people.boxes})")
    result.metrics, result.loss, result.accuracy = metrics, found.loss, found.accuracy
    result.add_output(results_file(folder, config))
    if known:
        note(known.note)
        result.published = known.document(metrics)
    if expected:
        expected.hold(metrics)


def people_to_test(config: Config) -> People:
    """The people of TEST_SET: annotated ones, or the detector's boxes unless USE_GT_BBOX."""
    truth = annotated(config, config.DATASET.TEST_SET)
    unknown = without_sigma(truth.joints)
    if unknown and not config.TEST.OKS_SIGMAS and not truth.is_test:
        note(
            f"TEST.OKS_SIGMAS is not given: {USUAL_SIGMA:.3f}, the mean of COCO's, stands for {len(unknown)} "
            f"joints that COCO does not name ({', '.join(unknown)})"
        )
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
    records = coco.load_detections(file, truth, config.TEST.IMAGE_THRE, config.MODEL.image_height_width)
    return People(
        truth, records, f"boxes: {len(records)} detected ones ({file.name}, TEST.USE_GT_BBOX False)"
    )


def annotated(config: Config, image_set: str) -> CocoSet:
    """One set of the config's dataset."""
    root, settings = Path(config.DATASET.ROOT), config.DATASET
    if not root.is_dir():
        raise PoseError(
            f"there is no dataset folder {root}", "--data DIR (or DATASET.ROOT) names another one"
        )
    found = coco.load_ground_truth(
        root,
        image_set,
        config.MODEL.image_height_width,
        image_format=settings.DATA_FORMAT,
        sigmas=tuple(config.TEST.OKS_SIGMAS),
    )
    count = len(found.joints.names)
    if count != config.MODEL.NUM_JOINTS:
        raise PoseError(
            f"{found.annotation_file} names {count} joints, MODEL.NUM_JOINTS is {config.MODEL.NUM_JOINTS}",
            f"MODEL.NUM_JOINTS {count}",
        )
    return found


def fingerprint(config: Config, *image_sets: str) -> dict[str, str]:
    """What the record says about the data: where it is, and one fingerprint over the sets that were used."""
    root = Path(config.DATASET.ROOT)
    kind = config.DATASET.DATA_FORMAT
    prints = [coco.dataset_fingerprint(root, name, image_format=kind) for name in dict.fromkeys(image_sets)]
    whole = prints[0] if len(prints) == 1 else hashlib.sha256("".join(prints).encode()).hexdigest()
    return {"root": str(root.absolute()), "fingerprint": whole}


def load_weights(model: nn.Module, config: Config, folder: Path, *, untrained: bool = False) -> str:
    """TEST.MODEL_FILE's weights, else this config's final_state.pth; says which."""
    if config.TEST.MODEL_FILE:
        path = Path(config.TEST.MODEL_FILE)
    elif untrained:
        return "weights: none, as PyTorch initialises them"
    else:
        path = folder / FINAL
        if not path.is_file():
            raise PoseError(
                f"there are no weights: TEST.MODEL_FILE is empty and {path} does not exist",
                "TEST.MODEL_FILE FILE, or train first, or --untrained for random weights",
            )
    checkpoint.load_strictly(model, checkpoint.read_state(path), path)
    return f"weights: {path}"


def evaluate(
    model: nn.Module,
    people: People,
    config: Config,
    used: devices.Devices,
    folder: Path,
    stop: Stop,
    journal: Journal,
) -> tuple[Found, dict[str, float]]:
    """What was found and COCO's numbers; writes the results file. `journal` takes the lines on the way.

    Each process of a team looks at every so many-th batch, the same batches as one alone would have; the
    one that leads judges and writes, the others get what they found.
    """
    dataset = CropDataset(
        people.records,
        config.MODEL.image_height_width,
        training=False,
        joints=people.coco.joints,
        rgb=config.DATASET.COLOR_RGB,
    )
    size = config.TEST.BATCH_SIZE_PER_GPU * used.count
    own = used.team.blocks(len(dataset), size)
    loader = batches(
        dataset,
        size,
        order=own,
        workers=used.workers,
        pin_memory=bool(used.gpus),
    )
    lines = LinesOfATest(journal.line, len(loader), config.PRINT_FREQ)
    numbers = count()
    with bar("testing", len(loader)) as progress:

        def each(loss: Average, accuracy: Average, seen: inference.Seen) -> None:
            number = next(numbers)
            progress.advance()
            lines.tell(loss, accuracy)
            if journal.pictures and number % config.PRINT_FREQ == 0:
                journal.pictures.write("val", number, *seen)
            stop.check()

        def find() -> Found:
            return inference.find(
                model,
                loader,
                config,
                used.main,
                people.coco.joints.flip_pairs,
                has_truth=people.has_truth,
                joint_weights=people.coco.joints.weights,
                each=each,
            )

        found = within_memory(
            find,
            lambda size: _try(model, config, used, size),
            min(config.TEST.BATCH_SIZE_PER_GPU, -(-len(dataset) // used.count)),
            "TEST.BATCH_SIZE_PER_GPU",
        )
    shares = used.team.collected((own, found))
    if not used.team.leads:
        return found, {}
    found = _joined(shares)
    records = people.records
    results = results_of(
        found.keypoints,
        np.stack([record.center for record in records]),
        np.stack([record.scale for record in records]),
        np.array([record.score for record in records]),
        [record.image_id for record in records],
        category_id=people.coco.category_id,
        in_vis_threshold=config.TEST.IN_VIS_THRE,
        oks_threshold=config.TEST.OKS_THRE,
        soft_nms=config.TEST.SOFT_NMS,
        sigmas=people.coco.joints.sigmas,
    )
    write_results(results_file(folder, config), results)
    return found, coco_metrics(people.coco, results)


def _joined(parts: Sequence[tuple[Sequence[int], Found]]) -> Found:
    """What several processes found, each for the people of its indices, as if one had found it."""
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([indices for indices, _ in parts]))
    loss, accuracy = Average(), Average()
    for _, found in parts:
        loss.add(found.loss or 0.0, found.people)
        accuracy.add(found.accuracy or 0.0, found.joints)
    keypoints = np.concatenate([found.keypoints for _, found in parts])[order]
    return Found(keypoints, loss.mean, accuracy.mean, loss.count, accuracy.count)


def _try(model: nn.Module, config: Config, used: devices.Devices, size: int) -> None:
    """Looks at that many blank crops on each device, to see whether they fit."""
    blank = torch.zeros(
        (size * used.count, *config.MODEL.image_height_width, 3), dtype=torch.uint8, device=used.main
    )
    with torch.no_grad():
        model(inference.normalise(blank))


def results_file(folder: Path, config: Config) -> Path:
    """Where COCO's results of this config go."""
    return results_folder(folder) / f"keypoints_{config.DATASET.TEST_SET}_results_{config.RANK}.json"
