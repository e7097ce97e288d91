"""What was typed, without the values of variables: they are as often tokens as not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

_OPTION = "--env"
_MASK = "***"


def masked(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words with each `--env NAME=VALUE` as `--env NAME=***`; a command's own are left alone."""
    return tuple(_walk(words))


def named_variables(words: Sequence[str]) -> tuple[str, ...]:
    """Return the names that `--env` gave."""
    shown = masked(words)
    words = shown[: shown.index("--")] if "--" in shown else shown
    after = [word for before, word in pairwise(words) if before == _OPTION]
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{_OPTION}=")]
    return tuple(dict.fromkeys(text.partition("=")[0] for text in (*after, *joined)))


def _walk(words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
        elif word == _OPTION:
            yield word
            yield from (_hidden(value) for value in (next(rest, None),) if value is not None)
        elif word.startswith(f"{_OPTION}="):
            yield f"{_OPTION}={_hidden(word.partition('=')[2])}"
        else:
            yield word


def _hidden(assignment: str) -> str:
    name, has_value, _ = assignment.partition("=")
    return f"{name}={_MASK}" if has_value else name
