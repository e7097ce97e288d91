"""Which checks are made: those that the command line names, by id ("driver.hang") or by room ("driver")."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envcheck.doctor.check import Check
from envcheck.doctor.finding import Status
from envcheck.errors import UsageError

SCHEMA = "envcheck.checks/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One check in the list of all."""

    id: str
    title: str
    worst: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The checks that there are, in the order of the telling, without a look at any machine."""

    schema: str = SCHEMA
    checks: tuple[Entry, ...]


def listing(checks: Iterable[Check]) -> Listing:
    """Return the list of `checks`."""
    return Listing(checks=tuple(Entry(check.id, check.title, check.worst) for check in checks))


def room(identifier: str) -> str:
    """Return the room of a check's id: "driver"."""
    return identifier.partition(".")[0]


def select(
    checks: Sequence[Check],
    only: Sequence[str],
    skip: Sequence[str],
    *,
    with_baseline: bool = True,
    with_project: bool = True,
) -> tuple[Check, ...]:
    """Return the checks that `only` names, all where it names none, without those that `skip` names.

    Each entry holds ids and rooms, with commas between them. Raises `UsageError` for a name that no check
    has, where no check is left, and where one is asked for whose snapshot or repository was not named.
    """
    without_snapshot = {check.id for check in checks if check.needs_baseline and not with_baseline}
    without_project = {check.id for check in checks if check.needs_project and not with_project}
    possible = {check.id for check in checks} - without_snapshot - without_project
    asked = _named("--only", only, checks) or possible
    if impossible := sorted(asked & without_snapshot):
        raise UsageError(
            f"{impossible[0]} compares with a snapshot, and there is none",
            "--baseline FILE names one, made by `envcheck probe --output FILE`.",
        )
    if impossible := sorted(asked & without_project):
        raise UsageError(
            f"{impossible[0]} is about a repository, and none was named", "--project DIR names one."
        )
    left = asked - _named("--skip", skip, checks)
    if not left:
        raise UsageError("--only and --skip leave no check", "envcheck doctor --list shows all of them.")
    return tuple(check for check in checks if check.id in left)


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
