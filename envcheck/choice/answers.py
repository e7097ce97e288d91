"""What is owed to a wish: the official builds that meet it exactly, that come nearest, that are newest.

The distance from a wish is counted in releases of torch, then in CUDA versions: who pins a release had a
reason, and the fewer releases lie between, the less has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

from envcheck.choice.candidates import BuildVerdict, asks_for, can_run, judge_builds, obstacles
from envcheck.choice.wishes import Wishes
from envcheck.compat import tables
from envcheck.host.facts import Host
from envcheck.recipes import MACHINE, Recipe

# More builds than these are counted, not named.
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the three answers. Without a `torch` there is no such build, and `because` says why."""

    kind: Literal["exact", "nearest", "newest"]
    torch: Version | None = None
    tag: str | None = None
    recipe: str | None = None  # the recipe that has the build
    command: str = ""  # what gets it
    because: str = ""


def answers(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> tuple[Answer, ...]:
    """Return exact, nearest (where nothing is exact) and newest for a narrowed host.

    A wish for a Python holds for all three: it is a fact of the environment, not a preference for a build.
    """
    every = judge_builds(host, recipes, python=wishes)
    if not (wishes.torch or wishes.cuda or wishes.tag):
        first = next((one for one in every if can_run(one)), None)
        return () if first is None else (_answer(host, "newest", first),)
    judged = tuple(every)
    running = [one for one in judged if can_run(one)]
    newest = [_answer(host, "newest", running[0])] if running else []
    exact = [one for one in running if asks_for(wishes, one)]
    if exact:
        best = next((one for one in exact if one.recipe), exact[0])
        return (_answer(host, "exact", best), *newest)
    asked = [one for one in judged if asks_for(wishes, one)]
    missing = Answer(kind="exact", because=_why_none(asked, wishes))
    if not running:
        return (missing,)
    near = min(running, key=lambda one: _distance(wishes, one))  # of equals the most wanted
    return (missing, _answer(host, "nearest", near, _distance_in_words(wishes, near)), *newest)


def _answer(
    host: Host, kind: Literal["exact", "nearest", "newest"], build: BuildVerdict, because: str = ""
) -> Answer:
    command = f"envcheck build {build.recipe}"
    if build.recipe is None:
        other = f" --machine {host.os.machine}" if host.os.machine not in (None, MACHINE) else ""
        command = f"envcheck recipes add {build.requirement}{other}"
    return Answer(
        kind=kind, torch=build.torch, tag=build.tag, recipe=build.recipe, command=command, because=because
    )


def _why_none(asked: Sequence[BuildVerdict], wishes: Wishes) -> str:
    """Return why none of the builds that were asked for runs: the newest one's first obstacle speaks."""
    if not asked:
        return f"There is no official build of {in_words(wishes)}."
    for_gpus = [one for one in asked if not any(reason.rule == "cpu" for reason in obstacles(one))]
    asked = for_gpus or asked
    more = f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
    names = ", ".join(one.name for one in asked[:_SHOWN])
    return f"{names}{more}: {obstacles(asked[0])[0].because}"


def in_words(wishes: Wishes) -> str:
    """Return what was wished for in a phrase: "torch ==1.13.*, CUDA <12"."""
    torch = " ".join(filter(None, (str(wishes.torch), wishes.tag)))
    named = (("torch", torch), ("CUDA", str(wishes.cuda)), ("Python", str(wishes.python)))
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
    nearest = min(wanted, key=lambda index: abs(index - place), default=_end(wishes, releases))
    return place - nearest


def _end(wishes: Wishes, releases: Sequence[Version]) -> int:
    """Return the place among the releases where a wish for one that does not exist would stand."""
    pins = [Version(one.version.removesuffix(".*")) for one in wishes.torch]
    return min(sum(1 for release in releases if release < min(pins)), len(releases) - 1)


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
