"""What checkpoint.pth holds, and how training goes on from it, at an epoch's beginning or inside of one.

The public implementation's keys, so that either resumes the other's (it would repeat the epoch at hand), and
of ours: the best score so far (it restores the last epoch's, so that a worse model can replace
model_best.pth), the metrics of the last test, the seed and the order of the samples, and the position in the
epoch at hand. `keep.py`
decides when one is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pose.command.output import BEFORE, CHECKPOINT, DAMAGED, EARLIER
from pose.errors import FAILED, PoseError
from pose.networks import checkpoint, optimiser
from pose.networks.checkpoint import Damaged
from pose.report import note
from pose.stages.position import Order, Position, finite, natural, order_in, position_in
from pose.telling.history import score_of
from pose.writing import link

NO_SCORE = -1.0
OTHER_FOLDER = "--output DIR names another folder"
ANEW = f"AUTO_RESUME False starts anew; {OTHER_FOLDER}"


@dataclass
class Progress:
    """How far training is."""

    epoch: int  # finished epochs
    best: float = NO_SCORE
    metrics: dict[str, float] | None = None  # of the last evaluated epoch
    position: Position | None = None  # in the epoch at hand; None at its beginning
    order: Order | None = None  # by which the last finished or begun epoch was learnt, where that is known

    @property
    def score(self) -> float:
        """AP, or MPII's mean, of the last evaluated epoch; 0 for sets whose truth is not public."""
        return score_of(self.metrics or {}) or 0.0

    def advance(self, metrics: dict[str, float] | None = None) -> bool:
        """Finishes the epoch at hand; whether it is the best so far (of equals, the latest is).

        Without `metrics` it was not tested, and is not the best of anything.
        """
        self.epoch, self.position = self.epoch + 1, None
        if metrics is None:
            return False
        self.metrics = metrics
        is_best = self.score >= self.best
        self.best = max(self.best, self.score)
        return is_best

    def start_over(self, order: Order, path: Path) -> None:
        """Gives up a position that means nothing in this order; says so, and what is another from here on."""
        position = self.position
        if position is None or position.is_complete:  # what is learnt is learnt, in whatever order
            differences = order.differences(self.order) if self.order else ""
            if differences:
                note(f"what {path} holds was learnt in another way: from here on {differences}")
        elif differences := order.differences(position.order):
            note(
                f"{path} was written after {position.batches} of {position.order.batches} batches of epoch "
                f"{self.epoch + 1}; with {differences} the rest is not known: that epoch starts over"
            )
            self.position = None
        self.order = order


@dataclass(frozen=True)
class Last:
    """A checkpoint that was found; `damaged` says why it is not the folder's last one."""

    path: Path
    content: dict[str, Any]
    damaged: str = ""

    @property
    def seed(self) -> int:
        """The seed of the run that wrote it; 0 in files of the public implementation."""
        seed = self.content.get("seed")
        return seed if isinstance(seed, int) else 0


def last_checkpoint(folder: Path) -> Last | None:
    """The folder's checkpoint, or the one before where that cannot be read; None where there is neither.

    Raises:
        PoseError: when there are some, and none is whole; when one cannot be read, which damages nothing.
    """
    path, before = folder / CHECKPOINT, folder / BEFORE
    if not path.exists():
        if not before.exists():
            return None
        damaged = f"there is no weights file {path}"
    else:
        try:
            return Last(path, checkpoint.read_checkpoint(path))
        except Damaged as error:
            if not before.exists():
                raise PoseError(error.message, f"{ANEW}; there is no {BEFORE} beside it") from None
            damaged = error.message
    try:
        return Last(before, checkpoint.read_checkpoint(before), damaged)
    except Damaged as error:
        raise PoseError(f"{damaged}, and {error.message}", ANEW) from None


def take_over(folder: Path, last: Last | None) -> list[str]:
    """Makes the folder's checkpoint the one that is gone on from, or none where the run starts anew.

    Returns what of it `result.json` keeps: a sentence where one was damaged.
    """
    if last:
        return _mend(last)
    _put_away(folder)
    return []


def _mend(last: Last) -> list[str]:
    """Makes the checkpoint that is gone on from the last one again, the damaged one put aside; says so.

    Returns the sentence that says it, if there was a damaged one.
    """
    if not last.damaged:
        return []
    damaged, aside = last.path.with_name(CHECKPOINT), _free(last.path.with_name(DAMAGED))
    kept = f"; it is kept as {aside.name}" if damaged.exists() else ""
    try:
        if damaged.exists():
            damaged.replace(aside)
        link(last.path, damaged)
    except OSError as error:
        raise PoseError(f"{damaged} cannot be put aside: {error.strerror}", ANEW, FAILED) from None
    sentence = f"{last.damaged}; the one before, {last.path}, is gone on from{kept}"
    note(sentence)
    return [sentence]


def _put_away(folder: Path) -> None:
    """Keeps another run's checkpoint from being taken for one of the run that starts anew; says so.

    The name has room for one: final_state.pth and the others of that run are replaced as well.
    """
    path, before, aside = folder / CHECKPOINT, folder / BEFORE, folder / EARLIER
    found = path if path.exists() else before
    if not found.exists():
        return
    try:
        if found is path:  # first, or it would be gone on from where this is killed in between
            before.unlink(missing_ok=True)
        found.replace(aside)
    except OSError as error:
        raise PoseError(f"{found} cannot be put aside: {error.strerror}", OTHER_FOLDER, FAILED) from None
    note(f"this run starts anew: {found} is another one's, and is kept as {EARLIER}")


def _free(path: Path) -> Path:
    """The path, or the first of name-2, name-3 ... that is not there."""
    names: Iterator[Path] = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(name for name in names if not name.exists())


def restore(last: Last, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Puts weights and optimiser back to where they were; returns how far that is."""
    path, content = last.path, last.content
    checkpoint.load_strictly(model, checkpoint.state_of(content, path), path)
    try:
        progress = _progress(content)
        optimiser.load_strictly(optimizer, content["optimizer"])
    except ValueError as error:
        raise PoseError(f"{path} cannot be resumed from: {error}", ANEW) from None
    except (AttributeError, KeyError, TypeError) as error:
        raise PoseError(f"{path} cannot be resumed from ({type(error).__name__}: {error})", ANEW) from None
    position = progress.position
    inside = f", and {position.batches} of {position.order.batches} batches of the next" if position else ""
    note(f"resuming {path}: {progress.epoch} epochs are done{inside}")
    return progress


def _progress(content: dict[str, Any]) -> Progress:
    perf = finite(content["perf"])
    metrics = content.get("metrics", {"AP": perf})
    position, order = content.get("position"), content.get("order")
    return Progress(
        natural(content["epoch"]),
        finite(content.get("best_perf", perf)),
        None if metrics is None else {str(name): float(value) for name, value in metrics.items()},
        None if position is None else position_in(position),
        None if order is None else order_in(order),
    )


def content_of(
    progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer, facts: dict[str, Any]
) -> dict[str, Any]:
    """What a checkpoint holds; `facts`: the model's name and the seed."""
    state = model.state_dict()
    return {
        "epoch": progress.epoch,
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "best_state_dict": state,  # this epoch's, as there; the same storages, so it takes no room
        "perf": progress.score,
        "optimizer": optimizer.state_dict(),
        "best_perf": progress.best,
        "metrics": progress.metrics,
        "position": progress.position.document() if progress.position else None,
        "order": asdict(progress.order) if progress.order else None,
        **facts,
    }
