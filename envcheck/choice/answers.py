"""What is owed to a wish: the official builds that meet it exactly, that come nearest, that are newest.

The distance from a wish is counted in releases of torch, then in CUDA versions: who pins a release had a
reason, and the fewer releases lie between, the less has changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.choice.candidates import (
    BuildVerdict,
    asks_for,
    can_run,
    judge_builds,
    newest_build,
    obstacles,
    pythons_for,
)
from envcheck.choice.wishes import Wishes
from envcheck.compat import tables
from envcheck.compat.rules.system import host_pythons
from envcheck.host.facts import Host
from envcheck.recipes import CONTAINER_PYTHON, MACHINE, Recipe

AnswerKind = Literal["exact", "nearest", "newest"]

# More builds than these are counted, not named; more reasons are not told.
_SHOWN, _TOLD = 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the three answers. Without a `torch` there is no such build, and `because` says why."""

    kind: AnswerKind
    torch: Version | None = None
    tag: str | None = None
    recipe: str | None = None  # the recipe that has the build
    command: str = ""  # what gets it
    because: str = ""


def answers(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> tuple[Answer, ...]:
    """Return exact, nearest (where nothing is exact) and newest for a narrowed host.

    A wish for a Python holds for all three: it is a fact of the environment, not a preference for a build.
    """
    if not (wishes.torch or wishes.cuda or wishes.tag):
        first = newest_build(host, recipes, wishes)
        return () if first is None else (_answer(host, wishes, "newest", first),)
    judged = tuple(judge_builds(host, recipes, wishes))
    running = [one for one in judged if can_run(one)]
    newest = [_answer(host, wishes, "newest", running[0])] if running else []
    exact = [one for one in running if asks_for(wishes, one)]
    if exact:
        best = next((one for one in exact if one.recipe), exact[0])
        return (_answer(host, wishes, "exact", best), *newest)
    missing = Answer(
        kind="exact", because=_why_none([one for one in judged if asks_for(wishes, one)], wishes)
    )
    if running:
        near = min(running, key=lambda one: _distance(wishes, one))  # of equals the most wanted
        nearest = _answer(host, wishes, "nearest", near, _distance_in_words(wishes, near))
        return (missing, nearest, *newest)
    if not wishes.python:
        return (missing,)
    others = answers(host, recipes, replace(wishes, python=SpecifierSet()))
    return (missing, *(_on_another_python(one) for one in others if one.torch is not None))


def _on_another_python(answer: Answer) -> Answer:
    """Return an answer that holds where the wish for a Python is given up; what was exact is near then."""
    kind: AnswerKind = "nearest" if answer.kind == "exact" else answer.kind
    because = ", ".join(filter(None, (answer.because, "with another Python")))
    return replace(answer, kind=kind, because=because)


def _answer(host: Host, wishes: Wishes, kind: AnswerKind, build: BuildVerdict, because: str = "") -> Answer:
    command = f"envcheck build {build.recipe}" if build.recipe else _add(host, wishes, build)
    return Answer(
        kind=kind, torch=build.torch, tag=build.tag, recipe=build.recipe, command=command, because=because
    )


def _add(host: Host, wishes: Wishes, build: BuildVerdict) -> str:
    """Return the command that makes a recipe of a build which this machine can use."""
    words = ["envcheck", "recipes", "add", build.requirement]
    if host.os.machine not in (None, MACHINE):
        words += ["--machine", str(host.os.machine)]
    found = host_pythons(host)
    served = [python for python in pythons_for(wishes, build.pythons) if found is None or python in found]
    if served and CONTAINER_PYTHON not in served:
        words += ["--python", max(served, key=Version)]
    if wishes.requirements is not None:
        words += ["--requirements", wishes.requirements]
    return shlex.join(words)


def _why_none(asked: Sequence[BuildVerdict], wishes: Wishes) -> str:
    """Return why none of the builds that were asked for runs, those with the same first obstacle together."""
    if not asked:
        return f"There is no official build of {in_words(wishes)}."
    # What is for this machine's GPUs speaks; the rest only where there is nothing of that kind.
    here = [one for one in asked if obstacles(one)[0].rule not in ("cpu", "platform")]
    groups: dict[str, list[str]] = {}
    for one in here or asked:
        first = obstacles(one)[0]
        groups.setdefault(f"{first.because} {first.remedy}".strip(), []).append(one.name)
    told = [f"{_named(names)}: {because}" for because, names in groups.items()]
    more = f" And {len(told) - _TOLD} more reasons." if len(told) > _TOLD else ""
    return f"{' '.join(told[:_TOLD])}{more}"


def _named(builds: Sequence[str]) -> str:
    more = f" and {len(builds) - _SHOWN} more" if len(builds) > _SHOWN else ""
    return f"{', '.join(builds[:_SHOWN])}{more}"


def in_words(wishes: Wishes) -> str:
    """Return what was wished for in a phrase: "torch ==1.13.*, CUDA <12"."""
    torch = " ".join(filter(None, (str(wishes.torch), wishes.tag)))
    named = (
        ("recipe", wishes.recipe),
        ("torch", torch),
        ("CUDA", str(wishes.cuda)),
        ("Python", str(wishes.python)),
    )
    return ", ".join(f"{name} {wish}" for name, wish in named if wish)


def _distance(wishes: Wishes, build: BuildVerdict) -> tuple[int, int, bool]:
    return (
        abs(_releases_between(wishes, build)),
        _toolkits_between(wishes, build),
        _releases_between(wishes, build) < 0,
    )


def _releases_between(wishes: Wishes, build: BuildVerdict) -> int:
    """Return how many releases a build lies after what was wished for, negative when before."""
    releases = sorted({row.torch for row in tables.torch().builds})
    wanted = [index for index, one in enumerate(releases) if wishes.torch.contains(one, prereleases=True)]
    place = releases.index(build.torch)
    if wanted:
        return place - min(wanted, key=lambda index: abs(index - place))
    # A release that never was: where it would stand among the others.
    pins = [Version(one.version.removesuffix(".*")) for one in wishes.torch]
    before = sum(1 for release in releases if release < min(pins))
    return place - min(before, len(releases) - 1)


def _toolkits_between(wishes: Wishes, build: BuildVerdict) -> int:
    cudas = sorted({row.cuda for row in tables.torch().builds if row.cuda is not None})
    wanted = [
        index
        for index, one in enumerate(cudas)
        if wishes.cuda.contains(one, prereleases=True) and wishes.tag in (None, f"cu{one.major}{one.minor}")
    ]
    if build.cuda is None or not wanted:
        return len(cudas)
    place = cudas.index(build.cuda)
    return min(abs(place - index) for index in wanted)


def _distance_in_words(wishes: Wishes, build: BuildVerdict) -> str:
    between = _releases_between(wishes, build)
    if between == 0:
        return "the same release, with another CUDA"
    return f"{abs(between)} release{'s' if abs(between) > 1 else ''} {'on' if between > 0 else 'back'}"
