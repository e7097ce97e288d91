"""What a symptom is, and how it is found in what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from envcheck.errors import EnvcheckError, RetryError


@dataclass(frozen=True, slots=True)
class Symptom:
    """A text and what it means."""

    id: str
    text: str  # a regular expression, in any case
    meaning: str  # a sentence without its full stop
    fix: str
    may_pass: bool = False  # another try can succeed

    def is_in(self, said: str) -> bool:
        """Tell whether the text stands in what was said."""
        return re.search(self.text, said, re.IGNORECASE) is not None


def find(symptoms: Iterable[Symptom], text: str) -> Symptom | None:
    """Return the first of `symptoms` that `text` shows."""
    return next((one for one in symptoms if one.is_in(text)), None)


def error_kind(symptom: Symptom) -> type[EnvcheckError]:
    """Return the kind of error that a symptom makes: whether another try can succeed."""
    return RetryError if symptom.may_pass else EnvcheckError
