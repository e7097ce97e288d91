"""Stage `train`: epochs of Simple Baseline training, each ending in the dataset's numbers and a checkpoint.

Everything that can be checked early is checked before the first batch. Every random number is a function of
(seed, epoch), so that a resumed run goes on exactly as an uninterrupted one would have; what is kept when the
user stops are the finished epochs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pose import checkpoint, curves, devices, history, models, resume, showcase
from pose.arguments import Arguments
from pose.average import Average
from pose.config import Config, as_dict
from pose.dataset import CropDataset, batches, shuffled
from pose.datasets import annotated, fingerprint, kind, people_to_test, results_file
from pose.decode import pck_accuracy
from pose.errors import FAILED, Interrupted, PoseError
from pose.inference import Found, make_targets, normalise
from pose.interruption import Stop, stop_on_signals
from pose.loss import joints_loss, learning_rate
from pose.memory import within_memory
from pose.output import BEST, CHECKPOINT, CURVES, FINAL, HISTORY, PREDICTIONS, Log, output_folder, prepare
from pose.pictures import check_pictures
from pose.record import People
from pose.report import Result, bar, figure, note
from pose.resume import Progress
from pose.selection import selected
from pose.test import evaluate
from pose.writing import write_picture


@dataclass(frozen=True)
class Plan:
    """Everything that stays the same from epoch to epoch."""

    config: Config
    folder: Path
    seed: int
    dataset: CropDataset
    people: People
    devices: devices.Devices
    model: nn.Module
    placed: nn.Module  # the model on its devices
    optimizer: torch.optim.Optimizer
    stop: Stop


@dataclass(frozen=True)
class Learnt:
    """What one pass over the training people came to."""

    loss: float
    accuracy: float | None
    samples_per_second: float
    seconds: float


@dataclass
class Story:
    """What is told at the end: every finished epoch, and what the last test found."""

    rows: list[history.Row]
    pace: history.Pace = field(default_factory=history.Pace)
    found: Found | None = None


def run(arguments: Arguments, result: Result) -> None:
    """Trains from BEGIN_EPOCH, or from the folder's checkpoint with AUTO_RESUME, to END_EPOCH."""
    config, config_file = arguments.configuration
    folder = output_folder(config, config_file)
    last = resume.last_checkpoint(folder) if config.AUTO_RESUME else None
    seed = arguments.seed(default=last.seed if last else 0)
    result.config, result.seed = as_dict(config), seed
    people = people_to_test(config)
    dataset = _people_to_learn(config, seed)
    check_pictures((*dataset.records, *people.records))
    result.dataset = fingerprint(config, config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)
    devices.settle(config, seed, deterministic=arguments.deterministic)
    model = models.build(config.MODEL)
    if last is None:
        _initialise(model, config)
    prepare(folder, needed_bytes=resume.room(model))
    result.output_dir = str(folder.absolute())
    used = devices.choose(config, learning=True)
    placed = used.place(model)
    optimizer = _optimizer(model, config)
    progress = resume.restore(last, model, optimizer) if last else Progress(config.TRAIN.BEGIN_EPOCH)
    result.epochs_done = progress.epoch
    story = Story(history.read(folder / HISTORY, progress.epoch) if last else [])
    note(f"{len(dataset)} people to learn from; {people.boxes}; {folder}")
    try:
        with stop_on_signals() as stop, Log(folder, config_file, "train") as log:
            log.keep(f"seed {seed}\n{as_dict(config)}")
            plan = Plan(config, folder, seed, dataset, people, used, model, placed, optimizer, stop)
            _epochs(plan, progress, story, log, result)
    except Interrupted:
        done = f"{progress.epoch} of {config.TRAIN.END_EPOCH} epochs"
        raise Interrupted(
            f"stopped: {done} are finished and kept in {folder}",
            "the same command with AUTO_RESUME True goes on from there" if progress.epoch else "",
        ) from None
    checkpoint.write(folder / FINAL, model.state_dict())
    result.add_output(folder / FINAL)
    _draw(plan, story, result)


def _epochs(plan: Plan, progress: Progress, story: Story, log: Log, result: Result) -> None:
    """The remaining epochs; what is finished and kept is told to `progress` and `result`."""
    train, folder = plan.config.TRAIN, plan.folder
    if progress.epoch >= train.END_EPOCH:
        note(f"nothing left to train: TRAIN.END_EPOCH is {train.END_EPOCH}")
    else:
        log.say(history.header(kind(plan.config).SCORE))
    facts = {"model": plan.config.MODEL.NAME, "seed": plan.seed}
    for epoch in range(progress.epoch, train.END_EPOCH):
        rate = plan.devices.rate(train, learning_rate(train.LR, train.LR_FACTOR, train.LR_STEP, epoch))
        for group in plan.optimizer.param_groups:
            group["lr"] = rate
        learnt = _learn(plan, epoch)
        story.pace.learning.append(learnt.seconds)
        row = history.Row(
            epoch + 1, learnt.loss, learnt.accuracy, rate, learnt.samples_per_second, learnt.seconds
        )
        if not _is_tested(plan.config, epoch):
            _tell(plan, story, row, log, result)
            continue
        begin = time.perf_counter()
        story.found, metrics = evaluate(
            plan.placed, plan.people, plan.config, plan.devices, folder, plan.stop, log
        )
        story.pace.testing.append(time.perf_counter() - begin)
        is_best = progress.advance(epoch + 1, metrics)
        row = history.with_metrics(row, metrics, story.pace.testing[-1])
        # The row before the checkpoint: a resumed run drops rows that are too many, it cannot make up one.
        _tell(plan, story, row, log, result, is_best=is_best)
        resume.keep(folder, plan.model, plan.optimizer, progress, facts, is_best=is_best)
        result.epochs_done, result.metrics = progress.epoch, metrics
        result.loss, result.accuracy = story.found.loss, story.found.accuracy
        result.add_output(results_file(folder, plan.config))
        for name in (CHECKPOINT, BEST) if is_best else (CHECKPOINT,):
            result.add_output(folder / name)


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


def _draw(plan: Plan, story: Story, result: Result) -> None:
    """The pictures at the end; a run in which nothing was trained leaves those that are there."""
    if story.found is None:
        return
    write_picture(plan.folder / CURVES, curves.draw(story.rows))
    result.add_output(plan.folder / CURVES)
    if len(story.found.keypoints):
        sheet = showcase.predictions(plan.people.records, story.found.keypoints, plan.people.annotated.joints)
        write_picture(plan.folder / PREDICTIONS, sheet)
        result.add_output(plan.folder / PREDICTIONS)


def _learn(plan: Plan, epoch: int) -> Learnt:
    """One pass over the training people."""
    config, device, people = plan.config, plan.devices.main, len(plan.dataset)
    size = config.TRAIN.BATCH_SIZE_PER_GPU * plan.devices.count
    torch.manual_seed(plan.seed * 1_000_003 + epoch)
    plan.dataset.set_epoch(epoch)
    loader = batches(
        plan.dataset,
        size,
        order=shuffled(people, plan.seed, epoch) if config.TRAIN.SHUFFLE else None,
        workers=plan.devices.workers,
        pin_memory=config.PIN_MEMORY and bool(plan.devices.gpus),
    )
    loss_sum = torch.zeros((), device=device)  # read once at the end: reading it stalls a GPU
    accuracy, text = Average(), ""
    begin = time.perf_counter()
    plan.placed.train()
    with bar(f"epoch {epoch + 1}/{config.TRAIN.END_EPOCH}", len(loader)) as progress:
        for number, batch in enumerate(loader):
            output, target, loss = _step_that_fits(plan, batch)
            loss_sum += loss * len(output)
            shown = number % config.PRINT_FREQ == 0
            if shown or device.type == "cpu":  # on a GPU only now and then, for the same reason
                _require_finite(loss, epoch, number)
                accuracy.add(*pck_accuracy(output, target))
            if shown:
                speed = min((number + 1) * size, people) / (time.perf_counter() - begin)
                text = f"{speed:.0f} samples/s   loss {float(loss):.5f}   acc {figure(accuracy.mean, 3)}"
            progress.advance(text)
            plan.stop.check()
    _require_finite(loss_sum, epoch, len(loader) - 1)
    seconds = time.perf_counter() - begin
    return Learnt(float(loss_sum) / people, accuracy.mean, people / seconds, seconds)


def _step_that_fits(plan: Plan, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """One batch learnt, or the error that names the batch size which would have fitted."""
    count, size = plan.devices.count, plan.config.TRAIN.BATCH_SIZE_PER_GPU
    return within_memory(
        lambda: _step(plan, batch),
        # Whole steps, the optimiser's own memory included; what they learn is thrown away with the run.
        lambda size: _step(plan, {key: value[: size * count] for key, value in batch.items()}),
        min(size, -(-len(batch["image"]) // count)),
        "TRAIN.BATCH_SIZE_PER_GPU",
    )


def _step(plan: Plan, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """One batch learnt: the heat maps, the targets and the loss."""
    device = plan.devices.main
    pictures = normalise(batch["image"].to(device, non_blocking=True))
    joints, visible = (batch[key].to(device, non_blocking=True) for key in ("joints", "visible"))
    target, weight = make_targets(joints, visible, plan.config, plan.dataset.joints.weights)
    output = plan.placed(pictures)
    loss = joints_loss(output, target, weight, plan.config.LOSS)
    plan.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    plan.optimizer.step()
    return output.detach(), target, loss.detach()


def _require_finite(loss: Tensor, epoch: int, batch: int) -> None:
    if not torch.isfinite(loss):
        raise PoseError(
            f"the loss became {float(loss)} in epoch {epoch + 1}, batch {batch + 1}: training stopped",
            f"a smaller TRAIN.LR; {CHECKPOINT}, if there is one, is the last finished epoch's",
            FAILED,
        )


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
        models.initialise(model, is_pretrained=False)
        return
    path = Path(config.MODEL.PRETRAINED)
    if not path.is_file():
        raise PoseError(
            f"MODEL.PRETRAINED: there is no file {path}",
            "fetch ImageNet weights, or train from scratch with MODEL.PRETRAINED \"''\"",
        )
    models.initialise(model, is_pretrained=True)
    state = models.wanted_of(checkpoint.read_state(path), config.MODEL)
    fresh = checkpoint.load_backbone(model, state, path)
    note(f"pretrained: {path}; {len(fresh)} weights start fresh")


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
