"""From a machine, the recipes and a person's wishes to one recipe, with the reasons for every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.version import Version

from envcheck.choice.answers import Answer, answers, in_words
from envcheck.choice.candidates import Judgement, can_run, judge_recipes, pythons_for, serves
from envcheck.choice.gpus import devices_of, handed_over, narrow
from envcheck.choice.way_out import way_out
from envcheck.choice.wishes import ANYTHING, Wishes
from envcheck.compat.rules.base_image import base_image
from envcheck.compat.rules.system import host_pythons
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards
from envcheck.host.facts import Host
from envcheck.recipes import Recipe, no_such_recipe

SCHEMA = "envcheck.choice/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The document `envcheck.choice/1`; without a recipe, `advice` says what is nearest."""

    schema: str = SCHEMA
    recipe: str | None
    torch: Version | None
    cuda: Version | None
    python: str | None  # the Python that a virtual environment would use, "3.11"
    gpus: tuple[str, ...]  # UUIDs of the GPUs and MIG instances that were judged, where they are known
    wish: str = ""  # what was asked for, in words
    origins: tuple[str, ...] = ()  # where each wish was read, and what of a file was left out
    advice: str
    answers: tuple[Answer, ...] = ()  # official builds: exact, nearest, newest
    base: tuple[Reason, ...] = ()  # what the wished base image, or the recipe's, asks of this driver
    verdicts: tuple[Judgement, ...]  # the most wanted first: the newest torch, without a GPU the CPU's


def choose(host: Host, recipes: Sequence[Recipe], wishes: Wishes = ANYTHING) -> Choice:
    """Return the recipe for a machine and the verdict on each. Raises `UsageError` for an impossible wish."""
    recipes = [recipe.on(host.os.machine) for recipe in recipes]
    if wishes.recipe is not None and wishes.recipe not in {recipe.name for recipe in recipes}:
        raise no_such_recipe(wishes.recipe, tuple(recipe.name for recipe in recipes))
    seen = narrow(host, wishes.gpus)
    by_name = {recipe.name: recipe for recipe in recipes}
    judged = judge_recipes(seen, recipes, wishes)
    picked = next(
        (by_name[one.recipe] for one in judged if can_run(one) and serves(wishes, by_name[one.recipe])), None
    )
    owed = answers(seen, recipes, wishes)
    return Choice(
        recipe=picked.name if picked else None,
        torch=picked.torch if picked else None,
        cuda=picked.cuda if picked else None,
        python=_python(seen, picked, wishes) if picked else None,
        gpus=handed_over(seen),
        wish=in_words(wishes),
        origins=wishes.origins,
        advice=_praise(host, seen, picked, wishes) if picked else way_out(host, seen, recipes, wishes),
        answers=owed,
        base=_base(seen, picked, wishes),
        verdicts=judged,
    )


def _python(host: Host, recipe: Recipe, wishes: Wishes) -> str | None:
    """Return the container's Python where the host has it: the same lock, the same bits; else the newest."""
    found = host_pythons(host)
    allowed = pythons_for(wishes, recipe.pythons)
    if recipe.container_python in allowed and (found is None or recipe.container_python in found):
        return recipe.container_python
    served = [python for python in allowed if found is None or python in found]
    return max(served, key=Version, default=None)


def _left_out(host: Host, seen: Host, wishes: Wishes) -> str:
    """Return what MIG keeps one process from using at once, where nobody named what to use."""
    every, used = (list(devices_of(one.gpus or ())) for one in (host, seen))
    if wishes.gpus is not None or len(every) == len(used):
        return ""
    names = ", ".join(device.uuid or device.names[-1] for device in used)
    return f" MIG makes {len(every)} devices; one process can use {names}. --gpus names others."


def _base(seen: Host, picked: Recipe | None, wishes: Wishes) -> tuple[Reason, ...]:
    """Return the verdict on the base image: the one that was wished for, else the recipe's own."""
    image = wishes.base_image or (picked.base.image if picked else None)
    return base_image(seen, image) if image else ()


def _praise(host: Host, seen: Host, picked: Recipe, wishes: Wishes) -> str:
    if seen.gpus:
        asked = in_words(wishes)
        which = f"The newest with {asked}" if asked else "The newest torch here"
        return f"{which} that runs on {cards(seen.gpus)}.{_left_out(host, seen, wishes)}"
    if host.gpus:
        return f"The CPU, as asked; idle: {cards(host.gpus)}."
    if picked.cuda is None:
        return "There is no NVIDIA GPU to use, so the work runs on the CPU."
    return (
        "There is no NVIDIA GPU to use, and no recipe for the CPU serves this machine: the work runs on the"
        " CPU, in an environment made for GPUs, which is a larger download."
    )
