"""What a check is, and what it may look at.

A check is a small class in `checks/`; it is pure: everything it knows stands in the `Case`. To add one, write
it there and put it into `checks.CHECKS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from envcheck.choice.choose import Choice
from envcheck.doctor.drift import Baseline
from envcheck.doctor.finding import Finding, Status
from envcheck.host.facts import Host

if TYPE_CHECKING:  # who only looks at the machine waits for none of them
    from envcheck.doctor.project.facts import Project
    from envcheck.doctor.proof import Proof
    from envcheck.doctor.stress import Stress

# What a check looks at besides the machine and its pick, where somebody has asked for it.
Need = Literal["baseline", "project", "deep", "stress"]


@dataclass(frozen=True, slots=True)
class Case:
    """What lies before the doctor: a machine, and what was picked for it, if anything was."""

    host: Host
    choice: Choice | None = None
    baseline: Baseline | None = None  # what the machine was, where there is a snapshot
    proof: Proof | None = None  # where one was made
    stress: Stress | None = None  # same
    project: Project | None = None  # somebody's repository, where one was named

    @property
    def in_container(self) -> bool:
        """Whether the facts are a container's, where drivers and cards belong to somebody outside."""
        return self.host.os.container is not None


class Check(Protocol):
    """One question about a machine, with one answer."""

    id: str  # "room.subject"; it stands in documents and on command lines, so it stays as it is
    title: str  # what is so when all is well
    worst: Status = "error"  # what it says where it is bad; any check can be unknown
    needs: Need | None = None  # without that it has nothing to look at, and is not made
    caused_by: tuple[str, ...] = ()  # ids of checks whose trouble explains this one's, the likeliest first
    silenced_by: tuple[str, ...] = ()  # ids of checks whose trouble explains only that this one knows nothing

    def look(self, case: Case) -> Finding:
        """Return the answer. An exception is not one: `diagnose` makes it unknown."""
        ...


def ok(check: Check, *evidence: str) -> Finding:
    """Return that all is well."""
    return Finding(check.id, "ok", check.title, evidence)


def skip(check: Check, why: str) -> Finding:
    """Return that the question does not arise on this machine."""
    return Finding(check.id, "skip", check.title, cause=why)


def unknown(check: Check, why: str, *evidence: str) -> Finding:
    """Return that the facts do not suffice for an answer."""
    return Finding(check.id, "unknown", f"Not verified: {check.title}", evidence, why)


def without_gpus(check: Check, host: Host) -> Finding | None:
    """Return the answer where the driver lists no GPU, or does not say; None where there are some."""
    if host.gpus is None:
        return unknown(check, host.why("gpus"))
    return None if host.gpus else skip(check, "The driver lists no GPU.")
