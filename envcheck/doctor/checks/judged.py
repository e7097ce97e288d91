"""How the verdicts on the files of a repository become one finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from envcheck.compat.verdict import Verdict
from envcheck.doctor.check import Check, ok, unknown
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.project.facts import Listing
from envcheck.doctor.project.serving import serves

NO_PROJECT = "There is no repository to look at (--project)."


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of one file."""

    listing: Listing
    verdict: Verdict
    lines: tuple[str, ...]  # that it rests on
    because: tuple[str, ...] = ()  # what follows from them, in sentences
    is_certain: bool = True  # a refusal holds whatever else pip installs


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a refusal is told."""

    title: str
    cause: str
    link: str = ""
    fix: str = ""  # what to write into the file that is named first


def told(
    check: Check, judged: Sequence[Judged], trouble: Trouble, explained: Mapping[str, str] | None = None
) -> Finding:
    """Return the finding on all files together: a warning where others of them can work here.

    `explained` has the files whose torch has to be another one anyway, with the check that says so.
    """
    explained = explained or {}
    refused = [one for one in judged if one.verdict == "refused"]
    if refused:
        alone = [one for one in refused if one.listing.file not in explained]
        cause = None if alone else explained[refused[0].listing.file]
        refused = alone or refused
        is_all = len(refused) == len(judged) and all(one.is_certain for one in refused)
        status: Status = "error" if is_all else "warn"
        return Finding(
            check.id,
            status,
            trouble.title,
            _evidence(refused),
            trouble.cause,
            _fix(refused[0].listing, trouble.fix),
            trouble.link,
            follows_from=cause,
        )
    if open_questions := [one for one in judged if one.verdict == "unknown"]:
        return unknown(check, " ".join(open_questions[0].because), *_evidence(open_questions))
    return ok(check, *_evidence(judged))


def _evidence(judged: Iterable[Judged]) -> tuple[str, ...]:
    """Return each line once: files name each other."""
    return tuple(dict.fromkeys(text for one in judged for text in (*one.lines, *one.because)))


def _fix(listing: Listing, text: str) -> Fix:
    way = serves(listing)
    return Fix(" ".join(filter(None, (text, f"For {way.file}: {way.because}"))), way.commands)
