"""The explanation of a log: each known cause once, the most fundamental first, with what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envcheck.explain.log import blocks, opened
from envcheck.explain.scan import Found, scan
from envcheck.symptoms import SYMPTOMS, Fix, Symptom
from envcheck.symptoms.cascade import roots

SCHEMA = "envcheck.explain/1"

# Of a line, this much from before the text on, so that a time stamp or the name of the error is seen.
_BEFORE = 60
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Cause:
    """A known failure that the log shows."""

    id: str  # that of the doctor's check, where there is one
    title: str
    line: int  # the first that shows it, from 1
    said: str  # what that line says, cut to the text and its neighbourhood, without control characters
    times: int  # how many lines show it; nobody counts beyond 10,000
    cause: str  # how it comes to be
    fix: Fix
    link: str = ""
    may_pass: bool = False  # another try can succeed
    follows_from: str | None = None  # the id of the cause that explains this one


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a log shows: each cause is followed by what follows from it."""

    schema: str
    log: str  # as it was named
    lines: int
    causes: tuple[Cause, ...]

    @property
    def roots(self) -> tuple[Cause, ...]:
        """The causes that nothing else in the log explains, the most fundamental first."""
        return tuple(cause for cause in self.causes if cause.follows_from is None)

    def consequences(self, of: Cause) -> tuple[Cause, ...]:
        """Return what will hardly be seen again when `of` is mended."""
        return tuple(cause for cause in self.causes if cause.follows_from == of.id)


def explain(name: str, symptoms: Sequence[Symptom] = SYMPTOMS) -> Explanation:
    """Return what a log file, or stdin for "-", shows. Raises `UsageError` for what is no log."""
    with opened(name) as file:
        found, lines = scan(blocks(file, name), symptoms)
    seen = {one.symptom.id: one for one in found}
    root = roots({name: one.symptom.caused_by for name, one in seen.items()}, seen)
    causes = tuple(
        _cause(seen[follower], None if follower == first else first)
        for first in seen
        if root[first] == first
        for follower in (first, *(one for one in seen if root[one] == first and one != first))
    )
    return Explanation(SCHEMA, name, lines, causes)


def _cause(found: Found, follows_from: str | None) -> Cause:
    symptom = found.symptom
    return Cause(
        symptom.id,
        symptom.title,
        found.line,
        _quoted(found),
        found.times,
        symptom.why,
        symptom.fix,
        symptom.link,
        symptom.may_pass,
        follows_from,
    )


def _quoted(found: Found) -> str:
    start = max(0, found.at - _BEFORE)
    text = found.said[start : start + _SHOWN].decode("utf-8", "replace").replace("\t", " ").strip()
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    cut = start + _SHOWN < len(found.said)
    return f"{'... ' if start else ''}{shown}{' ...' if cut else ''}"
