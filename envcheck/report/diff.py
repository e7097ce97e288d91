"""Two runs side by side, as people see it: the likeliest cause, what came out, then the rest by its kind."""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.repeat.diff import Comparison, Deviation
from envcheck.repeat.influence import POSSIBLE
from envcheck.report.disarm import one_line

# Of facts without influence on a result, and of results.
_MOST = 6
_LONGEST = 60
_DIGEST = re.compile(r"[0-9a-f]{64}")


def diff_screen(comparison: Comparison) -> RenderableType:
    """Return the answer for people."""
    parts: list[RenderableType] = [_verdict(comparison)]
    parts += [Text(f"  {one_line(line)}") for line in comparison.lacking]
    if comparison.cause is not None:
        one = comparison.cause
        parts.append(
            Text.assemble(("most likely  ", "cyan"), (one_line(one.fact), "bold"), f"  {_change(one)}")
        )
        parts.append(Text(f"             {one.why}".rstrip()))
    possible = [one for one in comparison.differences if one.likelihood >= POSSIBLE]
    harmless = [one for one in comparison.differences if one.likelihood < POSSIBLE]
    if comparison.cause is not None:
        possible = possible[1:]
        title = "What else can change a result, the likeliest first"
    else:  # only where the same came out all the same
        title = "What could have changed the result, and did not"
    if possible:
        parts += ["", Text(title, style="bold"), _table(possible)]
    if comparison.results:
        parts += ["", Text("What came out", style="bold"), _table(comparison.results[:_MOST])]
        parts += _more(comparison.results)
    if harmless:
        parts += [
            "",
            Text("What changes no result", style="bold"),
            _table(harmless[:_MOST]),
            *_more(harmless),
        ]
    return Group(*parts)


def _verdict(comparison: Comparison) -> Text:
    words = {
        True: "the same result, to the bit",
        False: "another result",
        None: "no result that could be compared",
    }[comparison.same_result]
    return Text.assemble(
        (one_line(comparison.first), "bold"), " and ", (one_line(comparison.second), "bold"), f": {words}"
    )


def _table(differences: list[Deviation] | tuple[Deviation, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for one in differences:
        table.add_row(one.kind, Text(one_line(one.fact)), Text(_change(one)))
    return Padding(table, (0, 0, 0, 2))


def _more(rest: list[Deviation] | tuple[Deviation, ...]) -> list[RenderableType]:
    left_out = len(rest) - _MOST
    return [Text(f"  and {left_out} more (--format json has all)", style="dim")] if left_out > 0 else []


def _change(one: Deviation) -> str:
    return f"{_value(one.first)}, then {_value(one.second)}"


def _value(text: str) -> str:
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else one_line(text, _LONGEST)
