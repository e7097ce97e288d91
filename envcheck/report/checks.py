"""The list of the doctor's checks, for people."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from envcheck.doctor.selection import CheckList


def checks_screen(listing: CheckList) -> RenderableType:
    """Return the checks, each with the worst that it can say and what is so when all is well."""
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in listing.checks:
        table.add_row(Text(entry.id, style="cyan"), Text(entry.worst), Text(entry.title))
    return table
