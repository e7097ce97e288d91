"""Questions that are asked at the same time, each with a time limit of its own.

What does not come back, as a read from a dead network disk, costs its own limit once and becomes a reason;
its thread is left behind, and ends with the program. Reasons begin with a word in capitals: `HANG`, `FAILED`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """One question; its clock runs from when this is made."""

    def __init__(self, ask: Callable[[], T], without: Callable[[str], T], *, seconds: float) -> None:
        """`ask` runs in a thread; `without` makes what is known without its answer, from the reason."""
        self._without = without
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._answer: tuple[T] | None = None
        self._failed = ""
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Return the answer, or what is known without it."""
        self._thread.join(max(0.0, self._ends - time.monotonic()))
        if self._answer is not None:
            return self._answer[0]
        return self._without(self._failed or f"HANG: no answer within {self._seconds:g} s")

    def _run(self, ask: Callable[[], T]) -> None:
        try:
            self._answer = (ask(),)
        except Exception as error:  # noqa: BLE001 - one source that fails must not take the others along
            self._failed = f"FAILED: {type(error).__name__}: {error!s:.200}"
