"""A visit of the doctor: what was asked for is tried, everything is looked at, the plan made or carried out.

What a visit does not ask for is not imported: a look at the machine waits for nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envcheck.doctor.check import Check
from envcheck.doctor.diagnose import Diagnosis, diagnose
from envcheck.doctor.drift import Baseline
from envcheck.situation import Situation

if TYPE_CHECKING:
    from envcheck.environments.place import Watcher
    from envcheck.environments.prepare import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What was asked of the doctor."""

    checks: Sequence[Check]
    baseline: Baseline | None = None
    deep: Terms | None = None  # of the environment that is to prove itself
    stress: bool = False
    plan: bool = False
    mend: bool = False  # take the steps of the plan that are envcheck's


def attend(look: Callable[[], Situation], visit: Visit, watch: Watcher) -> tuple[Situation, Diagnosis]:
    """Return the machine and its diagnosis, as they are when the visit ends."""
    seen = look()
    diagnosis = examine(seen, visit, watch)
    mended = mend(diagnosis, visit, look, watch) if visit.mend else None
    return mended or (seen, diagnosis)


def examine(seen: Situation, visit: Visit, watch: Watcher) -> Diagnosis:
    """Return the diagnosis of a machine; the plan in it is carried out by nobody yet."""
    proof = stress = None
    if visit.deep is not None:
        from envcheck.trials.proof import prove  # noqa: PLC0415 - see above

        proof = prove(seen, visit.deep, watch)
    if visit.stress and seen.host.gpus != ():
        from envcheck.trials.stress import load_gpus  # noqa: PLC0415

        stress = load_gpus(watch)
    diagnosis = diagnose(
        seen.host, seen.choice, checks=visit.checks, baseline=visit.baseline, proof=proof, stress=stress
    )
    if not visit.plan:
        return diagnosis
    from envcheck.doctor.plan import plan_of  # noqa: PLC0415
    from envcheck.trials.steps import able  # noqa: PLC0415

    # Another machine's steps are taken there.
    return replace(diagnosis, plan=plan_of(diagnosis.findings, able() if seen.is_here else ()))


def mend(
    diagnosis: Diagnosis, visit: Visit, look: Callable[[], Situation], watch: Watcher
) -> tuple[Situation, Diagnosis] | None:
    """Take the steps of the plan that are envcheck's, and look again; None where there was nothing to take.

    The diagnosis is that of the machine as it is now; its plan says what was done, and what that changed.
    """
    from envcheck.doctor.plan import changes  # noqa: PLC0415
    from envcheck.trials.steps import take  # noqa: PLC0415

    done = take(diagnosis.plan, watch) if diagnosis.plan is not None else ()
    if not done:
        return None
    seen = look()
    after = examine(seen, visit, watch)
    changed = changes(diagnosis.findings, after.findings)
    assert after.plan is not None  # noqa: S101 - the visit asks for one
    return seen, replace(after, plan=replace(after.plan, done=done, changed=changed))
