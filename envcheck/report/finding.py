"""One thing that is wrong, as people see it: what, why, what shows it, the way out, what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.doctor.finding import Fix, Status

MARKS: dict[Status, tuple[str, str]] = {
    "error": ("✗", "bold red"),
    "warn": ("!", "bold yellow"),
    "info": ("i", "cyan"),
    "unknown": ("?", "bold"),
    "ok": ("✓", "green"),
    "skip": ("-", "dim"),
}


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
    head = Text.assemble((f"{mark} ", style), (title, "bold"), (f"   {id}", "dim"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(text))
    if fix is not None:
        table.add_row("fix", Text(fix.text))
        for command in fix.commands:
            table.add_row("", Text(command, style="bold"))
    if link:
        table.add_row("more", Text(link, style="dim"))
    if followers:
        table.add_row("└", Text(f"follows from it: {' · '.join(followers)}"))
    return Group(head, Padding(table, (0, 0, 0, 2)))


def rows(name: str, *texts: str) -> list[tuple[str, str]]:
    """Return a row for each text that says something; the first has the name."""
    return [(name if number == 0 else "", text) for number, text in enumerate(filter(None, texts))]
