"""PoseError: the one exception for everything that a user can bring about.

Shown as `error: ...` and `hint: ...` without a traceback by `__main__`, the only place that catches it.
"""

from __future__ import annotations

import errno

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130
FOLLOWED = 76  # of a process that ended because another of its team did; torchrun.py never hands it on

# The hint for a file that could not be written.
WRITE_HINT = "is there room, and may you write there? --output DIR names another place"
BUG = 70


class PoseError(Exception):
    """An expected failure: one sentence, one hint, the exit code (2 bad input, 1 failed step)."""

    def __init__(self, message: str, hint: str = "", exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[PoseError], tuple[str, str, int]]:
        """The constructor's own arguments: a loader's worker hands the error over to its parent whole."""
        return type(self), (self.message, self.hint, self.exit_code)


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user asked to stop; what was finished stays usable."""

    def __init__(self, message: str = "stopped", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Followed(Exception):  # noqa: N818 - not an error of its own
    """Another process of the team has told, or will, why all of them end."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


# What torch says when the machine, not the program, gives out -> what helps. It has no types for these.
MACHINE_FAILURES = (
    ("out of memory", "a smaller TRAIN.BATCH_SIZE_PER_GPU or TEST.BATCH_SIZE_PER_GPU"),
    (
        "can't allocate memory",
        "a smaller TRAIN.BATCH_SIZE_PER_GPU or TEST.BATCH_SIZE_PER_GPU, or fewer WORKERS",
    ),
    (
        "DataLoader worker",
        "WORKERS 0 loads without worker processes; in a container, more shared memory helps",
    ),
    ("NCCL", "GPUS '(0,)' trains on one GPU; with NCCL_DEBUG=INFO in the environment it says more"),
)


def known_failure(error: Exception) -> PoseError | None:
    """The sentence and hint for a failure of the machine or the environment; None for anything else."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ImportError) and not (error.name or "").startswith("pose"):
        what = error.name or "a library"
        return PoseError(
            f"{what} cannot be loaded: {text}", "pip install 'envcheck[pose]' has all of it", FAILED
        )
    if isinstance(error, MemoryError):
        return PoseError("this machine's memory is not enough", MACHINE_FAILURES[1][1], FAILED)
    if isinstance(error, OSError) and error.strerror:
        hint = WRITE_HINT if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) else ""
        return PoseError(f"{error.filename or 'a file'}: {error.strerror}", hint, FAILED)
    if isinstance(error, RuntimeError):
        for symptom, hint in MACHINE_FAILURES:
            if symptom in text:
                return PoseError(text.split(". ")[0], hint, FAILED)
    return None
