"""What comes nearest to running something where nothing runs: a wish to drop, a driver, a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from packaging.version import Version

from envcheck.choice.answers import Answer, answers
from envcheck.choice.candidates import (
    Judgement,
    judge_recipes,
    obstacles,
    official_builds,
    runs,
    serves,
)
from envcheck.choice.concessions import concession
from envcheck.choice.drivers import lowest_driver
from envcheck.choice.wishes import ANYTHING, Wishes
from envcheck.compat import tables
from envcheck.compat.rules.code import code
from envcheck.compat.rules.ptx import ptx
from envcheck.compat.verdict import Reason
from envcheck.compat.words import card
from envcheck.host.facts import Gpu, Host
from envcheck.recipes import Recipe


def way_out(host: Host, seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    """Return in a few sentences what is nearest; `seen` is the host with the GPUs in question alone."""
    by_name = {recipe.name: recipe for recipe in recipes}
    judged = [one for one in judge_recipes(seen, recipes, wishes) if serves(wishes, by_name[one.recipe])]
    for alone in ("unlisted", "jetson"):  # what these say is all that there is to do
        if reasons := [reason for one in judged for reason in obstacles(one) if reason.rule == alone]:
            return f"{reasons[0].because} {reasons[0].remedy}"
    step = next(filter(None, _ways(host, seen, recipes, wishes, judged)), "")
    if wishes.recipe is not None and judged:
        why = obstacles(judged[0])[0]
        step = f"{why.because} {why.remedy} {step}".replace("  ", " ").strip()
    as_it_is = _without_a_recipe(answers(seen, recipes, wishes))
    return " ".join(filter(None, (step, as_it_is))) or _nothing(seen, recipes, judged)


def _ways(
    host: Host, seen: Host, recipes: Sequence[Recipe], wishes: Wishes, judged: Sequence[Judgement]
) -> Iterator[str]:
    """Yield the ways to a recipe, the nearest first, "" for one that leads nowhere."""
    less = concession(seen, recipes, wishes)
    only_python = [one for one in judged if all(reason.rule == "python" for reason in obstacles(one))]
    yield " ".join(filter(None, (_by_steps(seen, only_python), less))) if less else ""
    yield _by_another_driver(seen, recipes, wishes)
    yield _by_steps(seen, judged)
    yield _one_kind_at_a_time(host, seen, recipes)


def _without_a_recipe(owed: Sequence[Answer]) -> str:
    """Return the official build that runs as things are, when no recipe has it."""
    build = next((one for one in owed if one.torch is not None), None)
    if build is None or build.recipe is not None:
        return ""
    return f"As it is, torch {build.torch} {build.tag} runs, and no recipe has it: {build.command}"


def _by_another_driver(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> str:
    found = lowest_driver(seen, recipes, wishes)
    if found is None:
        return ""
    version, recipe = found
    where = " in Windows; WSL uses that one" if seen.os.wsl else ""
    return f"{recipe} would run here. Install NVIDIA driver {version} or newer{where}."


def _by_steps(seen: Host, judged: Sequence[Judgement]) -> str:
    """Return the recipe with the fewest steps to it, where each of its obstacles has a way.

    Facts to be found out are nearer than things to be changed.
    """
    mendable = [one for one in _for_gpus(judged) if all(_has_way(seen, reason) for reason in obstacles(one))]
    if not mendable:
        return ""
    nearest = min(mendable, key=_steps)  # of equals the most wanted
    steps = dict.fromkeys(reason.remedy or reason.because for reason in obstacles(nearest))
    would = "would" if _steps(nearest)[0] else "may"
    return f"{nearest.recipe} {would} run here. {' '.join(steps)}"


def _steps(judgement: Judgement) -> tuple[int, int]:
    ways = obstacles(judgement)
    return sum(reason.verdict == "refused" for reason in ways), len(ways)


def _one_kind_at_a_time(host: Host, seen: Host, recipes: Sequence[Recipe]) -> str:
    """Return what each kind of card would run alone, and why nothing serves them together."""
    gpus = seen.gpus or ()
    kinds = {gpu.compute_capability: gpu for gpu in reversed(gpus)}
    if len(kinds) < 2:  # noqa: PLR2004 - a mix has at least two kinds
        return ""
    ways = []
    for gpu in sorted(kinds.values(), key=gpus.index):
        alone = runs(replace(seen, gpus=(gpu,), pci=None), recipes, ANYTHING)
        if alone is not None:
            ways.append(f"{card(gpu)} on {alone.name} (--gpus {_index(host, gpu)})")
    if not ways:
        return ""
    mix = _why_no_mix(seen, list(kinds.values()))
    return f"{mix}One kind at a time: {', '.join(ways)}."


def _why_no_mix(seen: Host, kinds: Sequence[Gpu]) -> str:
    """Return that no official wheel holds code for every kind, "" where one does."""
    by_kind = [(gpu, _cudas_with_code(seen, (gpu,))) for gpu in kinds]
    if any(not cudas for _, cudas in by_kind) or _cudas_with_code(seen, tuple(kinds)):
        return ""
    spans = [
        f"for {gpu.compute_capability} it is in those of CUDA {min(cudas)} to {max(cudas)}"
        for gpu, cudas in sorted(by_kind, key=lambda one: one[0].compute_capability or Version("0"))
    ]
    return f"No official wheel holds code for both: {', '.join(spans)}. "


def _cudas_with_code(seen: Host, gpus: tuple[Gpu, ...]) -> set[Version]:
    """Return the CUDA versions of the official builds whose code runs on `gpus`."""
    host = replace(seen, gpus=gpus, pci=None)
    return {
        build.cuda
        for build in official_builds(host)
        if build.cuda is not None
        and all(reason.verdict == "fits" for rule in (code, ptx) for reason in rule(host, build))
    }


def _nothing(seen: Host, recipes: Sequence[Recipe], judged: Sequence[Judgement]) -> str:
    first = next(iter(_for_gpus(judged)), None)
    reasons = [reason.because for reason in obstacles(first) if not _has_way(seen, reason)] if first else []
    if seen.gpus and (left := runs(replace(seen, gpus=(), pci=None), recipes, ANYTHING)):
        reasons.append(f"The CPU is left: --gpus none, with {left.name}.")
    return " ".join(reasons) or "Nothing that is known here helps."


def _for_gpus(judged: Sequence[Judgement]) -> list[Judgement]:
    return [one for one in judged if not any(reason.rule == "cpu" for reason in obstacles(one))]


def _has_way(seen: Host, reason: Reason) -> bool:
    """Return whether an obstacle can be got out of the way."""
    if reason.rule == "modules" and len({_modules_of(gpu) for gpu in seen.gpus or ()} - {None, "either"}) > 1:
        return False  # the modules that one card needs do not drive another one here
    return bool(reason.remedy) or reason.verdict == "unknown"


def _modules_of(gpu: Gpu) -> str | None:
    row = tables.capability_of(gpu.compute_capability) if gpu.compute_capability else None
    return row.modules if row is not None else None


def _index(host: Host, gpu: Gpu) -> int:
    if gpu.index is not None:
        return gpu.index
    return next(place for place, one in enumerate(host.gpus or ()) if one is gpu)
