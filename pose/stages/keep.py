"""When a checkpoint is written, and beside which other files: after each test, in between, and on a stop.

A SIGKILL may come between any two files: the checkpoint is the last of an epoch's, so that whoever finds it
finds what its epochs left. A resumed run that finds more than that makes it again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pose.command.output import BEFORE, BEST, CHECKPOINT, EARLIER, FINAL
from pose.errors import PoseError
from pose.networks import checkpoint
from pose.report import note
from pose.stages.position import Position
from pose.stages.resume import Progress, content_of


class Keeper:
    """Writes a training's checkpoints; of a team, the process that leads does."""

    def __init__(  # noqa: PLR0913 - what a checkpoint holds, and when one is written
        self,
        folder: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        progress: Progress,
        facts: dict[str, Any],
        *,
        minutes: float = 0.0,
        resumed: bool = False,
        leads: bool = True,
    ) -> None:
        """`facts`: model's name and seed; `minutes` between two inside an epoch, 0 for none.

        `resumed`: whether `progress` is what the folder's checkpoint holds.
        """
        self.progress = progress
        self._folder, self._model, self._optimizer, self._facts = folder, model, optimizer, facts
        self._seconds, self._leads = minutes * 60, leads
        self._last = time.monotonic()
        self._kept = (progress.epoch, progress.position) if resumed else (0, None)

    @property
    def kept(self) -> str:
        """What of the epoch at hand is in the folder's checkpoint, for a sentence about finished epochs."""
        epoch, position = self._kept
        if position is None:
            return ""
        return f", and {position.batches} of {position.order.batches} batches of epoch {epoch + 1}"

    @property
    def kept_epochs(self) -> int:
        """How many finished epochs are."""
        return self._kept[0]

    def is_due(self) -> bool:
        """Whether it is time for one inside an epoch; for the process that writes it to say."""
        return self._leads and self._seconds > 0 and time.monotonic() - self._last >= self._seconds

    def keep(self) -> None:
        """Writes checkpoint.pth, the one before being kept as checkpoint_before.pth.

        Raises:
            PoseError: exit code 1, when the disk does not take it; what was there stays.
        """
        if self._leads:
            self._write()
        # Any process of a team may be the one that tells how far they came.
        self._kept, self._last = (self.progress.epoch, self.progress.position), time.monotonic()

    def keep_at(self, position: Position, *, otherwise: str) -> bool:
        """The same inside an epoch, where a disk that does not take it is said, and what that means."""
        former, self.progress.position = self.progress.position, position
        try:
            self.keep()
        except PoseError as error:
            self.progress.position, self._last = former, time.monotonic()
            note(f"{error.message}; {otherwise}")
            return False
        return True

    def keep_best(self) -> None:
        """Writes model_best.pth."""
        checkpoint.write(self._folder / BEST, self._model.state_dict())

    def _write(self) -> None:
        content = content_of(self.progress, self._model, self._optimizer, self._facts)
        checkpoint.write(self._folder / CHECKPOINT, content, before=self._folder / BEFORE)


def room(model: nn.Module, folder: Path, *, anew: bool = False) -> int:
    """Bytes that the files take at most, while checkpoint.pth is replaced, beyond what they take already.

    Of a run that starts anew, beside the checkpoint that is put away.
    """
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    # Weights and Adam's two averages, thrice: the last, the one before, the next; two weights files.
    most = weights * (3 * 3 + 2)
    sizes = {}
    for name in (EARLIER if anew else CHECKPOINT, BEFORE, BEST, FINAL):
        path = folder / name
        if path.is_file():
            found = path.stat()
            sizes[found.st_dev, found.st_ino] = found.st_size
    return max(0, most - sum(sizes.values()))
