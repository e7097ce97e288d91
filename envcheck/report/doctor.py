"""The doctor's page: the machine, the cause first with what follows from it, then what runs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.finding import Finding
from envcheck.report.choice import chosen_lines
from envcheck.report.disarm import few, one_line
from envcheck.report.finding import MARKS, rows, told, whole
from envcheck.report.host import host_lines
from envcheck.report.page import NO_TORCH_ASKED, SIGNS, counted, followers, in_full, unsaid
from envcheck.situation import Situation

if TYPE_CHECKING:  # who only looks at the machine waits for none of it
    from envcheck.doctor.project.serving import Serving

# A log, a mail, a terminal beside another one.
WIDTH = 80
# Of a repository's; the document has them all.
_MOST_FILES = 8


def doctor_screen(diagnosis: Diagnosis, situation: Situation, *, whole: bool = True) -> RenderableType:
    """Return the doctor's answer for people; `whole` tells what runs here, too.

    Who asks for a few checks is told of each why it does not apply.
    """
    parts: list[RenderableType] = [host_lines(situation.host)]
    if diagnosis.drift is not None:
        parts.append(Text(one_line(diagnosis.drift.sentence)))
    if diagnosis.proof is not None:
        from envcheck.report.proof import proof_screen  # noqa: PLC0415 - who only looks waits for neither

        parts += ["", proof_screen(diagnosis.proof)]
    parts += ["", findings_screen(diagnosis, skipped=not whole)]
    if diagnosis.plan is not None:
        from envcheck.report.plan import plan_screen  # noqa: PLC0415

        parts += ["", plan_screen(diagnosis.plan)]
    if whole and diagnosis.serving is not None:
        parts += ["", _repository(diagnosis.serving)]
    elif whole and situation.chosen is not None:
        parts += ["", chosen_lines(situation), "", Text("Next:  envcheck run demo")]
    return Group(*parts)


def _repository(serving: Sequence[Serving]) -> RenderableType:
    """Return what serves each file of a repository, with the command to copy."""
    if not serving:
        return Text(NO_TORCH_ASKED)
    parts: list[RenderableType] = []
    for one in serving[:_MOST_FILES]:
        parts.append(Text(one_line(f"{one.file}: {one.because}")))
        parts.append(whole(Text(f"  {one_line(one.commands[0])}", style="bold")))
    if (more := len(serving) - _MOST_FILES) > 0:
        parts.append(Text(f"and {more} more files"))
    return Group(*parts)


def findings_screen(diagnosis: Diagnosis, *, skipped: bool = False) -> RenderableType:
    """Return the findings, and how many checks came out how; `skipped` tells those that do not apply."""
    parts: list[RenderableType] = []
    for finding in in_full(diagnosis):
        parts += [_finding(finding, diagnosis), ""]
    if sentence := unsaid(diagnosis):
        parts += [Text.assemble(("? ", MARKS["unknown"][1]), (one_line(sentence), "dim")), ""]
    reasons = [one for one in diagnosis.findings if one.status == "skip"] if skipped else []
    parts += [Text(one_line(f"{SIGNS['skip']} {one.id}: {one.cause}"), style="dim") for one in reasons]
    parts += [""] if reasons else []
    mark, style = MARKS["ok" if diagnosis.status in ("ok", "info") else diagnosis.status]
    return Group(*parts, Text.assemble((f"{mark} ", style), counted(diagnosis)))


def _finding(finding: Finding, diagnosis: Diagnosis) -> RenderableType:
    return told(
        finding.status,
        finding.title,
        finding.id,
        rows=(*rows("why", finding.cause), *rows("seen", *few(finding.evidence))),
        fix=finding.fix,
        link=finding.link,
        followers=followers(diagnosis, finding),
    )
