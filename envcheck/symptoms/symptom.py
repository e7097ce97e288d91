"""What a symptom is, and how it is found in what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from envcheck.errors import EnvcheckError, RetryError


@dataclass(frozen=True, slots=True)
class Action:
    """A step that envcheck can take itself, when told to: it needs no root, and one command undoes it."""

    kind: Literal["install-python"]
    subject: str  # "3.11"
    undo: str  # the command

    @property
    def words(self) -> str:
        """What it does, in a line."""
        return f"download Python {self.subject} into the home, with uv"


@dataclass(frozen=True, slots=True)
class Fix:
    """The way out: a sentence, and the commands that a person would type."""

    text: str
    commands: tuple[str, ...] = ()
    needs_root: bool = False
    reboot: bool = False
    destructive: bool = False  # it can end running work or lose data
    action: Action | None = None  # the same as the commands, where envcheck can do it

    @property
    def hint(self) -> str:
        """The sentence, and each command on a line of its own."""
        return "\n".join((self.text, *self.commands))


@dataclass(frozen=True, slots=True)
class Symptom:
    """Texts by which one failure shows itself, and what they mean."""

    id: str
    meaning: str  # a sentence without its capital and its full stop
    fix: Fix
    # Where it is known who speaks, a word is enough: a regular expression, in any case.
    text: str = ""
    # What shows it in a log, where anybody speaks: the words themselves, "..." for anything within the line.
    in_log: tuple[str, ...] = ()
    why: str = ""  # how it comes to be
    link: str = ""
    may_pass: bool = False  # another try can succeed
    caused_by: tuple[str, ...] = ()  # ids of what, seen beside it, explains it; the likeliest first

    @property
    def title(self) -> str:
        """The meaning as a headline."""
        return self.meaning[:1].upper() + self.meaning[1:]

    def is_in(self, said: str) -> bool:
        """Tell whether the text stands in what was said."""
        return bool(self.text) and re.search(self.text, said, re.IGNORECASE) is not None


def find(symptoms: Iterable[Symptom], text: str) -> Symptom | None:
    """Return the first of `symptoms` that `text` shows."""
    return next((one for one in symptoms if one.is_in(text)), None)


def error_kind(symptom: Symptom) -> type[EnvcheckError]:
    """Return the kind of error that a symptom makes: whether another try can succeed."""
    return RetryError if symptom.may_pass else EnvcheckError
