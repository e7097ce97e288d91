"""What a check of a recipe says. One that could not be made is not verified, which never counts as passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["passed", "failed", "not verified"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one check ended, and what was seen."""

    state: State
    because: str


def passed(because: str) -> Result:
    """Return that a promise is kept."""
    return Result("passed", because)


def failed(because: str) -> Result:
    """Return that a promise is broken."""
    return Result("failed", because)


def not_verified(because: str) -> Result:
    """Return that nobody could look, and why."""
    return Result("not verified", because)
