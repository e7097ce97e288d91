"""The doctor's page: the machine, the cause first with what follows from it, then what runs here."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.finding import Finding
from envcheck.report.choice import chosen_lines
from envcheck.report.finding import MARKS, rows, told
from envcheck.report.host import host_lines
from envcheck.situation import Situation


def doctor_screen(diagnosis: Diagnosis, situation: Situation) -> RenderableType:
    """Return the doctor's answer for people."""
    parts: list[RenderableType] = [host_lines(situation.host), ""]
    for finding in diagnosis.findings:
        if finding.status in ("error", "warn", "unknown", "info") and finding.follows_from is None:
            parts += [_finding(finding, diagnosis), ""]
    parts += [_counts(diagnosis), ""]
    if situation.chosen is not None:
        parts += [chosen_lines(situation), "", Text("Next:  envcheck run demo")]
    return Group(*parts)


def _finding(finding: Finding, diagnosis: Diagnosis) -> RenderableType:
    return told(
        finding.status,
        finding.title,
        finding.id,
        rows=(*rows("why", finding.cause), *rows("seen", *finding.evidence)),
        fix=finding.fix,
        link=finding.link,
        followers=[one.title for one in diagnosis.consequences(finding)],
    )


def _counts(diagnosis: Diagnosis) -> RenderableType:
    """Return how many checks came out how; what could not be checked is never counted as fine."""
    count = Counter(finding.status for finding in diagnosis.findings)
    words = [f"{count['ok'] + count['info']} checks passed"]
    words += [f"{count['error']} error{'s' if count['error'] > 1 else ''}"] if count["error"] else []
    words += [f"{count['warn']} warning{'s' if count['warn'] > 1 else ''}"] if count["warn"] else []
    words += [f"{count['unknown']} could not be made"] if count["unknown"] else []
    words += [f"{count['skip']} do not apply here"] if count["skip"] else []
    mark, style = MARKS["ok" if diagnosis.status in ("ok", "info", "skip") else diagnosis.status]
    return Text.assemble((f"{mark} ", style), ", ".join(words))
