"""A measured row as text that can go into the table as it is: what is not the row is a comment."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.measure.row import MeasuredRow, row_text


def row_screen(row: MeasuredRow) -> RenderableType:
    """Return the row, what the wheel brings beside it, and where the row that stands says otherwise."""
    # A line that is broken at the screen's edge could not be copied.
    return Group(*(Text(line, no_wrap=True, overflow="ignore") for line in _lines(row)))


def _lines(row: MeasuredRow) -> Iterator[str]:
    one = row.measured
    yield f"# {one.wheel}"
    for name, version in one.companions.items():
        yield f"#   {name} {version}".rstrip()
    if not row.indexed:
        yield "# The Pythons are this file's: `envcheck tables measure torch==X` asks the index for all."
    for machine in row.elsewhere:
        yield f"# There are wheels for {machine} too: --machine {machine} measures one."
    yield from row_text(row).splitlines()
    name = f"torch {one.torch} {one.tag} on {one.machine}"
    if row.stands == "nowhere":
        yield f"# The table has no {name}."
    elif row.stands == "same":
        yield f"# The table says the same of {name}."
    else:
        yield f"# The table says otherwise of {name}:"
        for difference in row.differences:
            yield f"#   {difference.field}: the table says {difference.table}, the wheel {difference.wheel}"
