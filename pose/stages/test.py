"""Stage `test`: a dataset's own numbers for trained weights, on annotated people or a detector's boxes.

Also what training uses after each epoch. Knows the way from people to the table; how joints are found is
`inference.py`'s, who the people are and how what was found is judged `datasets.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pose.average import Average
from pose.command import expect, published
from pose.command.arguments import Arguments
from pose.command.config import Config, as_dict
from pose.command.hold import hold
from pose.command.output import FINAL, Log, output_folder, prepare
from pose.data.dataset import CropDataset, batches
from pose.data.pictures import check_pictures
from pose.data.record import People
from pose.errors import FAILED, PoseError
from pose.judging import inference
from pose.judging.datasets import fingerprint, judge, people_to_test, results_file
from pose.judging.evaluate import coco_table
from pose.judging.inference import Found
from pose.machines import devices
from pose.machines.computing import computing, peak_memory
from pose.machines.interruption import Stop, stop_on_signals
from pose.machines.memory import within_memory
from pose.networks import checkpoint, models
from pose.report import Result, bar, figure, note
from pose.telling.debug_pictures import debug_pictures
from pose.telling.journal import Journal
from pose.telling.log_lines import LinesOfATest

TOLD = 20  # of more pictures that cannot be read, the number is told


def run(arguments: Arguments, result: Result) -> None:
    """Finds the people of TEST_SET and prints the table."""
    folder = output_folder(*arguments.configuration)
    with hold(folder, "test", arguments.run_dir):
        _test(arguments, result, folder)


def _test(arguments: Arguments, result: Result, folder: Path) -> None:
    config, config_file = arguments.configuration
    seed = arguments.seed()
    result.config, result.seed = as_dict(config), seed
    people = people_to_test(config)
    known = published.known(config, people.annotated.picture_count, untrained=arguments.untrained)
    expected = expect.expectation(arguments, config, known)
    check_pictures(people.records)
    result.dataset = fingerprint(config, config.DATASET.TEST_SET, contents=arguments.reads_contents)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = models.build(config.MODEL)
    weights = load_weights(model, config, folder, untrained=arguments.untrained)
    prepare(folder)
    result.output_dir = str(folder.absolute())
    used = devices.choose(config)
    result.computing = computing(used)
    result.keep()
    note(f"{weights}; {people.boxes}")
    with stop_on_signals() as stop, Log(folder, config_file, "valid") as log:
        journal = Journal(log.keep, pictures=debug_pictures(folder, config, people.annotated.joints))
        found, metrics = evaluate(used.place(model), people, config, used, folder, stop, journal)
        log.keep(f"{weights}; {people.boxes}")
        log.say(coco_table(config.MODEL.NAME, metrics, None if people.annotated.is_test else known))
        if known:
            log.keep(known.note)
    note(f"loss {figure(found.loss, 5)}   accuracy {figure(found.accuracy, 3)}   ({people.boxes})")
    result.metrics, result.loss, result.accuracy = metrics, found.loss, found.accuracy
    result.memory = peak_memory(used)
    result.unreadable = list(found.unreadable)
    result.add_output(results_file(folder, config))
    if known:
        note(known.note)
        result.published = known.document(metrics)
    if found.unreadable:
        raise PoseError(unread(found), "fetch what is bad again; check-data --decode finds all of it", FAILED)
    if expected:
        expected.hold(metrics)


def load_weights(model: nn.Module, config: Config, folder: Path, *, untrained: bool) -> str:
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
    people: People[Any],
    config: Config,
    used: devices.Devices,
    folder: Path,
    stop: Stop,
    journal: Journal,
) -> tuple[Found, dict[str, float]]:
    """What was found and its numbers; writes the results file. `journal` hears of every PRINT_FREQ-th batch.

    Each process of a team looks at every so many-th batch, the same batches as one alone would have; the
    one that leads judges and writes, the others get what they found. A picture that cannot be read in the
    middle of it is told at the end; its people count as not found.
    """
    dataset = CropDataset(
        people.records,
        config.MODEL.image_height_width,
        training=False,
        joints=people.annotated.joints,
        rgb=config.DATASET.COLOR_RGB,
    )
    size = config.TEST.BATCH_SIZE_PER_GPU * used.count
    own = used.team.blocks(len(dataset), size)
    unreadable: dict[int, PoseError] = {}
    loader = batches(
        dataset,
        size,
        order=own,
        workers=used.workers,
        pin_memory=bool(used.gpus),
        unreadable=unreadable,
    )
    lines = LinesOfATest(journal.line, len(loader), config.PRINT_FREQ)
    numbers = count()
    with bar("testing", len(loader)) as progress:

        def each(loss: Average, accuracy: Average, seen: inference.JudgedBatch) -> None:
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
                people.annotated.joints.flip_pairs,
                has_truth=people.has_truth,
                joint_weights=people.annotated.joints.weights,
                each=each,
            )

        found = within_memory(
            find,
            lambda size: _try(model, config, used, size),
            min(config.TEST.BATCH_SIZE_PER_GPU, -(-len(dataset) // used.count)),
            "TEST.BATCH_SIZE_PER_GPU",
        )
    shares = used.team.collected((own, found, unreadable))
    if not used.team.leads:
        return found, {}
    found, unreadable = _joined(shares)
    found = found.with_gaps(len(dataset), unreadable)
    for sentence in found.unreadable[:TOLD]:
        note(sentence)
    for sentence in found.unreadable:
        journal.line(sentence)
    if found.unreadable:
        note(f"the {len(unreadable)} people in what could not be read count as not found")
    return found, judge(people, found.keypoints, config, folder)


def unread(found: Found) -> str:
    """What could not be read, in a sentence; of several, the first."""
    first, *others = found.unreadable
    more = f" (and {len(others)} more of the test, all named in the log file)" if others else ""
    return f"{first}{more}"


def _joined(
    shares: Sequence[tuple[Sequence[int], Found, Mapping[int, PoseError]]],
) -> tuple[Found, dict[int, PoseError]]:
    """What several processes found, each among the people of its indices, as if one had found it."""
    unreadable = {index: error for *_, failed in shares for index, error in failed.items()}
    if len(shares) == 1:
        return shares[0][1], unreadable
    seen = [index for indices, *_ in shares for index in indices if index not in unreadable]
    loss, accuracy = Average(), Average()
    for _, found, _ in shares:
        loss.add(found.loss or 0.0, found.people)
        accuracy.add(found.accuracy or 0.0, found.joints)
    keypoints = np.concatenate([found.keypoints for _, found, _ in shares])[np.argsort(seen)]
    return Found(keypoints, loss.mean, accuracy.mean), unreadable


def _try(model: nn.Module, config: Config, used: devices.Devices, size: int) -> None:
    """Looks at that many blank crops on each device, to see whether they fit."""
    blank = torch.zeros(
        (size * used.count, *config.MODEL.image_height_width, 3), dtype=torch.uint8, device=used.main
    )
    with torch.no_grad():
        model(inference.normalise(blank))
