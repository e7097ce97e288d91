"""One thing that is wrong, as people see it: what, why, what shows it, the way out, what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.doctor.finding import Fix, Status
from envcheck.report.disarm import few, one_line
from envcheck.report.page import SIGNS, demands

_STYLES: dict[Status, str] = {
    "error": "bold red",
    "warn": "bold yellow",
    "info": "cyan",
    "unknown": "bold",
    "ok": "green",
    "skip": "dim",
}
MARKS: dict[Status, tuple[str, str]] = {status: (SIGNS[status], style) for status, style in _STYLES.items()}

# Of the names before the texts, and of the texts.
_NAMES = 4
_INDENT = 8


def told(
    status: Status,
    title: str,
    id: str,  # noqa: A002 - a finding's
    *,
    rows: Iterable[tuple[str, str]],
    fix: Fix | None,
    link: str,
    followers: Sequence[str],
) -> RenderableType:
    """Return a finding: its title, and under it `rows` of a name and a text, fix, link and consequences."""
    mark, style = MARKS[status]
    head = Text.assemble((f"{mark} ", style), (one_line(title), "bold"), (f"   {id}", "dim"))
    parts: list[RenderableType] = [
        head,
        _table([*rows, *([("fix", _way_out(fix))] if fix is not None else [])]),
    ]
    commands = few(fix.commands) if fix is not None else ()
    parts += [whole(Text.assemble(" " * _INDENT, (command, "bold"))) for command in commands]
    if link:
        parts.append(whole(Text.assemble("  ", ("more", "cyan"), "  ", (one_line(link), "dim"))))
    if followers:
        parts.append(_table([("└", f"follows from it: {' · '.join(few(followers))}")]))
    return Group(*parts)


def _way_out(fix: Fix) -> str:
    """Return the sentence of a fix, with what it asks of whoever copies its commands."""
    return f"{fix.text} ({asked})" if (asked := demands(fix)) else fix.text


def rows(name: str, *texts: str) -> list[tuple[str, str]]:
    """Return a row for each text that says something; the first has the name."""
    return [(name if number == 0 else "", text) for number, text in enumerate(filter(None, texts))]


def _table(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan", min_width=_NAMES)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(one_line(text)))
    return Padding(table, (0, 0, 0, 2))


def whole(line: Text) -> Text:
    """Return a line that is not broken at the screen's end."""
    line.no_wrap, line.overflow = True, "ignore"
    return line
