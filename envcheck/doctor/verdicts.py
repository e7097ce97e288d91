"""What the rules said while a recipe was picked, for the checks that share their judgement."""

from __future__ import annotations

from envcheck.choice.choose import Choice
from envcheck.compat.verdict import Reason


def reasons_of(choice: Choice, rule: str) -> tuple[Reason, ...]:
    """Return what one rule said of each recipe that it has a word on."""
    return tuple(reason for one in choice.verdicts for reason in one.reasons if reason.rule == rule)
