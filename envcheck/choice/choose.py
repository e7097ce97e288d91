"""Chooses: from a machine, the recipes and a person's wishes to one recipe, with the reasons for every other.

The newest torch that fits every GPU in question wins, ties by the newest CUDA. A machine without a GPU takes
the CPU recipe; one that has GPUs never does, unless asked. What a rule says is not repeated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from packaging.version import Version

from envcheck.choice.wishes import Wishes
from envcheck.compat.rules import judge
from envcheck.compat.rules.system import host_pythons
from envcheck.compat.verdict import Reason, Verdict, join
from envcheck.compat.words import card, cards
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu, Host
from envcheck.recipes import Recipe, no_such_recipe

SCHEMA = "envcheck.choice/1"

# Facts of the userland, which a container replaces: a snapshot that does not say them can still be planned
# for, with the container's own Python. Facts that it says, count.
_SETTLED_BY_CONTAINER = ("glibc", "python")
_NO_CUDA = Version("0")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One recipe on this machine."""

    recipe: str
    verdict: Verdict
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The document `envcheck.choice/1`; without a recipe, `advice` says what is nearest."""

    schema: str = SCHEMA
    recipe: str | None
    torch: Version | None
    cuda: Version | None
    python: str | None  # the Python that a virtual environment would use, "3.11"
    gpus: tuple[str, ...]  # UUIDs of the GPUs that were judged, where they are known
    advice: str
    verdicts: tuple[Judgement, ...]  # the most wanted first: the newest torch, without a GPU the CPU's


def choose(host: Host, recipes: Sequence[Recipe], wishes: Wishes | None = None) -> Choice:
    """Return the recipe for a machine and the verdict on each. Raises `UsageError` for an impossible wish."""
    wishes = wishes or Wishes()
    if wishes.recipe is not None and wishes.recipe not in {recipe.name for recipe in recipes}:
        raise no_such_recipe(wishes.recipe, tuple(recipe.name for recipe in recipes))
    seen = narrow(host, wishes.gpus)
    by_name = {recipe.name: recipe for recipe in recipes}
    order = sorted(recipes, key=lambda recipe: _preference(seen, recipe), reverse=True)
    judged = [_judge(seen, recipe) for recipe in order]
    wanted = [one for one in judged if wishes.recipe in (None, one.recipe)]
    picked = next((by_name[one.recipe] for one in wanted if _can_run(one.reasons)), None)
    return Choice(
        recipe=picked.name if picked else None,
        torch=picked.torch if picked else None,
        cuda=picked.cuda if picked else None,
        python=_python(seen, picked) if picked else None,
        gpus=tuple(gpu.uuid for gpu in seen.gpus or () if gpu.uuid),
        advice=_praise(host, seen, picked) if picked else _way_out(host, recipes, wishes, wanted),
        verdicts=tuple(judged),
    )


def narrow(host: Host, gpus: tuple[str, ...] | Literal["none"] | None) -> Host:
    """Return the host as the wish for `gpus` leaves it: every card, the named ones, or none.

    Who names cards has said which ones matter: others on the PCI bus are then not asked after. Raises
    `UsageError` for a GPU that is not there.
    """
    if gpus is None:
        return host
    if gpus == "none":
        return replace(host, gpus=(), pci=None)
    if host.gpus is None:
        raise UsageError("--gpus names GPUs, and which there are is not known", host.unknown.get("gpus", ""))
    named = [_named(host.gpus, text) for text in gpus]
    return replace(host, gpus=tuple(gpu for gpu in host.gpus if gpu in named), pci=None)


def _named(gpus: tuple[Gpu, ...], text: str) -> Gpu:
    """Return the GPU with an index, a UUID or the beginning of one."""
    if text.isdecimal():
        found = [
            gpu
            for number, gpu in enumerate(gpus)
            if int(text) == (number if gpu.index is None else gpu.index)
        ]
    else:
        found = [gpu for gpu in gpus if gpu.uuid and text and gpu.uuid.lower().startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    here = ", ".join(
        f"{number if gpu.index is None else gpu.index} ({card(gpu)})" for number, gpu in enumerate(gpus)
    )
    problem = f"--gpus: {text!r:.60} names {len(found) or 'no'} GPU{'s' if found else ''}"
    raise UsageError(problem, f"There are: {here}" if here else "This machine has none: --gpus none")


def _judge(host: Host, recipe: Recipe) -> Judgement:
    reasons = judge(host, recipe.build)
    return Judgement(recipe.name, join(reasons), reasons)


def _can_run(reasons: tuple[Reason, ...]) -> bool:
    return join(reason for reason in reasons if not _is_settled(reason)) == "fits"


def _is_settled(reason: Reason) -> bool:
    return reason.verdict == "unknown" and reason.rule in _SETTLED_BY_CONTAINER


def _preference(host: Host, recipe: Recipe) -> tuple[bool, Version, Version, str]:
    """Return what is compared: torch, then CUDA; without a GPU, what is made for the CPU leads."""
    return (recipe.cuda is None and host.gpus == (), recipe.torch, recipe.cuda or _NO_CUDA, recipe.name)


def _python(host: Host, recipe: Recipe) -> str | None:
    """Return the container's Python where the host has it: the same lock, the same bits; else the newest."""
    found = host_pythons(host)
    if found is None or recipe.container_python in found:
        return recipe.container_python
    served = [python for python in found if python in recipe.pythons]
    return max(served, key=Version, default=None)


def _praise(host: Host, seen: Host, picked: Recipe) -> str:
    if seen.gpus:
        return f"The newest torch here that runs on {cards(seen.gpus)}."
    if host.gpus:
        return f"The CPU, as asked; {cards(host.gpus)} stays idle."
    if picked.cuda is None:
        return "There is no NVIDIA GPU to use, so the work runs on the CPU."
    return (
        "There is no NVIDIA GPU to use, and no recipe for the CPU serves this machine: the work runs on the"
        " CPU, in an environment made for GPUs, which is a larger download."
    )


def _way_out(host: Host, recipes: Sequence[Recipe], wishes: Wishes, wanted: Sequence[Judgement]) -> str:
    """Return what comes nearest to running something here, in one or two sentences."""
    if wishes.recipe is not None and len(recipes) > 1:
        other = choose(host, recipes, replace(wishes, recipe=None))
        why = _obstacles(wanted[0])[0]
        instead = f"{other.recipe} runs here." if other.recipe else other.advice
        return " ".join(filter(None, (why.because, why.remedy, instead)))
    if lost := [reason for one in wanted for reason in _obstacles(one) if reason.rule == "unlisted"]:
        return f"{lost[0].because} {lost[0].remedy}"
    for_gpus = [one for one in wanted if not any(reason.rule == "cpu" for reason in _obstacles(one))]
    mendable = [one for one in for_gpus if all(_has_way(reason) for reason in _obstacles(one))]
    if mendable:
        nearest = min(mendable, key=lambda one: len(_obstacles(one)))  # of equals the most wanted
        steps = dict.fromkeys(reason.remedy or reason.because for reason in _obstacles(nearest))
        return f"{nearest.recipe} would run here. {' '.join(steps)}"
    if one_by_one := _one_by_one(host, recipes, wishes):
        return one_by_one
    reasons = [reason.because for one in for_gpus[:1] for reason in _obstacles(one) if not _has_way(reason)]
    if narrow(host, wishes.gpus).gpus and (left := choose(host, recipes, Wishes(gpus="none")).recipe):
        reasons.append(f"The CPU is left: --gpus none, with {left}.")
    return " ".join(["No recipe runs here.", *reasons])


def _obstacles(judgement: Judgement) -> list[Reason]:
    return [reason for reason in judgement.reasons if reason.verdict != "fits" and not _is_settled(reason)]


def _has_way(reason: Reason) -> bool:
    return bool(reason.remedy) or reason.verdict == "unknown"


def _one_by_one(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    """Return which recipe each kind of card would run alone, "" when that helps nobody."""
    gpus = narrow(host, wishes.gpus).gpus or ()
    kinds = {gpu.compute_capability: gpu for gpu in reversed(gpus)}
    if len(kinds) < 2:  # noqa: PLR2004 - a mix has at least two kinds
        return ""
    ways = []
    for gpu in sorted(kinds.values(), key=gpus.index):
        alone = choose(replace(host, gpus=(gpu,), pci=None), recipes).recipe
        if alone is not None:
            index = gpus.index(gpu) if gpu.index is None else gpu.index
            ways.append(f"{card(gpu)} on {alone} (--gpus {index})")
    return f"No recipe runs on all of {cards(gpus)}. One kind at a time: {', '.join(ways)}." if ways else ""
