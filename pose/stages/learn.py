"""One epoch of training: batches, steps, what they came to. Shared out among the processes of a team.

Each process has its part of every batch, as DataParallel splits it, and its part's weight in the loss: the
gradients, which DistributedDataParallel averages, are those of the whole batch. Knows no tests; files are
`keep.py`'s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pose.average import Average
from pose.command.config import Config
from pose.command.output import CHECKPOINT
from pose.data.dataset import CropDataset, batches, shuffled
from pose.errors import FAILED, Interrupted, PoseError
from pose.judging.decode import pck_counts, pck_share
from pose.judging.inference import make_targets, normalise
from pose.machines import randomness
from pose.machines.devices import Devices
from pose.machines.interruption import Stop
from pose.machines.memory import within_memory
from pose.machines.team import Team
from pose.networks.loss import joints_loss, learning_rate
from pose.report import bar, figure
from pose.stages.keep import Keeper
from pose.stages.position import Order, Position
from pose.stages.resume import ANEW
from pose.telling.journal import Journal
from pose.telling.log_lines import LinesOfAnEpoch

# What of the DATASET section decides on a sample, beside the pictures.
VARYING = (
    *("SELECT_DATA", "FLIP", "SCALE_FACTOR", "ROT_FACTOR", "PROB_HALF_BODY", "NUM_JOINTS_HALF_BODY"),
    "COLOR_RGB",
)
# What it means that a checkpoint could not be written.
GOES_ON = "training goes on, and the checkpoint before is still there"
LOST = "what was learnt since the checkpoint before is lost"


@dataclass(frozen=True)
class Learner:
    """Who learns, from whom and with what: the same from epoch to epoch."""

    config: Config
    order: Order  # of the people in batches
    dataset: CropDataset
    devices: Devices
    model: nn.Module
    placed: nn.Module  # the model on its device, its gradients the team's
    optimizer: torch.optim.Optimizer
    stop: Stop

    @property
    def team(self) -> Team:
        """The processes that learn together."""
        return self.devices.team

    def set_rate(self, epoch: int) -> float:
        """Makes the epoch's learning rate the optimiser's, and returns it."""
        train = self.config.TRAIN
        rate = self.devices.rate(train, learning_rate(train.LR, train.LR_FACTOR, train.LR_STEP, epoch))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate


@dataclass(frozen=True)
class Learnt:
    """What one pass over the training people came to, and where it ended."""

    loss: float
    accuracy: float | None  # None where no joint could be judged
    samples_per_second: float
    seconds: float
    position: Position


def batch_size(config: Config, used: Devices) -> int:
    """How many people one step learns from, in all processes."""
    return config.TRAIN.BATCH_SIZE_PER_GPU * used.together


def order_of(config: Config, used: Devices, dataset: CropDataset, data: str) -> Order:
    """Which samples make which batch; `data`: the training set's fingerprint."""
    settings = {f"DATASET.{name}": getattr(config.DATASET, name) for name in VARYING}
    settings["MODEL.IMAGE_SIZE"] = list(config.MODEL.IMAGE_SIZE)
    size = batch_size(config, used)
    return Order(dataset.seed, len(dataset), size, config.TRAIN.SHUFFLE, data, settings)


def learn(learner: Learner, epoch: int, journal: Journal, keeper: Keeper) -> Learnt:
    """One pass over the training people, or the rest of one; `journal` hears of every PRINT_FREQ-th batch.

    `keeper` knows where in the epoch it begins, and is given where it is when it is time, or at a stop.
    """
    config, device, team = learner.config, learner.devices.main, learner.team
    begun = keeper.progress.position or Position(learner.order)
    people, size, total = begun.order.people, begun.order.batch, begun.order.batches
    loss_sum = torch.tensor(begun.loss_sum(team), device=device)  # read now and then: reading it stalls a GPU
    accuracy, text = begun.accuracy_so_far(), ""
    counts: list[Tensor] = []  # (2, K) of each batch that `accuracy` has yet to hear of
    lines = LinesOfAnEpoch(journal.line, epoch, total, begun.batches)
    begin = time.perf_counter()

    def here(batches: int) -> Position:
        """Where the team is after so many batches: for all of its processes to ask at once."""
        _hear(accuracy, counts, team)
        _require_finite(float(team.total(loss_sum)), epoch, batches - 1)
        return Position(
            begun.order,
            batches,
            tuple(team.collected(float(loss_sum))),
            replace(accuracy),
            begun.seconds + time.perf_counter() - begin,
            tuple(team.collected(randomness.states(learner.devices.gpus))),
        )

    learner.placed.train()
    with bar(f"epoch {epoch + 1}/{config.TRAIN.END_EPOCH}", total, begun.batches) as progress:
        _seed(learner, epoch, begun)  # not before: what the bar imports draws numbers, too
        for number, batch in enumerate(_rest(learner, epoch, begun), start=begun.batches):
            lines.loaded()
            whole = min(size, people - number * size)
            own = len(team.part(whole))
            output, target, loss = _step_that_fits(learner, batch, own / whole)
            loss_sum += loss * own
            counts.append(torch.stack(pck_counts(output[:own], target[:own])))
            shown = number % config.PRINT_FREQ == 0
            if shown or device.type == "cpu":  # on a GPU only now and then, for the same reason
                joint_loss = float(team.total(loss * own)) / whole
                _require_finite(joint_loss, epoch, number)
            done = number * size + whole
            lines.learnt(whole)
            if shown:
                _hear(accuracy, counts, team)
                lines.tell(Average(joint_loss, float(team.total(loss_sum)), done), accuracy)
                # Counts what was shown, as there; a resumed run counts on.
                step = epoch * -(-total // config.PRINT_FREQ) + number // config.PRINT_FREQ
                journal.scalars.add(step, train_loss=joint_loss, train_acc=accuracy.last)
                if journal.pictures:  # of this process's part
                    journal.pictures.write("train", number, batch, output, target)
                speed = (done - begun.people) / (time.perf_counter() - begin)
                text = f"{speed:.0f} samples/s   loss {joint_loss:.5f}   acc {figure(accuracy.mean, 3)}"
            progress.advance(text)
            stops, is_due = team.any(learner.stop.asked, keeper.is_due())
            if stops or is_due:
                position = here(number + 1)
                keeper.keep_at(position, otherwise=LOST if stops else GOES_ON)
            if stops:
                raise Interrupted
    end = here(total)
    mean = float(team.total(loss_sum)) / people
    return Learnt(mean, accuracy.mean, people / end.seconds, end.seconds, end)


def _seed(learner: Learner, epoch: int, begun: Position) -> None:
    """Every random generator as the epoch has it where it is begun."""
    randomness.seed(learner.order.seed * 1_000_003 + epoch)
    learner.dataset.set_epoch(epoch)
    if learner.team.rank >= len(begun.random):  # nothing was kept, or of a smaller team
        return
    try:
        randomness.restore(begun.random[learner.team.rank], learner.devices.gpus)
    except (IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise PoseError(f"{CHECKPOINT} cannot be resumed from: no random states ({error})", ANEW) from None


def _rest(learner: Learner, epoch: int, begun: Position) -> Iterable[dict[str, Tensor]]:
    """This process's part of the epoch's batches that are left; no picture of the others is read."""
    if begun.is_complete:
        return ()
    order, config = begun.order, learner.config
    people = shuffled(order.people, order.seed, epoch) if order.shuffled else range(order.people)
    return batches(
        learner.dataset,
        order.batch,
        order=people[begun.people :],
        part=learner.team.part,
        workers=learner.devices.workers,
        pin_memory=config.PIN_MEMORY and bool(learner.devices.gpus),
    )


def _hear(accuracy: Average, counts: list[Tensor], team: Team) -> None:
    """Tells the accuracy of the batches since the last time, which wait on the device till then."""
    if counts:
        for near, people in team.total(torch.stack(counts)):
            accuracy.add(*pck_share(near, people))
        counts.clear()


def _step_that_fits(
    learner: Learner, batch: dict[str, Tensor], share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One batch learnt, or the error that names the batch size which would have fitted."""
    return within_memory(
        lambda: _step(learner, batch, share),
        lambda size: _try(learner, batch, size),
        min(learner.config.TRAIN.BATCH_SIZE_PER_GPU, len(batch["image"])),
        "TRAIN.BATCH_SIZE_PER_GPU",
    )


def _step(learner: Learner, batch: dict[str, Tensor], share: float) -> tuple[Tensor, Tensor, Tensor]:
    """One batch learnt, of which this process has a share: its heat maps, targets and loss.

    A process without a share goes through one person all the same, who counts for nothing: the others wait
    for its gradients.
    """
    output, target, loss = _look(learner, learner.placed, batch)
    learner.optimizer.zero_grad(set_to_none=True)
    (loss * (share * learner.team.size)).backward()
    learner.optimizer.step()
    return output.detach(), target, loss.detach()


def _try(learner: Learner, batch: dict[str, Tensor], size: int) -> None:
    """A whole step with `size` people, to see whether it fits: what it learns is thrown away with the run.

    Alone: the other processes know nothing of it, so that no gradient may reach DistributedDataParallel,
    which listens where `backward` leaves them.
    """
    *_, loss = _look(learner, learner.model, {key: value[:size] for key, value in batch.items()})
    weights = [weight for weight in learner.model.parameters() if weight.requires_grad]
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
    learner.optimizer.step()


def _look(learner: Learner, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The heat maps, the targets and the loss."""
    device, config = learner.devices.main, learner.config
    pictures = normalise(batch["image"].to(device, non_blocking=True))
    joints, visible = (batch[key].to(device, non_blocking=True) for key in ("joints", "visible"))
    target, weight = make_targets(joints, visible, config, learner.dataset.joints.weights)
    output = network(pictures)
    return output, target, joints_loss(output, target, weight, config.LOSS)


def _require_finite(loss: float, epoch: int, batch: int) -> None:
    if not math.isfinite(loss):
        raise PoseError(
            f"the loss became {loss} in epoch {epoch + 1}, batch {batch + 1}: training stopped",
            f"a smaller TRAIN.LR; {CHECKPOINT}, if there is one, is from before",
            FAILED,
        )
