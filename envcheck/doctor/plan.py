"""What would mend a machine, in the order in which to do it: the fixes of a diagnosis, as a list of steps.

Most steps are a person's: they need root, a reboot, or a decision. One that has an `Action` can be taken by
envcheck itself, when it is told to; taking it is not this module's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from envcheck.doctor.finding import Finding
from envcheck.symptoms import Action, Fix


@dataclass(frozen=True, slots=True)
class Step:
    """One fix, and all the findings that have it."""

    findings: tuple[str, ...]  # their ids, in the order of the telling
    title: str  # of the first
    fix: Fix
    by_envcheck: bool = False  # it takes this step when told to; else the commands are a person's
    follows_from: str | None = None  # a finding that explains the first: its fix may do for this one, too


@dataclass(frozen=True, slots=True)
class Done:
    """A step that envcheck has taken, or has tried to."""

    action: Action
    failure: str = ""  # why it came to nothing


@dataclass(frozen=True, slots=True)
class FixPlan:
    """The steps that are left, what was done before, and what that has changed."""

    steps: tuple[Step, ...]
    done: tuple[Done, ...] = ()
    changed: tuple[str, ...] = ()  # "python.venv: warn, now ok"

    @property
    def actions(self) -> tuple[Action, ...]:
        """What envcheck would do, each once."""
        ours = (step.fix.action for step in self.steps if step.by_envcheck and step.fix.action is not None)
        return tuple(dict.fromkeys(ours))


def plan_of(findings: Iterable[Finding], able: Collection[str] = ()) -> FixPlan:
    """Return the plan of a diagnosis; `able` are the kinds of action that can be taken on this machine.

    Findings come in the order of the telling, so the primary cause stands first. Two that have the same fix
    are one step.
    """
    steps: dict[Fix, Step] = {}
    for finding in findings:
        fix = finding.fix
        if fix is None or finding.status in ("ok", "skip"):
            continue
        if fix in steps:
            step = steps[fix]
            steps[fix] = replace(step, findings=(*step.findings, finding.id))
            continue
        is_ours = fix.action is not None and fix.action.kind in able
        steps[fix] = Step((finding.id,), finding.title, fix, is_ours, finding.follows_from)
    return FixPlan(tuple(steps.values()))


def changes(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[str, ...]:
    """Return what has another status after something was done."""
    old = {finding.id: finding.status for finding in before}
    return tuple(
        f"{finding.id}: {old[finding.id]}, now {finding.status}"
        for finding in after
        if finding.id in old and old[finding.id] != finding.status
    )
