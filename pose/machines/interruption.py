"""Ctrl-C and SIGTERM: the first asks the stage to stop at its next safe point, the second stops at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pose.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raises Interrupted if so; stages call it where nothing is half done."""
        if self.asked:
            raise Interrupted


@contextmanager
def stop_on_signals(*, echo: float = 0.0) -> Iterator[Stop]:
    """A Stop that the signals set while the block runs; their former handlers come back after it.

    A loader's workers inherit the handler and go on, so that the batch at hand can be finished. A signal that
    comes within `echo` seconds is the first one again.
    """
    stop, last = Stop(), 0.0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if stop.asked and last - before >= echo:
            raise KeyboardInterrupt
        stop.asked = True

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    except Interrupted:
        raise
    except Exception:
        # A loader whose workers took the signal too fails in its own words.
        if stop.asked:
            raise Interrupted from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
