"""What a repetition proved, as people see it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.repeat.verdict import ReplayVerdict, Word
from envcheck.report.disarm import few, one_line

_MOST = 4  # files that are named
_STYLES: dict[Word, str] = {
    "bitwise": "bold green",
    "within tolerance": "bold green",
    "differs": "bold red",
    "not comparable": "bold yellow",
}
_MEANING: dict[Word, str] = {
    "bitwise": "every file that was compared and every number is the same, to the bit",
    "within tolerance": "the numbers are the same as far as this can be said",
    "differs": "another result",
    "not comparable": "it was not the same experiment, or did not come to its end",
}


def verdict_screen(verdict: ReplayVerdict, folder: Path) -> RenderableType:
    """Return the verdict, why it is no better one, and each number beside its repetition."""
    word = verdict.verdict
    parts: list[RenderableType] = [Text.assemble((word, _STYLES[word]), f"  {_MEANING[word]}")]
    parts += [Text(f"  {line}") for line in few(verdict.because, most=8)]
    if verdict.compared:
        names = ", ".join(map(one_line, verdict.compared[:_MOST]))
        more = f" and {len(verdict.compared) - _MOST} more" if len(verdict.compared) > _MOST else ""
        parts.append(Text(f"  compared byte for byte: {names}{more}", style="dim"))
    if verdict.metrics and word != "bitwise":
        parts.append(_numbers(verdict))
    parts.append(Text(f"  {one_line(str(folder / 'record.json'))}", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _numbers(verdict: ReplayVerdict) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for one in verdict.metrics:
        mark = ("✓", "green") if one.is_within else ("✗", "bold red")
        row = (one_line(one.name), _number(one.before), _number(one.now), f"± {one.tolerance:.3g}")
        table.add_row(*row, Text.assemble(mark))
    return Padding(table, (0, 0, 0, 2))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
