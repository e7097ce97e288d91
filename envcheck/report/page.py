"""What doctor has to say about one machine, as plain values: every format draws the same page.

No format knows a check, and no check a format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.finding import SEVERITIES, Finding, Fix, Status
from envcheck.host.facts import NOT_SAID
from envcheck.report.host import host_words
from envcheck.situation import Situation

if TYPE_CHECKING:  # who only looks at the machine waits for none of it
    from envcheck.doctor.project.serving import Serving

NO_TORCH_ASKED = "No file of the repository says which torch it brings."
_MOST_FILES = 4

SIGNS: dict[Status, str] = {"error": "✗", "warn": "!", "info": "i", "unknown": "?", "ok": "✓", "skip": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The answer to "what is wrong here, and what runs here"."""

    machine: tuple[str, ...]
    diagnosis: Diagnosis
    since: str = ""  # what has changed since a snapshot, in a sentence
    pick: str = ""  # what runs here, or serves a repository here; "" where that was not the question
    fail_on: Status | None = "error"  # from which status on a finding is a failure; None: none is
    redacted: str = ""  # what was taken out, in a sentence; "" where nothing was to be

    def fails(self, finding: Finding) -> bool:
        """Return whether a finding is what the exit code 1 stands for."""
        return self.fail_on is not None and finding.severity >= SEVERITIES.index(self.fail_on)

    def map(self, change: Callable[[str], str]) -> Page:
        """Return the page with every text changed; ids and statuses stay."""
        findings = tuple(_mapped(finding, change) for finding in self.diagnosis.findings)
        return replace(
            self,
            machine=tuple(map(change, self.machine)),
            diagnosis=replace(self.diagnosis, findings=findings),
            since=change(self.since),
            pick=change(self.pick),
        )


def page_of(
    diagnosis: Diagnosis, situation: Situation, *, fail_on: Status | None = "error", whole: bool = True
) -> Page:
    """Return the page; `whole` tells what runs on the machine, too."""
    theirs = diagnosis.serving
    pick = "" if not whole else _pick(situation) if theirs is None else _pick_for(theirs)
    since = diagnosis.drift.sentence if diagnosis.drift else ""
    return Page(
        machine=host_words(situation.host), diagnosis=diagnosis, since=since, pick=pick, fail_on=fail_on
    )


def in_full(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """Return the findings that are told in full: not fine, and following from no other; the worst first."""
    return tuple(
        finding
        for finding in diagnosis.findings
        if finding.status not in ("ok", "skip") and finding.follows_from is None and not _is_unsaid(finding)
    )


def unsaid(diagnosis: Diagnosis) -> str:
    """Return which checks a snapshot says nothing for, in a sentence; "" where there are none."""
    ids = [
        finding.id for finding in diagnosis.findings if finding.follows_from is None and _is_unsaid(finding)
    ]
    return f"Not verified, as the facts say nothing of it: {', '.join(ids)}" if ids else ""


def followers(diagnosis: Diagnosis, of: Finding) -> tuple[str, ...]:
    """Return what will be gone when `of` is mended, each in its words, the open questions counted."""
    found = diagnosis.consequences(of)
    told = tuple(one.title for one in found if one.status != "unknown")
    open_questions = len(found) - len(told)
    checks = f"{open_questions} check{'s' if open_questions > 1 else ''} could not be made"
    return (*told, checks) if open_questions else told


def counted(diagnosis: Diagnosis) -> str:
    """Return how many checks came out how; what could not be checked is never counted as fine."""
    count = Counter(finding.status for finding in diagnosis.findings)
    fine = count["ok"] + count["info"]
    words = [f"{count['error']} error{'s' if count['error'] > 1 else ''}"] if count["error"] else []
    words += [f"{count['warn']} warning{'s' if count['warn'] > 1 else ''}"] if count["warn"] else []
    words += [f"{fine} check{'s' if fine != 1 else ''} passed"]
    words += [f"{count['unknown']} could not be made"] if count["unknown"] else []
    words += (
        [f"{count['skip']} do{'es' if count['skip'] == 1 else ''} not apply here"] if count["skip"] else []
    )
    return ", ".join(words)


def demands(fix: Fix) -> str:
    """Return what a fix asks of whoever carries it out, in words; "" for nothing."""
    words = ["needs root"] if fix.needs_root else []
    words += ["a reboot"] if fix.reboot else []
    words += ["can end running work"] if fix.destructive else []
    return ", ".join(words)


def _is_unsaid(finding: Finding) -> bool:
    return finding.status == "unknown" and finding.cause == NOT_SAID


def _pick(situation: Situation) -> str:
    choice, recipe = situation.choice, situation.chosen
    if recipe is None:
        return f"No recipe runs on this machine. {choice.advice}".rstrip()
    cuda = f"CUDA {recipe.cuda}" if recipe.cuda is not None else "no CUDA"
    python = choice.python or recipe.container_python
    return f"This machine runs {recipe.name}: torch {recipe.torch}, {cuda}, Python {python}. {choice.advice}"


def _pick_for(serving: Sequence[Serving]) -> str:
    """Return what serves the files of a repository, as many of them as a sentence bears."""
    told = [f"{one.file}: {one.because}" for one in serving[:_MOST_FILES]]
    more = [f"And {len(serving) - len(told)} more files."] if len(serving) > len(told) else []
    return " ".join([*told, *more]) or NO_TORCH_ASKED


def _mapped(finding: Finding, change: Callable[[str], str]) -> Finding:
    fix = finding.fix
    if fix is not None:
        fix = replace(fix, text=change(fix.text), commands=tuple(map(change, fix.commands)))
    return replace(
        finding,
        title=change(finding.title),
        evidence=tuple(map(change, finding.evidence)),
        cause=change(finding.cause),
        fix=fix,
        link=change(finding.link),
    )
