"""What the doctor says of the machine when a run starts, by the facts that the run has anyway.

Only what tells two runs apart is kept: no evidence, no fixes, no links; `envcheck doctor` has those.
"""

from __future__ import annotations

from dataclasses import dataclass

from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.finding import Status
from envcheck.situation import Situation


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """One finding of the doctor that is not fine."""

    id: str  # the check's: "driver.hang"
    status: Status  # "info", "warn", "error"
    title: str  # what is so, in one line
    cause: str  # how it comes to be
    follows_from: str | None  # the id of the one that explains it


@dataclass(frozen=True, slots=True)
class Health:
    """What `envcheck doctor` says of a machine and of what was chosen for it."""

    status: Status  # the worst of all
    primary: str | None  # the id of what to act on first, null where nothing is wrong
    findings: tuple[KeptFinding, ...]  # the worst cause first, each followed by what follows from it
    unknown: tuple[str, ...]  # the ids of the checks for which the facts did not suffice


def health(situation: Situation) -> Health:
    """Return how well a machine is; none of it keeps a run from starting."""
    diagnosis = diagnose(situation.host, situation.choice)
    return Health(
        status=diagnosis.status,
        primary=diagnosis.primary.id if diagnosis.primary else None,
        findings=tuple(
            KeptFinding(one.id, one.status, one.title, one.cause, one.follows_from)
            for one in diagnosis.findings
            if one.status not in ("ok", "skip", "unknown")
        ),
        unknown=tuple(one.id for one in diagnosis.findings if one.status == "unknown"),
    )
