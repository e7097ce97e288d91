"""What can be chosen from, judged: recipes and official builds on one machine, the most wanted first.

The newest torch that fits every GPU in question is wanted most, ties by the newest CUDA. A machine without a
GPU wants what is made for the CPU; one that has GPUs never does, unless asked. What a rule says is not
repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from envcheck.choice.wishes import ANYTHING, Wishes
from envcheck.compat import tables
from envcheck.compat.rules import judge, reasons
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason, Verdict, join
from envcheck.host.facts import Host
from envcheck.recipes import MACHINE, Recipe

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
class BuildVerdict:
    """One official build on this machine."""

    torch: Version
    cuda: Version | None
    tag: str
    requirement: str  # "torch==2.0.1+cu118"
    pythons: tuple[str, ...]  # of its wheels
    recipe: str | None  # the recipe that has it
    verdict: Verdict
    reasons: tuple[Reason, ...]

    @property
    def name(self) -> str:
        """The build as people call it: "2.0.1 cu118"."""
        return f"{self.torch} {self.tag}"


def judge_recipes(host: Host, recipes: Sequence[Recipe], wishes: Wishes = ANYTHING) -> tuple[Judgement, ...]:
    """Return the verdict on every recipe for a narrowed host, the most wanted first.

    A wish for a Python narrows what each is asked about: the others do not matter then.
    """
    seen = [recipe.on(host.os.machine) for recipe in recipes]
    order = sorted(seen, key=lambda recipe: (*_preference(host, recipe.build), recipe.name), reverse=True)
    return tuple(_judged(host, recipe, wishes) for recipe in order)


def judge_builds(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> Iterator[BuildVerdict]:
    """Yield the verdict on every official build for a narrowed host, the most wanted first.

    A wish for a Python narrows what each is asked about, as with recipes; other wishes are not asked here.
    """
    by_build = _recipes_by_build(host, recipes)
    for build in _most_wanted(host, official_builds(host)):
        yield _verdict(build, by_build, judge(host, _for_python(build, wishes)))


def newest_build(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> BuildVerdict | None:
    """Return the most wanted official build that runs, None where none does; what stops one is not told.

    As `judge_builds`, but each build is judged up to its first obstacle only.
    """
    for build in _most_wanted(host, official_builds(host)):
        asked = _for_python(build, wishes)
        if not any(_is_obstacle(reason) for reason in reasons(host, asked)):
            return _verdict(build, _recipes_by_build(host, recipes), judge(host, asked))
    return None


def official_builds(host: Host) -> Iterable[Build]:
    """Return each official build once: the wheels for this machine's processor, or what there is else."""
    machine = host.os.machine or MACHINE
    rows: dict[tuple[Version, str], Build] = {}
    for build in tables.torch().builds:
        key = (build.torch, build.tag)
        if key not in rows or machine in build.machines:
            rows[key] = build
    return rows.values()


def obstacles(judged: Judgement | BuildVerdict) -> tuple[Reason, ...]:
    """Return the reasons that are in the way of running; an unknown userland is left to the container."""
    return tuple(reason for reason in judged.reasons if _is_obstacle(reason))


def can_run(judged: Judgement | BuildVerdict) -> bool:
    """Tell whether nothing is in the way."""
    return not obstacles(judged)


def asks_for(wishes: Wishes, build: Build | BuildVerdict) -> bool:
    """Tell whether a build is among what the wishes for torch, its tag and CUDA allow."""
    if wishes.tag is not None and wishes.tag != build.tag:
        return False
    if not wishes.torch.contains(build.torch, prereleases=True):
        return False
    return not wishes.cuda or (build.cuda is not None and wishes.cuda.contains(build.cuda, prereleases=True))


def serves(wishes: Wishes, recipe: Recipe) -> bool:
    """Tell whether a recipe is among what was wished for."""
    if wishes.recipe is not None and wishes.recipe != recipe.name:
        return False
    return asks_for(wishes, recipe.build) and bool(pythons_for(wishes, recipe.pythons))


def pythons_for(wishes: Wishes, pythons: Iterable[str]) -> tuple[str, ...]:
    """Return those of `pythons` ("3.11") that are wished for; a free-threaded one ("3.13t") never is."""
    return tuple(python for python in pythons if _is_wished(wishes, python))


def runs(host: Host, recipes: Sequence[Recipe], wishes: Wishes) -> Recipe | None:
    """Return the most wanted recipe that runs on a narrowed host, None where none does."""
    machine = host.os.machine
    asked = [recipe.on(machine) for recipe in recipes if serves(wishes, recipe.on(machine))]
    for recipe in sorted(asked, key=lambda one: (*_preference(host, one.build), one.name), reverse=True):
        if not any(_is_obstacle(reason) for reason in reasons(host, _for_python(recipe.build, wishes))):
            return recipe
    return None


def _judged(host: Host, recipe: Recipe, wishes: Wishes) -> Judgement:
    said = judge(host, _for_python(recipe.build, wishes))
    return Judgement(recipe.name, join(said), said)


def _is_obstacle(reason: Reason) -> bool:
    if reason.verdict == "unknown":
        return reason.rule not in _SETTLED_BY_CONTAINER
    return reason.verdict == "refused"


def _most_wanted(host: Host, builds: Iterable[Build]) -> list[Build]:
    return sorted(builds, key=lambda build: _preference(host, build), reverse=True)


def _recipes_by_build(host: Host, recipes: Sequence[Recipe]) -> dict[tuple[Version, str], str]:
    machine = host.os.machine or MACHINE
    here = [recipe for recipe in reversed(recipes) if recipe.on(machine).machine == machine]
    return {(recipe.torch, recipe.tag): recipe.name for recipe in here}


def _verdict(
    build: Build, by_build: dict[tuple[Version, str], str], said: tuple[Reason, ...]
) -> BuildVerdict:
    return BuildVerdict(
        torch=build.torch,
        cuda=build.cuda,
        tag=build.tag,
        requirement=build.requirement,
        pythons=build.pythons,
        recipe=by_build.get((build.torch, build.tag)),
        verdict=join(said),
        reasons=said,
    )


def _preference(host: Host, build: Build) -> tuple[bool, Version, Version]:
    """Return what is compared: torch, then CUDA; without a GPU, what is made for the CPU leads."""
    return (build.cuda is None and host.gpus == (), build.torch, build.cuda or _NO_CUDA)


def _for_python(build: Build, wishes: Wishes) -> Build:
    return replace(build, pythons=pythons_for(wishes, build.pythons)) if wishes.python else build


def _is_wished(wishes: Wishes, python: str) -> bool:
    try:
        return wishes.python.contains(Version(python), prereleases=True)
    except InvalidVersion:
        return False
