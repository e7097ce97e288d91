"""The public implementation's lines in a run's log file; what the screen shows is another matter."""

from __future__ import annotations

import time
from collections.abc import Callable

from pose.average import Average


class LinesOfATest:
    """A line of a test every so many batches, the first included: each number's last value and its mean."""

    def __init__(self, keep: Callable[[str], None], batches: int, every: int) -> None:
        self._keep, self._batches, self._every = keep, batches, every
        self._done, self._seconds, self._begin = 0, Average(), time.perf_counter()

    def tell(self, loss: Average, accuracy: Average) -> None:
        """One batch is done."""
        now = time.perf_counter()
        self._seconds.add(now - self._begin)
        self._begin = now
        if self._done % self._every == 0:
            cells = (
                f"Test: [{self._done}/{self._batches}]",
                f"Time {self._seconds.shown(3)}",
                f"Loss {loss.shown(4)}",
                f"Accuracy {accuracy.shown(3)}",
            )
            self._keep("\t".join(cells))
        self._done += 1


class LinesOfAnEpoch:
    """Lines of a training, each of the batches since the one before, and in brackets of the epoch so far.

    There each line is of its own batch alone. On a GPU, which works while the next batches are handed to it,
    one batch's time is not known, and to wait for it would be to stall: only the numbers that a line shows
    are waited for.
    """

    def __init__(self, keep: Callable[[str], None], epoch: int, batches: int, done: int = 0) -> None:
        """Of an epoch of so many batches, of which so many were done by an earlier run."""
        self._keep, self._epoch, self._batches = keep, epoch, batches
        self._seconds, self._waited = Average(), Average()
        self._done = self._told = done
        self._people = 0
        self._waiting = 0.0
        self._begin = self._ended = time.perf_counter()

    def loaded(self) -> None:
        """A batch has come."""
        self._waiting += time.perf_counter() - self._ended

    def learnt(self, people: int) -> None:
        """A batch of so many is done."""
        self._ended = time.perf_counter()
        self._done += 1
        self._people += people

    def tell(self, loss: Average, accuracy: Average) -> None:
        """The line of the batch that was learnt last."""
        now, steps = time.perf_counter(), self._done - self._told
        self._seconds.add((now - self._begin) / steps, steps)
        self._waited.add(self._waiting / steps, steps)
        cells = (
            f"Epoch: [{self._epoch}][{self._done - 1}/{self._batches}]",
            f"Time {_seconds(self._seconds)}",
            f"Speed {self._people / (now - self._begin):.1f} samples/s",
            f"Data {_seconds(self._waited)}",
            f"Loss {loss.shown(5)}",
            f"Accuracy {accuracy.shown(3)}",
        )
        self._keep("\t".join(cells))
        self._begin = self._ended = now
        self._told, self._people, self._waiting = self._done, 0, 0.0


def _seconds(average: Average) -> str:
    return f"{average.last or 0.0:.3f}s ({average.mean or 0.0:.3f}s)"
