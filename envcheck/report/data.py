"""A data set before it is fetched, with the sizes of its parts, and when it is in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.data.get import Got, mib
from envcheck.data.plan import Item, Plan
from envcheck.data.source import shown

_WORDS = {
    "fetched": "fetched",
    "here": "already here",
    "found": "already here; not fetched by envcheck, and not checked",
}


def plan_screen(plan: Plan) -> RenderableType:
    """Return what is fetched and from where, and the room that there is for it."""
    table = Table.grid(padding=(0, 2))
    for heading in ("part", "size", "unpacked", "state"):
        table.add_column(justify="right" if heading in ("size", "unpacked") else "left")
    for item in plan.items:
        unpacked = f"{item.part.unpacked_mib:,} MiB unpacked" if item.part.unpacked_mib else ""
        table.add_row(item.part.name, mib(item.part.size), unpacked, _state(item))
    return Group(
        Text(f"{plan.dataset.name}: {plan.dataset.summary}", style="bold"),
        Text(f"  from {shown(plan.base)} into {plan.folder}"),
        Padding(table, (0, 0, 0, 2)),
        *(Text(f"  {_room(folder, need)}") for folder, need in plan.rooms().items()),
    )


def data_screen(got: Got) -> RenderableType:
    """Return what is in its place, what has to be had elsewhere, and what comes next."""
    table = Table.grid(padding=(0, 2))
    for heading in ("part", "folder", "files", "state"):
        table.add_column(justify="right" if heading == "files" else "left", overflow="fold")
    for part in got.parts:
        files = "1 file" if part.files == 1 else f"{part.files:,} files"
        table.add_row(part.name, Text(str(part.folder)), files, _WORDS[part.state])
    following = [Text(f"Next: {got.next}", no_wrap=True, overflow="ignore")] if got.next else []
    return Group(
        Text(f"{got.dataset} is in {got.folder}", style="bold"),
        Padding(table, (0, 0, 0, 2)),
        *(Padding(Text(sentence), (0, 0, 0, 2)) for sentence in got.afterwards),
        *following,
    )


def _state(item: Item) -> str:
    if item.state == "missing":
        return f"{mib(item.arrived)} of it are here" if item.arrived else ""
    return _WORDS[item.state]


def _room(folder: Path, need: int) -> str:
    free = shutil.disk_usage(folder).free >> 20
    return f"{need:,} MiB are needed in {folder}, {free:,} MiB are free"
