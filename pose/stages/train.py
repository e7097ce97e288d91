"""Stage `train`: epochs of Simple Baseline training, each ending in the dataset's numbers and a checkpoint.

Everything that can be checked early is checked before the first batch. A resumed run goes on exactly as an
uninterrupted one would have, also inside an epoch. One epoch's steps are `learn.py`'s, what a checkpoint
holds `resume.py`'s, when one is written `keep.py`'s.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pose.command.arguments import Arguments
from pose.command.config import Config, as_dict
from pose.command.hold import hold
from pose.command.output import (
    BEST,
    CHECKPOINT,
    CURVES,
    FINAL,
    HISTORY,
    PREDICTIONS,
    Log,
    log_folder,
    output_folder,
    prepare,
)
from pose.data.dataset import CropDataset
from pose.data.pictures import check_pictures
from pose.data.record import People
from pose.data.selection import selected
from pose.errors import Interrupted, PoseError
from pose.judging.datasets import (
    annotated,
    described,
    fingerprints,
    kind,
    people_to_test,
    results_file,
)
from pose.judging.inference import Found
from pose.machines import devices
from pose.machines.computing import computing, peak_memory
from pose.machines.interruption import stop_on_signals
from pose.machines.team import ALONE, Team
from pose.networks import checkpoint, models
from pose.networks.summary import summary
from pose.report import Result, note
from pose.stages import resume
from pose.stages.keep import Keeper, room
from pose.stages.learn import LOST, Learner, batch_size, learn, order_of
from pose.stages.position import Position
from pose.stages.resume import Last, Progress
from pose.stages.test import evaluate, unread
from pose.telling import curves, history, showcase
from pose.telling.debug_pictures import debug_pictures
from pose.telling.journal import Journal
from pose.telling.scalars import scalars
from pose.writing import write_picture

# torchrun hands a signal on at once; before torch 2.0 the terminal has then given it to the process already.
ECHO = 1.0


@dataclass(frozen=True)
class Plan:
    """Everything that stays the same from epoch to epoch."""

    learner: Learner
    people: People[Any]  # to test on
    folder: Path
    keeper: Keeper

    @property
    def config(self) -> Config:
        """The learner's."""
        return self.learner.config


@dataclass
class Story:
    """What is told at the end: every finished epoch, and what the last test found."""

    rows: list[history.Row]
    pace: history.Pace = field(default_factory=history.Pace)
    found: Found | None = None


def run(arguments: Arguments, result: Result, team: Team = ALONE) -> None:
    """Trains from BEGIN_EPOCH, or from the folder's checkpoint with AUTO_RESUME, to END_EPOCH.

    Of a team, all learn and test together; the one that leads keeps what comes of it.
    """
    folder = output_folder(*arguments.configuration)
    with hold(folder, "train", arguments.run_dir) if team.leads else nullcontext():
        _train(arguments, result, team, folder)


def _train(arguments: Arguments, result: Result, team: Team, folder: Path) -> None:
    config, config_file = arguments.configuration
    last = _last_checkpoint(folder, team) if config.AUTO_RESUME else None
    seed = arguments.seed(default=last.seed if last else 0)
    result.config, result.seed = as_dict(config), seed
    people = people_to_test(config)
    dataset = _people_to_learn(config, seed)
    check_pictures((*dataset.records, *people.records))
    sets = (config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)
    prints = fingerprints(config, *sets)
    result.dataset = described(config, prints, contents=arguments.reads_contents and team.leads)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = models.build(config.MODEL)
    if last is None:
        _initialise(model, config)
    if team.leads:
        prepare(folder, needed_bytes=room(model, folder, anew=last is None))
    result.output_dir = str(folder.absolute())
    used = devices.choose(config, learning=True, team=team)
    result.computing = computing(used)
    placed = team.share(used.place(model), used.main)
    optimizer = _optimizer(model, config)
    progress = resume.restore(last, model, optimizer) if last else Progress(config.TRAIN.BEGIN_EPOCH)
    result.resumed_from = progress.epoch if last else None
    story = Story(history.read(folder / HISTORY, progress.epoch) if last else [])
    if team.leads:
        result.damaged += resume.take_over(folder, last)
    note(f"{len(dataset)} people to learn from; {people.boxes}; {folder}")
    if team.size > 1:
        note(f"{team.size} processes learn together, batches of {batch_size(config, used)}")
    order = order_of(config, used, dataset, prints[config.DATASET.TRAIN_SET])
    progress.start_over(order, folder / CHECKPOINT)
    keeper = Keeper(
        folder,
        model,
        optimizer,
        progress,
        {"model": config.MODEL.NAME, "seed": seed},
        minutes=config.TRAIN.CHECKPOINT_MINUTES,
        resumed=last is not None,
        leads=team.leads,
    )
    result.epochs_done = keeper.kept_epochs
    try:
        with stop_on_signals(echo=ECHO if team.size > 1 else 0.0) as stop:
            learner = Learner(config, order, dataset, used, model, placed, optimizer, stop)
            plan = Plan(learner, people, folder, keeper)
            if team.leads:
                with (
                    Log(folder, config_file, "train") as log,
                    scalars(log_folder(config, config_file)) as numbers,
                ):
                    log.keep(f"seed {seed}\n{as_dict(config)}")
                    log.keep(f"{config.MODEL.NAME}: {summary(model, config.MODEL.image_height_width)}")
                    journal = Journal(log.keep, numbers, debug_pictures(folder, config, dataset.joints))
                    _epochs(plan, progress, story, log, journal, result)
            else:
                _follow(plan, progress)
    except Interrupted:
        result.epochs_done = keeper.kept_epochs
        raise _stopped(keeper, config.TRAIN.END_EPOCH, folder) from None
    if story.found and story.found.unreadable:
        note(f"not in these numbers: {unread(story.found)}")


def _stopped(keeper: Keeper, end: int, folder: Path) -> Interrupted:
    """How far it came, for whoever stopped it."""
    done = f"{keeper.kept_epochs} of {end} epochs are finished and kept in {folder}"
    has_some = keeper.kept_epochs or keeper.kept
    return Interrupted(
        f"stopped: {done}{keeper.kept}",
        "the same command with AUTO_RESUME True goes on from there" if has_some else "",
    )


def _last_checkpoint(folder: Path, team: Team) -> Last | None:
    """What to go on from: of a team, everybody takes what the one that leads has found whole."""
    last = resume.last_checkpoint(folder) if team.leads else None
    path = team.collected(last.path if last else None)[0]
    if team.leads or path is None:
        return last
    return Last(path, checkpoint.read_checkpoint(path))


def _epochs(plan: Plan, progress: Progress, story: Story, log: Log, journal: Journal, result: Result) -> None:
    """The remaining epochs; what is finished and kept is told to `progress` and `result`."""
    learner, folder, end = plan.learner, plan.folder, plan.config.TRAIN.END_EPOCH
    result.keep()
    if progress.epoch >= end:
        part = progress.position
        more = f"; {FINAL} has {part.batches} batches of the next epoch in it, too" if part else ""
        note(f"nothing left to train: TRAIN.END_EPOCH is {end}{more}")
        _finish(plan, story, result)
    else:
        log.say(history.header(kind(plan.config).SCORE))
    for epoch in range(progress.epoch, end):
        rate = learner.set_rate(epoch)
        learnt = learn(learner, epoch, journal, plan.keeper)
        story.pace.learning.append(learnt.seconds)
        row = history.Row(
            epoch + 1, learnt.loss, learnt.accuracy, rate, learnt.samples_per_second, learnt.seconds
        )
        if not _is_tested(plan.config, epoch):
            _tell(plan, story, row, log, result)
            progress.advance()
            continue
        begin = time.perf_counter()
        story.found, metrics = _test(plan, learnt.position, journal)
        story.pace.testing.append(time.perf_counter() - begin)
        journal.scalars.add(epoch, valid_loss=story.found.loss, valid_acc=story.found.accuracy)
        journal.scalars.add_group(epoch, "valid", metrics)
        is_best = progress.advance(metrics)
        row = history.with_metrics(row, metrics, story.pace.testing[-1])
        _tell(plan, story, row, log, result, is_best=is_best)
        if is_best:
            plan.keeper.keep_best()
        if epoch + 1 == end:
            _finish(plan, story, result)
        plan.keeper.keep()  # last of all: see keep.py
        result.epochs_done, result.metrics = progress.epoch, metrics
        result.loss, result.accuracy = story.found.loss, story.found.accuracy
        result.unreadable = list(story.found.unreadable)
        result.epochs = [row.figures for row in story.rows]
        result.memory = peak_memory(learner.devices)
        result.add_output(results_file(folder, plan.config))
        for name in (CHECKPOINT, BEST) if is_best else (CHECKPOINT,):
            result.add_output(folder / name)
        result.seconds = {"learning": story.pace.learning, "testing": story.pace.testing}
        result.keep()
        learner.team.wait()


def _follow(plan: Plan, progress: Progress) -> None:
    """The part in the remaining epochs of a process that does not lead: step for step as `_epochs`."""
    learner = plan.learner
    for epoch in range(progress.epoch, plan.config.TRAIN.END_EPOCH):
        learner.set_rate(epoch)
        learnt = learn(learner, epoch, Journal(), plan.keeper)
        if _is_tested(plan.config, epoch):
            _test(plan, learnt.position, Journal())
            learner.team.wait()  # until the epoch is kept
        progress.advance()


def _test(plan: Plan, learnt: Position, journal: Journal) -> tuple[Found, dict[str, float]]:
    """What is found with the weights at hand, and the metrics; where that fails, what was learnt is kept."""
    learner = plan.learner
    learner.team.align(learner.model)
    try:
        return evaluate(
            learner.model, plan.people, plan.config, learner.devices, plan.folder, learner.stop, journal
        )
    except Exception:
        plan.keeper.keep_at(learnt, otherwise=LOST)
        raise


def _is_tested(config: Config, epoch: int) -> bool:
    """Every EVAL_EVERY-th epoch, and the last."""
    return (epoch + 1) % config.TRAIN.EVAL_EVERY == 0 or epoch + 1 == config.TRAIN.END_EPOCH


def _tell(
    plan: Plan, story: Story, row: history.Row, log: Log, result: Result, *, is_best: bool = False
) -> None:
    """A finished epoch's line and row."""
    end = plan.config.TRAIN.END_EPOCH
    left = range(row.epoch, end)
    tests = sum(_is_tested(plan.config, epoch) for epoch in left)
    story.rows.append(row)
    history.write(plan.folder / HISTORY, story.rows)
    result.add_output(plan.folder / HISTORY)
    log.say(history.table_line(row, end, story.pace.left(len(left), tests), is_best=is_best))


def _finish(plan: Plan, story: Story, result: Result) -> None:
    """The weights and pictures at the end; without a training the pictures stay as they are."""
    checkpoint.write(plan.folder / FINAL, plan.learner.model.state_dict())
    result.add_output(plan.folder / FINAL)
    if story.found is None:
        return
    write_picture(plan.folder / CURVES, curves.draw(story.rows))
    result.add_output(plan.folder / CURVES)
    if len(story.found.keypoints):
        sheet = showcase.predictions(plan.people.records, story.found.keypoints, plan.people.annotated.joints)
        write_picture(plan.folder / PREDICTIONS, sheet)
        result.add_output(plan.folder / PREDICTIONS)


def _people_to_learn(config: Config, seed: int) -> CropDataset:
    """The people of TRAIN_SET, varied as the DATASET section says."""
    settings = config.DATASET
    truth = annotated(config, settings.TRAIN_SET)
    if not truth.records:
        raise PoseError(f"{truth.annotation_file} has no person with a labelled joint")
    records = selected(truth.records) if settings.SELECT_DATA else truth.records
    if not records:
        raise PoseError(
            f"DATASET.SELECT_DATA leaves none of the {len(truth.records)} people of {truth.annotation_file}",
            "DATASET.SELECT_DATA False",
        )
    if settings.SELECT_DATA:
        note(f"DATASET.SELECT_DATA keeps {len(records)} of {len(truth.records)} people")
    if settings.PROB_HALF_BODY > 0 and not truth.joints.upper_body:
        note("DATASET.PROB_HALF_BODY has no effect: no joint's name says that it is of the upper body")
    return CropDataset(
        records,
        config.MODEL.image_height_width,
        training=True,
        joints=truth.joints,
        flip=settings.FLIP,
        scale_factor=settings.SCALE_FACTOR,
        rotation_factor=settings.ROT_FACTOR,
        half_body_probability=settings.PROB_HALF_BODY,
        half_body_min_joints=settings.NUM_JOINTS_HALF_BODY,
        rgb=settings.COLOR_RGB,
        seed=seed,
    )


def _initialise(model: nn.Module, config: Config) -> None:
    """The public initialisation, except that pretrained weights which are not there are an error."""
    if not config.MODEL.INIT_WEIGHTS:
        return
    if not config.MODEL.PRETRAINED:
        models.initialise(model, config.MODEL, is_pretrained=False)
        return
    path = Path(config.MODEL.PRETRAINED)
    if not path.is_file():
        raise PoseError(
            f"MODEL.PRETRAINED: there is no file {path}",
            "fetch ImageNet weights, or train from scratch with MODEL.PRETRAINED \"''\"",
        )
    models.initialise(model, config.MODEL, is_pretrained=True)
    state = models.wanted_of(checkpoint.read_state(path), config.MODEL)
    fresh = checkpoint.load_backbone(model, state, path)
    own = " (final_layer's among them)" if "final_layer.weight" in fresh else ""
    note(f"pretrained: {path}; {len(fresh)} weights start fresh{own}")


def _optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Adam takes the rate alone, as in the public implementation: WD and MOMENTUM are sgd's."""
    train = config.TRAIN
    if train.OPTIMIZER == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=train.LR,
            momentum=train.MOMENTUM,
            weight_decay=train.WD,
            nesterov=train.NESTEROV,
        )
    try:
        # One kernel for the whole update: 15 % of a small network's step on a CPU.
        return torch.optim.Adam(model.parameters(), lr=train.LR, fused=True)
    except RuntimeError:  # torch before 2.4 has it for GPUs only
        return torch.optim.Adam(model.parameters(), lr=train.LR)
