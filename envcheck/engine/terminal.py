"""Our terminal, lent to a container: every key goes there as it is typed, and the size follows the window."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator


def is_interactive() -> bool:
    """Tell whether a person sits at both ends."""
    if sys.stdin is None or sys.stdout is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()  # in the background nobody types


def size() -> tuple[int, int]:
    """Return the terminal's (height, width) in characters."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.lines, found.columns


@contextlib.contextmanager
def lent(on_resize: Callable[[], object]) -> Iterator[None]:
    """While open, the terminal takes no key for itself, Ctrl-C neither; `on_resize` hears of its size."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    handler = signal.signal(signal.SIGWINCH, lambda _number, _frame: on_resize())
    try:
        tty.setraw(keyboard)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
