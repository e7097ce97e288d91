"""The doctor's page: the machine, the cause first with what follows from it, then what runs here."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.finding import Finding, Status
from envcheck.report.choice import chosen_lines
from envcheck.report.disarm import few, one_line
from envcheck.report.host import host_lines
from envcheck.report.page import MARKS, counted, told
from envcheck.situation import Situation

# A log, a mail, a terminal beside another one.
WIDTH = 80
_INDENT = 8

_STYLES: dict[Status, str] = {
    "error": "bold red",
    "warn": "bold yellow",
    "info": "cyan",
    "unknown": "bold",
    "ok": "green",
    "skip": "dim",
}


def doctor_screen(diagnosis: Diagnosis, situation: Situation, *, whole: bool = True) -> RenderableType:
    """Return the doctor's answer for people; `whole` tells what runs here, too."""
    parts: list[RenderableType] = [host_lines(situation.host)]
    if diagnosis.drift is not None:
        parts.append(Text(one_line(diagnosis.drift.sentence)))
    parts += ["", findings_screen(diagnosis)]
    if whole and situation.chosen is not None:
        parts += ["", chosen_lines(situation), "", Text("Next:  envcheck run demo")]
    return Group(*parts)


def findings_screen(diagnosis: Diagnosis) -> RenderableType:
    """Return the findings, and how many checks came out how."""
    parts: list[RenderableType] = []
    for finding in told(diagnosis):
        parts += [_finding(finding, diagnosis), ""]
    mark, style = _mark("ok" if diagnosis.status in ("ok", "info", "skip") else diagnosis.status)
    return Group(*parts, Text.assemble((f"{mark} ", style), counted(diagnosis)))


def _finding(finding: Finding, diagnosis: Diagnosis) -> RenderableType:
    mark, style = _mark(finding.status)
    parts: list[RenderableType] = [
        Text.assemble((f"{mark} ", style), (one_line(finding.title), "bold"), (f"   {finding.id}", "dim"))
    ]
    rows = [("why", one_line(finding.cause))] if finding.cause else []
    rows += [("seen" if number == 0 else "", seen) for number, seen in enumerate(few(finding.evidence))]
    rows += [("fix", one_line(finding.fix.text))] if finding.fix is not None else []
    parts.append(_rows(rows))
    # What is copied from the screen is not broken at its end.
    commands = few(finding.fix.commands) if finding.fix is not None else ()
    parts += [_whole(Text.assemble(" " * _INDENT, (command, "bold"))) for command in commands]
    if finding.link:
        parts.append(_whole(Text.assemble("  ", ("more", "cyan"), "  ", (one_line(finding.link), "dim"))))
    followers = " · ".join(few([one.title for one in diagnosis.consequences(finding)]))
    if followers:
        parts.append(_rows([("└", f"follows from it: {followers}")]))
    return Group(*parts)


def _rows(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan", min_width=4)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, Text(text))
    return Padding(table, (0, 0, 0, 2))


def _whole(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _mark(status: Status) -> tuple[str, str]:
    return MARKS[status], _STYLES[status]
