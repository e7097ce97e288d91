"""Which checks are made: those that the command line names, by id ("driver.hang") or by room ("driver")."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from envcheck.doctor.check import Check, Need
from envcheck.doctor.checks import CHECKS
from envcheck.doctor.finding import Status
from envcheck.errors import UsageError

SCHEMA = "envcheck.checks/1"

# Why a check cannot be made, and which option gives it what it needs.
_NEEDED: Mapping[Need, tuple[str, str]] = {
    "baseline": (
        "compares with a snapshot, and there is none",
        "--baseline FILE names one, made by `envcheck probe --output FILE`.",
    ),
    "project": ("is about a repository, and none was named", "--project DIR names one."),
    "deep": ("is about the proof in the environment, and none is made", "--deep makes it."),
    "stress": ("is about NVIDIA's own tests, and they are not run", "--stress runs them."),
}
EVERYTHING: frozenset[Need] = frozenset(_NEEDED)


def given(*, baseline: bool, project: bool, deep: bool, stress: bool) -> frozenset[Need]:
    """Return what there is for checks to look at, besides the machine."""
    there: dict[Need, bool] = {"baseline": baseline, "project": project, "deep": deep, "stress": stress}
    return frozenset(need for need, is_there in there.items() if is_there)


@dataclass(frozen=True, slots=True)
class Entry:
    """One check in the list of all."""

    id: str
    title: str
    worst: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckList:
    """The checks that there are, in the order of the telling, without a look at any machine."""

    schema: str = SCHEMA
    checks: tuple[Entry, ...]


def listing(checks: Iterable[Check]) -> CheckList:
    """Return the list of `checks`."""
    return CheckList(checks=tuple(Entry(check.id, check.title, check.worst) for check in checks))


def room(identifier: str) -> str:
    """Return the room of a check's id: "driver"."""
    return identifier.partition(".")[0]


def checks_for(only: Sequence[str], skip: Sequence[str], *, given: Collection[Need]) -> tuple[Check, ...]:
    """Return what `select` returns of all checks; those on request are imported where something asks."""
    if not (only or skip or given):
        return CHECKS
    from envcheck.doctor.checks.on_request import ALL  # noqa: PLC0415 - see above

    return select(ALL, only, skip, given=given)


def select(
    checks: Sequence[Check],
    only: Sequence[str],
    skip: Sequence[str],
    *,
    given: Collection[Need] = EVERYTHING,
) -> tuple[Check, ...]:
    """Return the checks that `only` names, all where it names none, without those that `skip` names.

    Each entry holds ids and rooms, with commas between them. What a check needs has to be `given`. Raises
    `UsageError` for a name that no check has, where no check is left, and where one is asked for that lacks
    what it needs.
    """
    lacks = {check.id: check.needs for check in checks if check.needs and check.needs not in given}
    asked = _named("--only", only, checks) or {check.id for check in checks} - lacks.keys()
    for identifier, need in lacks.items():
        if identifier in asked:
            why, hint = _NEEDED[need]
            raise UsageError(f"{identifier} {why}", hint)
    left = asked - _named("--skip", skip, checks)
    if not left:
        raise UsageError("--only and --skip leave no check", "envcheck doctor --list shows all of them.")
    return tuple(check for check in checks if check.id in left)


def asked_for(checks: Iterable[Check], only: Sequence[str]) -> frozenset[str]:
    """Return which of the selected checks somebody wants an answer to: those named or tried on purpose."""
    return frozenset(check.id for check in checks if only or check.needs in ("deep", "stress"))


def _named(option: str, entries: Iterable[str], checks: Sequence[Check]) -> set[str]:
    names = [name.strip() for entry in entries for name in entry.split(",")]
    found = {name: {one.id for one in checks if name in (one.id, room(one.id))} for name in names}
    for name, identifiers in found.items():
        if not identifiers:
            raise _no_such_check(option, name, checks)
    return set().union(*found.values())


def _no_such_check(option: str, name: str, checks: Sequence[Check]) -> UsageError:
    known = dict.fromkeys(name for check in checks for name in (check.id, room(check.id)))
    near = difflib.get_close_matches(name[:80], known, n=3, cutoff=0.5)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"{option} {name!r:.60}: there is no such check", f"{guess}envcheck doctor --list shows all of them."
    )
