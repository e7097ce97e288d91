"""The recipes: a table of all, and one in full."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.compat.words import code_text
from envcheck.recipes import MACHINE, Check, Recipe


def recipes_table(recipes: Iterable[Recipe]) -> RenderableType:
    """Return one row for each recipe, the newest torch first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("recipe", "torch", "CUDA", "GPU code", "Python", "download"):
        table.add_column(
            heading, no_wrap=heading != "GPU code", justify="right" if heading == "download" else "left"
        )
    for recipe in sorted(recipes, key=lambda one: one.torch, reverse=True):
        table.add_row(
            Text(recipe.name, style="bold"),
            str(recipe.torch),
            str(recipe.cuda or "-"),
            ", ".join(str(one) for one in recipe.build.sass) or "-",
            ", ".join(recipe.pythons),
            f"{recipe.size.download_mib:,} MiB",
        )
    return table


def recipe_screen(recipe: Recipe) -> RenderableType:
    """Return what a recipe pins, why, and how far it was tried."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")  # a digest is one long word, and none of it may be lost
    rows = {
        "torch": f"{recipe.torch} ({recipe.tag}), pip's {recipe.requirement}",
        "GPU code": code_text(recipe.build.sass) or "none",
        "base": f"{recipe.base.image}@{recipe.base.digest}",
        "packages": ", ".join(recipe.packages),
        "bounds": ", ".join(recipe.constraints),
        "size": f"{recipe.size.download_mib:,} MiB to fetch, {recipe.size.installed_mib:,} MiB installed",
        "why": recipe.why,
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, Text(text))
    for seen in (recipe.on(build.machines[0]) for build in recipe.builds):
        where = "" if seen.machine == MACHINE else f" {seen.machine}"
        for python in seen.pythons:
            table.add_row(f"Python {python}{where}", Text(_tried(seen.tried(python))))
    return Group(Text(f"{recipe.name}: {recipe.summary}", style="bold"), Padding(table, (0, 0, 0, 2)))


def _tried(check: Check) -> str:
    if check.state == "no":
        return "locked, not tried"
    when = f" on {check.when}" if check.when else ""
    return f"{check.state}{when}{f': {check.note}' if check.note else ''}"
