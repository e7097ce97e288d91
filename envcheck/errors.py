"""The failures that a user can cause or mend, and the exit codes of the command line.

Everything expected is an `EnvcheckError`: one sentence, one hint, one exit code, shown without a
traceback at a single boundary (`cli.main`). Anything else that escapes is a bug in envcheck.
"""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
UNANSWERED = 3
BUG = 70
RETRY = 75
CANNOT_RUN = 126
NOT_FOUND = 127
INTERRUPTED = 130
# What a command that SIGINT, SIGTERM or SIGHUP ended has for its code.
STOPPED = (130, 143, 129)


class EnvcheckError(Exception):
    """A step that failed: no disk, no permission, a build that broke, no recipe that fits."""

    exit_code = FAILED

    def __init__(self, message: str, hint: str = "", finding: str = "") -> None:
        """`message` is one sentence on what is wrong; `hint` is what to type or change next.

        `finding` is the id under which doctor and explain know it, where they do.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.finding = finding


class UsageError(EnvcheckError):
    """Bad input: a wrong option, a missing file, a document with a wrong type."""

    exit_code = USAGE


class RetryError(EnvcheckError):
    """Every error at hand may pass by itself: another try can succeed."""

    exit_code = RETRY


class CommandError(EnvcheckError):
    """A command that could not be started, and the exit code that shells have for that."""

    def __init__(self, message: str, *, is_there: bool) -> None:
        """`is_there` tells a command that cannot be run from one that does not exist."""
        super().__init__(message)
        self.exit_code = CANNOT_RUN if is_there else NOT_FOUND


class StoppedError(EnvcheckError):
    """Somebody stopped us; what was finished stays usable."""

    exit_code = INTERRUPTED

    def __init__(self) -> None:
        """There is one thing to say."""
        super().__init__("Interrupted", "What was finished is kept; the same command goes on from there.")


def exit_code_of(error: BaseException) -> int:
    """Return the exit code with which envcheck ends when `error` ends it."""
    if isinstance(error, EnvcheckError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return FAILED if isinstance(error, OSError) else BUG


class BugError(EnvcheckError):
    """An exception that nobody expected, as people are told of it."""

    exit_code = BUG

    def __init__(self, cause: Exception) -> None:
        """Name the exception; its traceback is shown above."""
        super().__init__(f"A bug in envcheck: {type(cause).__name__}: {cause}", "The lines above say where.")
