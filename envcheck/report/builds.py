"""Every official build on a host: those that run, by release, then the others, by what is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from envcheck.choice.builds import Builds
from envcheck.choice.candidates import BuildVerdict, can_run, obstacles
from envcheck.host.facts import Host
from envcheck.report.host import host_lines


def builds_screen(builds: Builds, host: Host | None) -> RenderableType:
    """Return the screen of `builds`, for one `host` or for several."""
    about = Text(", ".join(builds.hosts), style="bold") if host is None else host_lines(host)
    running = builds.running
    others = [one for one in builds.builds if not can_run(one)]
    asked = f" of {builds.wish}" if builds.wish else ""
    head = f"{len(running)} of {len(builds.builds)} official builds{asked} run here."
    origins = [Text(f"asked for: {one}") for one in builds.origins]
    parts: list[RenderableType] = [about, *origins, "", Text(head, style="bold")]
    if running:
        parts.append(_running(running))
    if others:
        parts += ["", Text("Not the others"), _refused(others)]
    return Group(*parts)


def _running(builds: Sequence[BuildVerdict]) -> Table:
    table = _grid()
    for release, group in groupby(builds, key=lambda one: one.torch):
        rows = list(group)
        recipes = ", ".join(one.recipe for one in rows if one.recipe)
        known = Text(f"recipe {recipes}", style="green") if recipes else Text("")
        tags = " ".join(one.tag for one in rows)
        pythons = [
            python for python in rows[0].pythons if not python.endswith("t")
        ]  # 3.13t is 3.13 without the lock
        span = f"Python {pythons[0]} to {pythons[-1]}"
        table.add_row(Text(f"torch {release}", style="bold"), tags, span, known)
    return table


def _refused(builds: Sequence[BuildVerdict]) -> Table:
    """Return the builds that do not run, those with the same first obstacle together."""
    groups: dict[tuple[str, str], list[BuildVerdict]] = {}
    for one in builds:
        reason = obstacles(one)[0]
        groups.setdefault((reason.rule, reason.because), []).append(one)
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(overflow="fold", max_width=34)
    table.add_column(overflow="fold")
    for (rule, because), members in groups.items():
        table.add_row(Text(_in_words(members), style="bold"), Text.assemble((f"{rule}  ", "cyan"), because))
    return table


def _in_words(builds: Iterable[BuildVerdict]) -> str:
    """Return builds by release, neighbours with the same tags as a span: "2.0.0 to 2.0.1 cu118"."""
    releases = [
        (release, tuple(one.tag for one in group))
        for release, group in groupby(builds, key=lambda one: one.torch)
    ]
    spans = []
    for tags, same in groupby(releases, key=lambda entry: entry[1]):
        span = [release for release, _ in same]
        newest, oldest = span[0], span[-1]
        named = str(newest) if newest == oldest else f"{oldest} to {newest}"
        spans.append(f"{named} {' '.join(tags)}")
    return ", ".join(spans)


def _grid() -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    return table
