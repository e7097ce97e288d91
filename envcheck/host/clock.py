"""Whether somebody keeps the clock right, asked of the kernel: no file says it for all that do."""

from __future__ import annotations

import ctypes

# Of `struct timex` the first field only, with room for the rest; without modes, nothing is set.
_TIMEX_BYTES = 256
_TIME_ERROR = 5  # what adjtimex answers while nobody has set the clock, or nobody does any more


def is_synchronized() -> bool | None:
    """Return the kernel's answer; None where it gives none."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
