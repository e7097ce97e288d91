"""A machine against a snapshot of it: what is another one now, what is gone, and what became of the pick.

A change is a note, for it may be what somebody wanted; something that is gone, and another pick, are
warnings.
"""

from __future__ import annotations

import re

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.drift import NOT_KNOWN, Change, changes, why_another
from envcheck.doctor.finding import Finding, Fix, Status

_MEANT = Fix("If that was meant, take a new snapshot.", ("envcheck probe --output host.json",))
# What is still there, and no longer what it was there for.
_LOSSES = (
    ("gpu_request", "none"),
    ("mig", "on, no instance"),
    ("usable", "no"),
    ("fabric_manager", "none"),
    ("fabric_manager_runs", "no"),
)
_NO_BASELINE = "There is no snapshot to compare with (--baseline)."


class Facts(Check):
    """Facts of one kind, compared."""

    needs = "baseline"

    def __init__(self, subject: str, noun: str, facts: str, worst: Status = "warn") -> None:
        """`noun` begins the titles; `facts` is a pattern for the paths of the facts that it is about."""
        self.worst = worst
        self.id = f"drift.{subject}"
        self.title = f"{noun} as in the snapshot"
        self._noun = noun
        self._facts = re.compile(facts)

    def look(self, case: Case) -> Finding:
        """Look for facts of this kind that are others now."""
        if case.baseline is None:
            return skip(self, _NO_BASELINE)
        compared = changes(case.baseline.host, case.host)
        found = [one for one in compared if self._facts.fullmatch(one.fact)]
        if not found:
            return ok(self)
        seen = tuple(one.words for one in found)
        since = f"Compared with {case.baseline.words}."
        if all(one.now == NOT_KNOWN for one in found):
            return unknown(self, since, *seen)
        is_lost = any(map(_is_lost, found))
        title = f"{self._noun} not as in the snapshot" + (": something is gone" if is_lost else "")
        return Finding(
            self.id, "warn" if is_lost else "info", title, seen, since, _MEANT if is_lost else None
        )


class Pick(Check):
    """The recipe that is picked, then and now, by the recipes and tables of today."""

    id = "drift.pick"
    title = "The recipe is picked that the snapshot's machine would get"
    worst = "warn"
    needs = "baseline"

    def look(self, case: Case) -> Finding:
        """Compare both picks, and say what is in the way of the old one."""
        if case.baseline is None:
            return skip(self, _NO_BASELINE)
        if case.choice is None:
            return skip(self, "Nothing was picked for this machine.")
        before, now = case.baseline.choice, case.choice
        if before.recipe == now.recipe:
            return ok(self, f"{now.recipe or 'no recipe'}, then and now")
        why = why_another(before, now)
        still_runs = before.recipe is not None and not any(one.startswith(before.recipe) for one in why)
        return Finding(
            self.id,
            "info" if before.recipe is None else "warn",
            _title(before.recipe, now.recipe),
            (f"{before.recipe or 'no recipe'} then, {now.recipe or 'no recipe'} now", *why),
            f"Compared with {case.baseline.words}, by the recipes of today.",
            Fix("The old one still runs.", (f"envcheck run --recipe {before.recipe} ...",))
            if still_runs
            else _MEANT,
        )


def _title(before: str | None, now: str | None) -> str:
    if before is None:
        return "A recipe is picked now, and none was for the snapshot"
    if now is None:
        return "No recipe is picked now, and one was for the snapshot"
    return "Another recipe is picked now than for the snapshot"


def _is_lost(change: Change) -> bool:
    """Return whether something that was there is gone, or has lost what it was there for."""
    return change.now is None or (change.fact.rpartition(".")[2], change.now) in _LOSSES
