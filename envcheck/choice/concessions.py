"""Which wishes to give up so that a recipe runs: the fewest that are enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from packaging.specifiers import SpecifierSet

from envcheck.choice.candidates import runs
from envcheck.choice.wishes import Wishes
from envcheck.host.facts import Host
from envcheck.recipes import Recipe

_NAMES = {"tag": "", "torch": "torch ", "cuda": "CUDA ", "python": "Python ", "recipe": "recipe "}


def concession(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    """Return the fewest wishes without which a recipe runs, and that recipe; "" where none are in the way."""
    asked = [name for name in _NAMES if getattr(wishes, name)]
    for number in range(1, len(asked) + 1):
        ways = list(_ways(seen, recipes, wishes, combinations(asked, number)))
        if ways:
            text = "; ".join(ways)
            return f"{text[0].upper()}{text[1:]}."
    return ""


def _ways(
    seen: Host, recipes: Sequence[Recipe], wishes: Wishes, attempts: Iterator[tuple[str, ...]]
) -> Iterator[str]:
    for dropped in attempts:
        recipe = runs(seen, recipes, _without(wishes, dropped))
        if recipe is not None:
            named = " and ".join(f"{_NAMES[name]}{getattr(wishes, name)}" for name in dropped)
            yield f"without the wish for {named}, {recipe.name} runs here"


def _without(wishes: Wishes, dropped: Sequence[str]) -> Wishes:
    every = SpecifierSet()
    return replace(
        wishes,
        # A tag is a torch and a CUDA at once.
        tag=None if {"tag", "torch", "cuda"} & set(dropped) else wishes.tag,
        torch=every if "torch" in dropped else wishes.torch,
        cuda=every if "cuda" in dropped else wishes.cuda,
        python=every if "python" in dropped else wishes.python,
        recipe=None if "recipe" in dropped else wishes.recipe,
    )
