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
