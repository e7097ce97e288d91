"""The recipes: a table of all, one in full, and what was proved of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.audit.audit import Audit, Inspection
from envcheck.audit.result import State
from envcheck.compat.words import code_text
from envcheck.recipes import Recipe, Tried

_STYLES: dict[State, str] = {"passed": "green", "failed": "bold red", "not verified": "yellow"}


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
    for seen in recipe.machines():
        for python in seen.pythons:
            table.add_row(f"Python {seen.key(python)}", Text(_tried(seen.tried(python))))
    return Group(Text(f"{recipe.name}: {recipe.summary}", style="bold"), Padding(table, (0, 0, 0, 2)))


def audit_screen(found: Audit) -> RenderableType:
    """Return one line for each check of each recipe, locks with the same answer together."""
    recipes: dict[str, list[Inspection]] = {}
    for check in found.checks:
        recipes.setdefault(check.recipe, []).append(check)
    counted = Counter(check.state for check in found.checks)
    total = ", ".join(f"{counted[state]} {state}" for state in _STYLES)
    parts = (part for name, checks in recipes.items() for part in (Text(name, style="bold"), _checks(checks)))
    return Group(*parts, Text(f"{total}."))


def _checks(checks: Sequence[Inspection]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for heading in ("state", "check", "locks", "what was seen"):
        table.add_column(no_wrap=heading in ("state", "check"), overflow="fold")
    folded: dict[tuple[State, str, str], list[str]] = {}
    for one in checks:
        folded.setdefault((one.state, one.check, one.because), []).append(one.lock)
    every = tuple(dict.fromkeys(one.lock for one in checks if one.lock))
    for (state, check, because), locks in folded.items():
        table.add_row(Text(state, style=_STYLES[state]), check, _which(locks, every), Text(because))
    return Padding(table, (0, 0, 1, 2))


def _which(locks: Sequence[str], every: Sequence[str]) -> str:
    """Return which of a recipe's locks are meant, the shorter way."""
    named = [lock for lock in every if lock in locks]
    others = [lock for lock in every if lock not in locks]
    if len(named) < 2 or len(named) <= len(others):  # noqa: PLR2004 - one lock is called by its name
        return ", ".join(named)
    return f"all but {', '.join(others)}" if others else "every lock"


def _tried(check: Tried) -> str:
    if check.state == "no":
        return "locked, not tried"
    when = f" on {check.when}" if check.when else ""
    return f"{check.state}{when}{f': {check.note}' if check.note else ''}"
