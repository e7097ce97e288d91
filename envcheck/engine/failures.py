"""What an engine says when it fails, in words that say what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from envcheck.errors import EnvcheckError
from envcheck.symptoms import ENGINE, error_kind, find

# An engine wraps its reason in a sentence for each of its layers; the reason comes last.
_SHOWN = 300

# docker, podman and BuildKit on a command of a build that ended badly.
_STEP_FAILED = re.compile(
    r"returned a non-zero code|while running runtime: exit status|exit code: \d|did not complete successfully"
)
# What of an engine's failures shows itself in a step's own output.
_IN_A_STEP = ("disk.full", "container.threads")


def failure(failed: str, said: str) -> EnvcheckError:
    """Return the error for what an engine said; `failed` is what did not come about because of it."""
    line = " ".join(said.split())
    symptom = find(ENGINE, line)
    if symptom is None:
        return EnvcheckError(f"{failed}: {line[-_SHOWN:]}", "The engine's own log may say more.")
    said = line if len(line) <= _SHOWN else f"... {line[-_SHOWN:]}"
    return error_kind(symptom)(
        f"{failed}: {symptom.meaning}", f"{symptom.fix.hint}\nThe engine said: {said}", symptom.id
    )


def build_failure(failed: str, said: str, heard: Sequence[str]) -> EnvcheckError:
    """Return the error for what a builder said; for a step that failed it is the last of `heard`, its output.

    The builder itself then repeats all of the command, and nothing of why it failed.
    """
    if not _STEP_FAILED.search(said) or not heard:
        return failure(failed, said)
    for line in heard:
        symptom = find(ENGINE, line)
        if symptom is not None and symptom.id in _IN_A_STEP:
            return failure(failed, line)
    return EnvcheckError(f"{failed}: {heard[-1][:300]}")


@contextlib.contextmanager
def spoken(failed: str) -> Iterator[None]:
    """While open, what the SDK and the libraries under it raise becomes an `EnvcheckError`."""
    from docker.errors import DockerException  # noqa: PLC0415 - see the room's docstring
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - lets through while a stream is read

    try:
        yield
    except (DockerException, HTTPError, OSError) as error:
        raise failure(failed, innermost(error)) from None


def innermost(error: BaseException) -> str:
    """Return the cause that a person can act on: "Permission denied" rather than the SDK's wrapping."""
    explanation = getattr(error, "explanation", None)  # the engine's own words
    if explanation:
        return str(explanation)
    while (inner := error.__cause__ or error.__context__) is not None:
        if isinstance(inner, ValueError):  # how a reader noticed, which says nothing to a person
            break
        error = inner
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
