"""One recipe for many machines: the one that runs on all of them, else the smallest set that covers all.

Machines that no rule can tell apart are judged once, so a hundred thousand cost as much as the few thousand
kinds among them. The machines stream through; what is kept of each is its name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from packaging.version import Version

from envcheck.choice.answers import in_words
from envcheck.choice.candidates import Judgement, can_run, judge_recipes, obstacles, serves
from envcheck.choice.gpus import narrow
from envcheck.choice.way_out import way_out
from envcheck.choice.wishes import ANYTHING, Wishes
from envcheck.compat.rules.devices import unlisted_cards
from envcheck.compat.rules.system import host_pythons
from envcheck.compat.verdict import Reason
from envcheck.host.facts import Gpu, Host
from envcheck.recipes import Recipe

SCHEMA = "envcheck.fleet/1"

# Of a GPU, rules read what it is; how it fares at the moment differs from host to host and decides nothing.
_HOW_IT_FARES = re.compile(r"gpus\[\d+\]\.(?!(uuid|name|brand|compute_capability|pci_address|mig)\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One recipe of the set, and the machines that it is for."""

    recipe: str
    torch: Version
    cuda: Version | None
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """Machines on which no recipe runs, and the one way out of all."""

    advice: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The document `envcheck.fleet/1`."""

    schema: str = SCHEMA
    hosts: int
    kinds: int  # among the hosts, as the rules tell them apart
    wish: str
    covered: tuple[Covered, ...]  # the most wanted recipe first
    uncovered: tuple[Uncovered, ...]  # the largest group first


@dataclass(slots=True)
class _Kind:
    """Machines that no rule tells apart: one that stands for them, and the names of all."""

    host: Host
    names: list[str] = field(default_factory=list)


def choose_for_all(
    hosts: Iterable[tuple[str, Host]], recipes: Sequence[Recipe], wishes: Wishes = ANYTHING
) -> Fleet:
    """Return the smallest set of recipes that covers all `hosts`, which are named; of equals the newest."""
    kinds = _kinds(hosts)
    wanted = tuple(recipe for recipe in recipes if serves(wishes, recipe))
    covered: dict[frozenset[str], list[_Kind]] = {}
    lost: dict[Hashable, list[_Kind]] = {}
    for kind in kinds:
        judged = judge_recipes(narrow(kind.host, wishes.gpus), wanted, wishes)
        running = frozenset(one.recipe for one in judged if can_run(one))
        if running:
            covered.setdefault(running, []).append(kind)
        else:
            lost.setdefault(_what_is_wrong(kind.host, judged), []).append(kind)
    order = sorted(wanted, key=lambda recipe: (recipe.torch, recipe.cuda or Version("0")), reverse=True)
    return Fleet(
        hosts=sum(len(kind.names) for kind in kinds),
        kinds=len(kinds),
        wish=in_words(wishes),
        covered=tuple(_covered(covered, _smallest_cover(covered, order))),
        uncovered=_uncovered(lost.values(), recipes, wishes),
    )


def _kinds(hosts: Iterable[tuple[str, Host]]) -> tuple[_Kind, ...]:
    kinds: dict[Hashable, _Kind] = {}
    for name, host in hosts:
        key = _told_apart_by(host)
        if key not in kinds:
            kinds[key] = _Kind(_standing_for_all(host))
        kinds[key].names.append(name)
    return tuple(kinds.values())


def _smallest_cover(runs_on: Collection[frozenset[str]], order: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the fewest recipes of which each set has one: tried by size, so it is exact.

    Among covers of one size the first in `order`, the most wanted, is taken. With a dozen recipes that is
    thousands of trials, not millions.
    """
    for size in range(len(order) + 1):
        for some in combinations(order, size):
            names = {recipe.name for recipe in some}
            if all(names & one for one in runs_on):
                return some
    raise AssertionError("every set holds a recipe of `order`")


def _covered(by_recipes: dict[frozenset[str], list[_Kind]], cover: Sequence[Recipe]) -> Iterable[Covered]:
    """Yield each recipe of the cover with the machines for which it is the most wanted one."""
    for index, recipe in enumerate(cover):
        better = {one.name for one in cover[:index]}
        names = [
            name
            for running, kinds in by_recipes.items()
            if recipe.name in running and not better & running
            for kind in kinds
            for name in kind.names
        ]
        if names:
            yield Covered(recipe=recipe.name, torch=recipe.torch, cuda=recipe.cuda, hosts=tuple(names))


def _uncovered(
    lost: Iterable[Sequence[_Kind]], recipes: Sequence[Recipe], wishes: Wishes
) -> tuple[Uncovered, ...]:
    """Return the groups of which the same is wrong, each with the way out of its first machine."""
    groups: dict[str, list[str]] = {}
    for kinds in lost:
        host = kinds[0].host
        seen = narrow(host, wishes.gpus)
        advice = way_out(host, seen, recipes, wishes)
        groups.setdefault(advice, []).extend(name for kind in kinds for name in kind.names)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(Uncovered(advice=advice, hosts=tuple(names)) for advice, names in ordered)


def _what_is_wrong(host: Host, judged: Sequence[Judgement]) -> Hashable:
    """Return what is in the way of each recipe and what helps, without this machine's own numbers."""
    gpus = frozenset(gpu.compute_capability for gpu in host.gpus or ())
    return gpus, tuple(
        (one.recipe, *((reason.rule, _of_one_machine(reason), reason.remedy) for reason in obstacles(one)))
        for one in judged
    )


def _of_one_machine(reason: Reason) -> str:
    """Return the sentence of a reason that the way out repeats as it is."""
    return reason.because if reason.rule in ("unlisted", "jetson") or not reason.remedy else ""


def _standing_for_all(host: Host) -> Host:
    """Return the host with one card of each kind: more of them lengthen sentences and change no verdict."""
    gpus = host.gpus or ()
    split = any(gpu.mig and gpu.mig.enabled is not False for gpu in gpus)
    # What is not known stands under a card's place: gpus[1].mig.
    is_open = any(fact.startswith("gpus[") for fact in _open_questions(host))
    if not gpus or split or is_open or unlisted_cards(host):
        return host
    kinds = {_kind_of(gpu): gpu for gpu in reversed(gpus)}
    return replace(host, gpus=tuple(reversed(kinds.values())), pci=None)


def _told_apart_by(host: Host) -> Hashable:
    """Return every fact that a rule reads: where it is equal, every recipe gets the same verdict.

    How many cards of a kind there are lengthens sentences and changes no verdict.
    """
    system, driver = host.os, host.driver
    return (
        (system.system, system.machine, system.glibc, system.wsl, system.jetson, system.container),
        driver and (driver.version, driver.cuda, driver.libcuda, driver.module_version, driver.open_module),
        host.gpus and frozenset(map(_kind_of, host.gpus)),
        unlisted_cards(host) if host.pci else (),
        (host_pythons(host), tuple(host.python.incomplete)),
        host.engines == (),
        frozenset(engine.gpu_request for engine in host.engines or ()),
        _open_questions(host),
    )


def _open_questions(host: Host) -> frozenset[str]:
    """Return the facts that are not known, of those that a rule may ask for."""
    return frozenset(fact for fact in host.unknown if not _HOW_IT_FARES.match(fact))


def _kind_of(gpu: Gpu) -> Hashable:
    return gpu.compute_capability, gpu.name, gpu.brand, gpu.mig
