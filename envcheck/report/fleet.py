"""Many machines: the recipes that cover them, and the machines that nothing covers, with the way out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.choice.fleet import Covered, Fleet

# More machines than these are counted, not named.
_SHOWN = 3


def fleet_screen(fleet: Fleet) -> RenderableType:
    """Return the screen of `pick` for several hosts."""
    kinds = f"{fleet.kinds:,} kind{'s' if fleet.kinds != 1 else ''}"
    parts: list[RenderableType] = [Text(f"{_counted(fleet.hosts)}, {kinds} of machine", style="bold"), ""]
    parts.append(_answer(fleet))
    parts.append(_covers(fleet.covered))
    for group in fleet.uncovered:
        head = Text.assemble(("Nothing runs on ", "bold red"), (_named(group.hosts), "bold"))
        parts += ["", head, Padding(Text(group.advice), (0, 0, 0, 2))]
    return Group(*parts)


def _answer(fleet: Fleet) -> Text:
    covered = sum(len(one.hosts) for one in fleet.covered)
    which = "all of them" if not fleet.uncovered else f"{covered:,} of them"
    asked = f" (asked for: {fleet.wish})" if fleet.wish else ""
    if not fleet.covered:
        return Text(f"No recipe runs on any of them{asked}.", style="bold red")
    if len(fleet.covered) == 1:
        return Text(f"One recipe covers {which}{asked}:")
    return Text(f"{len(fleet.covered)} recipes cover {which}, and no fewer do{asked}:")


def _covers(covered: Sequence[Covered]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in covered:
        cuda = f"CUDA {one.cuda}" if one.cuda else "no CUDA"
        contents = Text(f"torch {one.torch} · {cuda}", style="dim")
        table.add_row(Text(one.recipe, style="bold green"), contents, Text(_named(one.hosts)))
    return table


def _named(hosts: Sequence[str]) -> str:
    if len(hosts) <= _SHOWN:
        return ", ".join(hosts)
    return f"{_counted(len(hosts))}: {hosts[0]}, {hosts[1]}, ..."


def _counted(number: int) -> str:
    return f"{number:,} host{'s' if number != 1 else ''}"
