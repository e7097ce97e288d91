"""The diagnosis: every check looked once, the cause first, what follows from it folded under it.

Checks are isolated: one that raises becomes unknown, with the exception as its reason, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envcheck.choice.choose import Choice
from envcheck.doctor.check import Case, Check, unknown
from envcheck.doctor.checks import CHECKS
from envcheck.doctor.drift import Baseline, Drift, drift
from envcheck.doctor.finding import SEVERITIES, Finding, Status
from envcheck.errors import FAILED, OK, UNANSWERED
from envcheck.host.facts import Host
from envcheck.symptoms.cascade import roots

if TYPE_CHECKING:  # who only looks at the machine waits for none of them
    from envcheck.doctor.plan import FixPlan
    from envcheck.doctor.project.facts import Project
    from envcheck.doctor.project.serving import Serving
    from envcheck.doctor.proof import Proof
    from envcheck.doctor.stress import Stress

SCHEMA = "envcheck.doctor/1"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings of one machine: the worst cause first, each followed by what follows from it."""

    schema: str
    status: Status  # the worst of all findings
    findings: tuple[Finding, ...]
    drift: Drift | None = None  # what has changed since a snapshot, where there is one
    proof: Proof | None = None  # what the picked environment has proved, where it was asked to
    plan: FixPlan | None = None  # what would mend it, where that was asked for
    serving: tuple[Serving, ...] | None = None  # what serves a repository's files, where one was named

    @property
    def primary(self) -> Finding | None:
        """The one finding to act on first, or None when nothing is wrong."""
        first = self.findings[0] if self.findings else None
        return first if first is not None and first.is_trouble else None

    def consequences(self, of: Finding) -> tuple[Finding, ...]:
        """Return what will be gone when `of` is mended."""
        return tuple(finding for finding in self.findings if finding.follows_from == of.id)

    def reaches(self, level: Status) -> bool:
        """Return whether any finding is as bad as `level`, or worse."""
        return SEVERITIES.index(self.status) >= SEVERITIES.index(level)

    def exit_code(self, level: Status | None, *, asked: Collection[str]) -> int:
        """Return doctor's exit code where findings from `level` on count, None: none does.

        Of checks that were `asked` for by name, one that could not be made is no answer.
        """
        if level is None:
            return OK
        if self.reaches(level):
            return FAILED
        open_question = any(one.status == "unknown" and one.id in asked for one in self.findings)
        return UNANSWERED if open_question else OK


def diagnose(
    host: Host,
    choice: Choice | None = None,
    *,
    checks: Sequence[Check] = CHECKS,
    baseline: Baseline | None = None,
    proof: Proof | None = None,
    stress: Stress | None = None,
    project: Project | None = None,
) -> Diagnosis:
    """Return what is wrong with a machine and what was picked for it.

    And what is not as in `baseline`, and what of a `project` cannot work there.
    """
    case = Case(host, choice, baseline, proof, stress, project)
    findings = _folded([_look(check, case) for check in checks], checks)
    worst = max((finding.severity for finding in findings), default=SEVERITIES.index("ok"))
    return Diagnosis(
        SCHEMA,
        SEVERITIES[worst],
        _told(findings),
        drift=drift(baseline, host, choice) if baseline and choice else None,
        proof=proof,
        serving=_serving(project, host) if project is not None else None,
    )


def _serving(project: Project, host: Host) -> tuple[Serving, ...]:
    from envcheck.doctor.project.serving import serving  # noqa: PLC0415 - who only looks waits for none of it

    return serving(project, host)


def _look(check: Check, case: Case) -> Finding:
    start = time.perf_counter()
    try:
        finding = check.look(case)
    except Exception as error:  # noqa: BLE001 - a broken check must not take the others along
        finding = unknown(check, f"The check failed: {type(error).__name__}: {error!s:.200}")
    return replace(finding, seconds=round(time.perf_counter() - start, 6))


def _folded(findings: Sequence[Finding], checks: Sequence[Check]) -> list[Finding]:
    """Return the findings with `follows_from` set to the root of what explains each.

    A check that knows better than its `caused_by` has named the finding that explains its own.
    """
    troubles = {finding.id for finding in findings if finding.is_trouble}
    open_questions = {finding.id for finding in findings if finding.status == "unknown"}
    root = roots(
        {
            check.id: check.caused_by + (check.silenced_by if check.id in open_questions else ())
            for check in checks
        },
        troubles,
    )

    def cause(finding: Finding) -> str | None:
        named = finding.follows_from if finding.follows_from in troubles else finding.id
        is_fine = finding.status in ("ok", "skip")
        return None if is_fine or root[named] == finding.id else root[named]

    return [replace(finding, follows_from=cause(finding)) for finding in findings]


def _told(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings in the order of the telling; `sorted` keeps the checks' own order among equals."""
    roots = sorted((one for one in findings if one.follows_from is None), key=lambda one: -one.severity)
    return tuple(
        finding
        for cause in roots
        for finding in (cause, *(one for one in findings if one.follows_from == cause.id))
    )
