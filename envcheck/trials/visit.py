"""A visit of the doctor: what was asked for is tried, everything is looked at, the plan made or carried out.

What a visit does not ask for is not imported: a look at the machine waits for nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck.doctor.check import Check
from envcheck.doctor.diagnose import Diagnosis, diagnose
from envcheck.doctor.drift import Baseline
from envcheck.situation import Situation

if TYPE_CHECKING:
    from envcheck.doctor.project.facts import Project
    from envcheck.doctor.proof import Proof
    from envcheck.doctor.stress import Stress
    from envcheck.environments.place import Watcher
    from envcheck.environments.prepare import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What was asked of the doctor."""

    checks: Sequence[Check]
    baseline: Baseline | None = None
    project: Path | None = None  # a repository to be read
    deep: Terms | None = None  # of the environment that is to prove itself
    stress: bool = False
    plan: bool = False
    mend: bool = False  # take the steps of the plan that are envcheck's


def attend(look: Callable[[], Situation], visit: Visit, watch: Watcher) -> tuple[Situation, Diagnosis]:
    """Return the machine and its diagnosis, as they are when the visit ends.

    Where steps of the plan were taken, the machine is looked at again; the plan says what was done, and what
    that has changed.
    """
    seen = look()
    # Once: it takes long, and no step changes its answer.
    stress = _load_gpus(watch) if visit.stress and seen.host.gpus != () else None
    before = _examine(seen, visit, stress, watch)
    if not visit.mend or before.plan is None or not before.plan.actions:
        return seen, before
    from envcheck.doctor.plan import changes  # noqa: PLC0415 - see above
    from envcheck.trials.steps import take  # noqa: PLC0415

    done = take(before.plan, watch)
    seen = look()
    after = _examine(seen, visit, stress, watch)
    assert after.plan is not None  # noqa: S101 - the visit asks for one
    told = replace(after.plan, done=done, changed=changes(before.findings, after.findings))
    return seen, replace(after, plan=told)


def _examine(seen: Situation, visit: Visit, stress: Stress | None, watch: Watcher) -> Diagnosis:
    """Return the diagnosis of a machine, with a plan where one is asked for."""
    diagnosis = diagnose(
        seen.host,
        seen.choice,
        checks=visit.checks,
        baseline=visit.baseline,
        proof=_prove(seen, visit.deep, watch) if visit.deep is not None else None,
        stress=stress,
        project=_read(visit.project, seen) if visit.project is not None else None,
    )
    if not visit.plan:
        return diagnosis
    from envcheck.doctor.plan import plan_of  # noqa: PLC0415
    from envcheck.trials.steps import able  # noqa: PLC0415

    # Another machine's steps are taken there.
    return replace(diagnosis, plan=plan_of(diagnosis.findings, able() if seen.is_here else ()))


def _prove(seen: Situation, terms: Terms, watch: Watcher) -> Proof:
    from envcheck.trials.proof import prove  # noqa: PLC0415

    return prove(seen, terms, watch)


def _read(folder: Path, seen: Situation) -> Project:
    from envcheck.doctor.project.read import read_project  # noqa: PLC0415

    return read_project(folder, seen.host)


def _load_gpus(watch: Watcher) -> Stress:
    from envcheck.trials.stress import load_gpus  # noqa: PLC0415

    return load_gpus(watch)
