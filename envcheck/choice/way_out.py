"""What comes nearest to running something where nothing runs: which step, which driver, which wish to drop.

Each way is found by trying it: the same rules judge the machine as it would be after the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from packaging.version import Version

from envcheck.choice.answers import Answer
from envcheck.choice.candidates import (
    BuildVerdict,
    Judgement,
    judge_builds,
    judge_recipes,
    obstacles,
    runs,
    serves,
)
from envcheck.choice.wishes import Wishes
from envcheck.compat import tables
from envcheck.compat.verdict import Reason
from envcheck.compat.words import card
from envcheck.host.facts import Gpu, Host
from envcheck.recipes import Recipe

_ANYTHING = Wishes()


def way_out(
    host: Host, seen: Host, recipes: Sequence[Recipe], wishes: Wishes, answers: Sequence[Answer]
) -> str:
    """Return in a few sentences what is nearest; `seen` is the host with the GPUs in question alone."""
    judged = [one for one in judge_recipes(seen, recipes) if serves(wishes, _by_name(recipes, one.recipe))]
    if lost := [reason for one in judged for reason in obstacles(one) if reason.rule == "unlisted"]:
        return f"{lost[0].because} {lost[0].remedy}"
    step = next(filter(None, _ways(host, seen, recipes, wishes, judged)), "")
    as_it_is = _without_a_recipe(answers)
    return " ".join(filter(None, (step, as_it_is))) or _nothing(seen, recipes, judged)


def _ways(
    host: Host, seen: Host, recipes: Sequence[Recipe], wishes: Wishes, judged: Sequence[Judgement]
) -> Iterator[str]:
    """Yield the ways to a recipe, the nearest first, "" for one that leads nowhere."""
    yield _without_the_recipe(seen, recipes, wishes, judged)
    yield _without_a_wish(seen, recipes, wishes)
    yield _by_another_driver(seen, recipes, wishes)
    yield _by_steps(judged)
    yield _one_kind_at_a_time(host, seen, recipes)


def _without_a_recipe(answers: Sequence[Answer]) -> str:
    """Return the official build that runs as things are, when no recipe has it."""
    build = next((one for one in answers if one.torch is not None), None)
    if build is None or build.recipe is not None:
        return ""
    return f"As it is, torch {build.torch} {build.tag} runs, and no recipe has it: {build.command}"


def lowest_driver(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> tuple[Version, str] | None:
    """Return the lowest newer driver with which a recipe that is wished for runs, and that recipe's name."""
    driver = seen.driver
    if driver is None or driver.version is None or not seen.gpus:
        return None
    for version in _turning_points(seen, recipes):
        if version <= driver.version:
            continue
        branch = tables.branch_of(version)
        other = replace(driver, version=version, cuda=branch.cuda if branch else None, libcuda=None)
        recipe = runs(replace(seen, driver=other), recipes, wishes)
        if recipe is not None:
            return version, recipe.name
    return None


def _turning_points(seen: Host, recipes: Sequence[Recipe]) -> list[Version]:
    """Return the drivers at which a verdict can turn, in order: floors and native ones of the recipes' CUDA.

    A new generation begins with the branch of the first toolkit that has code for it: one of the latter.
    """
    is_windows = bool(seen.os.wsl)
    natives = {kit.cuda: kit.windows if is_windows else kit.native for kit in tables.cuda().toolkits}
    points: set[Version | None] = set()
    for cuda in {recipe.cuda for recipe in recipes if recipe.cuda is not None}:
        points.add(natives.get(cuda))
        if (floor := tables.floor_of(cuda)) is not None:
            points.add(floor.windows if is_windows else floor.linux)
    return sorted(one for one in points if one is not None)


def _by_another_driver(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    found = lowest_driver(seen, recipes, wishes)
    if found is None:
        return ""
    version, recipe = found
    where = " in Windows; WSL uses that one" if seen.os.wsl else ""
    return f"{recipe} would run here. Install NVIDIA driver {version} or newer{where}."


def _without_the_recipe(
    seen: Host, recipes: Sequence[Recipe], wishes: Wishes, judged: Sequence[Judgement]
) -> str:
    """Return why the one recipe that was wished for does not run, and what does."""
    if wishes.recipe is None or len(recipes) == 1 or not judged:
        return ""
    why = obstacles(judged[0])[0]
    other = runs(seen, recipes, replace(wishes, recipe=None))
    return " ".join(filter(None, (why.because, why.remedy, f"{other.name} runs here." if other else "")))


def _without_a_wish(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    """Return which one wish stands in the way, when dropping it alone is enough."""
    ways = []
    for words, fewer in _one_less(wishes):
        recipe = runs(seen, recipes, fewer)
        if recipe is not None:
            ways.append(f"without {words}, {recipe.name} runs here")
    return f"{'; '.join(ways).capitalize()}." if ways else ""


def _one_less(wishes: Wishes) -> Iterator[tuple[str, Wishes]]:
    nothing = _ANYTHING.torch
    if wishes.tag:
        yield f"the wish for {wishes.tag}", replace(wishes, tag=None)
    if wishes.torch:
        yield f"the wish for torch {wishes.torch}", replace(wishes, torch=nothing, tag=None)
    if wishes.cuda:
        yield f"the wish for CUDA {wishes.cuda}", replace(wishes, cuda=nothing, tag=None)
    if wishes.python:
        yield f"the wish for Python {wishes.python}", replace(wishes, python=nothing)


def _by_steps(judged: Sequence[Judgement]) -> str:
    """Return the recipe with the fewest steps to it, where each of its obstacles has a way."""
    mendable = [one for one in _for_gpus(judged) if all(_has_way(reason) for reason in obstacles(one))]
    if not mendable:
        return ""
    nearest = min(mendable, key=lambda one: len(obstacles(one)))  # of equals the most wanted
    steps = dict.fromkeys(reason.remedy or reason.because for reason in obstacles(nearest))
    return f"{nearest.recipe} would run here. {' '.join(steps)}"


def _one_kind_at_a_time(host: Host, seen: Host, recipes: Sequence[Recipe]) -> str:
    """Return what each kind of card would run alone, and why nothing serves them together."""
    gpus = seen.gpus or ()
    kinds = {gpu.compute_capability: gpu for gpu in reversed(gpus)}
    if len(kinds) < 2:  # noqa: PLR2004 - a mix has at least two kinds
        return ""
    ways = []
    for gpu in sorted(kinds.values(), key=gpus.index):
        alone = runs(replace(seen, gpus=(gpu,), pci=None), recipes, _ANYTHING)
        if alone is not None:
            ways.append(f"{card(gpu)} on {alone.name} (--gpus {_index(host, gpu)})")
    if not ways:
        return ""
    mix = _why_no_mix(seen, list(kinds.values()), recipes)
    return f"{mix}One kind at a time: {', '.join(ways)}."


def _why_no_mix(seen: Host, kinds: Sequence[Gpu], recipes: Sequence[Recipe]) -> str:
    """Return that no official wheel holds code for every kind, "" where one does."""
    by_kind = [(gpu, _builds_with_code(seen, (gpu,), recipes)) for gpu in kinds]
    if any(not builds for _, builds in by_kind) or _builds_with_code(seen, tuple(kinds), recipes):
        return ""
    spans = [
        f"for {gpu.compute_capability} it is in builds from {builds[-1].name} to {builds[0].name}"
        for gpu, builds in sorted(by_kind, key=lambda one: one[0].compute_capability or Version("0"))
    ]
    return f"No official wheel holds code for both: {', '.join(spans)}. "


def _builds_with_code(seen: Host, gpus: tuple[Gpu, ...], recipes: Sequence[Recipe]) -> list[BuildVerdict]:
    judged = judge_builds(replace(seen, gpus=gpus, pci=None), recipes)
    return [
        one
        for one in judged
        if one.cuda is not None and not any(reason.rule in ("code", "ptx") for reason in obstacles(one))
    ]


def _nothing(seen: Host, recipes: Sequence[Recipe], judged: Sequence[Judgement]) -> str:
    first = next(iter(_for_gpus(judged)), None)
    reasons = [reason.because for reason in obstacles(first) if not _has_way(reason)] if first else []
    if seen.gpus and (left := runs(replace(seen, gpus=(), pci=None), recipes, _ANYTHING)):
        reasons.append(f"The CPU is left: --gpus none, with {left.name}.")
    return " ".join(["No recipe runs here.", *reasons])


def _for_gpus(judged: Sequence[Judgement]) -> list[Judgement]:
    return [one for one in judged if not any(reason.rule == "cpu" for reason in obstacles(one))]


def _has_way(reason: Reason) -> bool:
    return bool(reason.remedy) or reason.verdict == "unknown"


def _by_name(recipes: Sequence[Recipe], name: str) -> Recipe:
    return next(recipe for recipe in recipes if recipe.name == name)


def _index(host: Host, gpu: Gpu) -> int:
    if gpu.index is not None:
        return gpu.index
    return next(place for place, one in enumerate(host.gpus or ()) if one is gpu)
