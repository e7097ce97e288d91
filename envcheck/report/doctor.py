"""The doctor's page: the machine, the cause first with what follows from it, then what runs here."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.finding import Finding, Status
from envcheck.report.choice import chosen_lines
from envcheck.report.host import host_lines
from envcheck.situation import Situation

_MARKS: dict[Status, tuple[str, str]] = {
    "error": ("✗", "bold red"),
    "warn": ("!", "bold yellow"),
    "info": ("i", "cyan"),
    "unknown": ("?", "bold"),
    "ok": ("✓", "green"),
    "skip": ("-", "dim"),
}


def doctor_screen(diagnosis: Diagnosis, situation: Situation, *, whole: bool = True) -> RenderableType:
    """Return the doctor's answer for people; `whole` tells what runs here, too."""
    parts: list[RenderableType] = [host_lines(situation.host), ""]
    for finding in diagnosis.findings:
        if finding.status in ("error", "warn", "unknown", "info") and finding.follows_from is None:
            parts += [_finding(finding, diagnosis), ""]
    parts += [_counts(diagnosis)]
    if whole and situation.chosen is not None:
        parts += ["", chosen_lines(situation), "", Text("Next:  envcheck run demo")]
    return Group(*parts)


def _finding(finding: Finding, diagnosis: Diagnosis) -> RenderableType:
    mark, style = _MARKS[finding.status]
    head = Text.assemble((f"{mark} ", style), (finding.title, "bold"), (f"   {finding.id}", "dim"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    if finding.cause:
        table.add_row("why", Text(finding.cause))
    for number, seen in enumerate(finding.evidence):
        table.add_row("seen" if number == 0 else "", Text(seen))
    if finding.fix is not None:
        table.add_row("fix", Text(finding.fix.text))
        for command in finding.fix.commands:
            table.add_row("", Text(command, style="bold"))
    if finding.link:
        table.add_row("more", Text(finding.link, style="dim"))
    followers = " · ".join(one.title for one in diagnosis.consequences(finding))
    if followers:
        table.add_row("└", Text(f"follows from it: {followers}"))
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _counts(diagnosis: Diagnosis) -> RenderableType:
    """Return how many checks came out how; what could not be checked is never counted as fine."""
    count = Counter(finding.status for finding in diagnosis.findings)
    words = [f"{count['ok'] + count['info']} checks passed"]
    words += [f"{count['error']} error{'s' if count['error'] > 1 else ''}"] if count["error"] else []
    words += [f"{count['warn']} warning{'s' if count['warn'] > 1 else ''}"] if count["warn"] else []
    words += [f"{count['unknown']} could not be made"] if count["unknown"] else []
    words += [f"{count['skip']} do not apply here"] if count["skip"] else []
    mark, style = _MARKS["ok" if diagnosis.status in ("ok", "info", "skip") else diagnosis.status]
    return Text.assemble((f"{mark} ", style), ", ".join(words))
