"""What holds for every machine: made of the tables' cards and drivers, mixes and missing facts among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from envcheck.choice.candidates import can_run, judge_recipes, obstacles
from envcheck.choice.choose import choose
from envcheck.choice.fleet import choose_for_all
from envcheck.choice.gpus import narrow
from envcheck.compat import tables
from envcheck.compat.rules import judge
from envcheck.compat.verdict import join
from envcheck.host.facts import (
    Driver,
    Engine,
    Gpu,
    Host,
    Mig,
    MigInstance,
    OperatingSystem,
    PciDevice,
    Python,
)
from envcheck.recipes import load_recipes

RECIPES = load_recipes()
STEADY = settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# By age, so that neighbours make mixes for which there are builds: name, capability, brand.
CARDS = (
    *(
        (name, row.capability, "geforce" if line == "geforce" else "nvidia")
        for row in tables.gpus().capabilities
        for line, names in row.names.items()
        for name in names[:1]
    ),
    ("NVIDIA GH200 480GB", Version("9.0"), "nvidia"),
    ("card of tomorrow", Version("13.0"), "geforce"),
)
LINUX = tuple(
    Version(number)
    for number in (
        *("390.46", "418.87.00", "450.51.06", "450.80.02", "470.256.02", "510.108.03", "520.61.05", "524.99"),
        *("525.53", "525.60.13", "535.183.01", "550.54.15", "565.57.01", "570.26", "570.86.16", "575.64.05"),
        *("579.99", "580", "580.95.05", "590.48.01", "595.71.05", "610.43.02", "615", "700.1"),
    )
)
WINDOWS = tuple(
    Version(number)
    for number in (
        *("452.39", "472.50", "527.41", "528.24", "528.33", "560.94", "566.36", "572.16", "576.52", "579.99"),
        *("580.88", "581.57", "591.44", "616.41"),
    )
)

SLICE = MigInstance(memory_mib=9728)


def of_branch(version: Version) -> Driver:
    """A driver that says its version and the CUDA that it is."""
    branch = tables.branch_of(version)
    return Driver(version=version, cuda=branch.cuda if branch else None)


def system(**facts: Any) -> Callable[[Host], Host]:
    return lambda host: replace(host, os=replace(host.os, **facts))


def driver(**facts: Any) -> Callable[[Host], Host]:
    return lambda host: replace(host, driver=host.driver and replace(host.driver, **facts))


def card(place: int, **facts: Any) -> Callable[[Host], Host]:
    """Change the first or the last card."""

    def change(host: Host) -> Host:
        if not host.gpus:
            return host
        cards = list(host.gpus)
        cards[place] = replace(cards[place], **facts)
        return replace(host, gpus=tuple(cards))

    return change


def whole(**facts: Any) -> Callable[[Host], Host]:
    return lambda host: replace(host, **facts)


def not_said(fact: str, **others: Any) -> Callable[[Host], Host]:
    return lambda host: replace(host, unknown={**host.unknown, fact: "HANG"}, **others)


def musl(engines: tuple[Engine, ...] | None) -> Callable[[Host], Host]:
    return lambda host: not_said("os.glibc", os=replace(host.os, glibc=None), engines=engines)(host)


def hopper(name: str) -> Callable[[Host], Host]:
    """Change everything but the system: one Hopper, on proprietary modules."""
    address = "0000:00:00.0"
    gpu = Gpu(index=0, name=name, brand="nvidia", compute_capability=Version("9.0"), pci_address=address)
    return whole(driver=replace(of_branch(Version("580.95.05")), open_module=False), gpus=(gpu,))


def split(host: Host) -> Host:
    """Make one slice of each card."""
    return replace(host, gpus=host.gpus and tuple(replace(gpu, mig=MIG[2]) for gpu in host.gpus))


def with_pythons(*names: str) -> Callable[[Host], Host]:
    return whole(python=Python(interpreters=dict.fromkeys(names, "/usr/bin/python")))


MIG = (
    Mig(enabled=False, instances=()),
    Mig(enabled=True, instances=()),
    Mig(enabled=True, instances=(SLICE,)),
    Mig(enabled=True, instances=(SLICE, MigInstance(memory_mib=4864))),
    Mig(enabled=True),
    Mig(instances=()),
)
# What makes a machine odd, one at a time; most of those below have none to three.
ODDITIES = (
    *(system(machine=machine) for machine in ("aarch64", "aarch64", "ppc64le", None)),
    *(system(system=name) for name in ("Windows", None)),
    *(system(glibc=version and Version(version)) for version in ("2.17", "2.27", "2.28", None)),
    *(system(jetson=release) for release in ("36.4.3", "38.2", "Orin")),
    system(wsl=None),
    system(container="docker"),
    *(driver(libcuda=Version(cuda)) for cuda in ("11.8", "12.2", "12.9", "13.1")),
    *(driver(open_module=is_open) for is_open in (True, False)),
    driver(version=None),
    driver(cuda=None),
    driver(version=None, cuda=None),
    *(card(place, mig=mig) for place in (0, -1) for mig in MIG),
    *(card(place, brand=None) for place in (0, -1)),
    card(-1, compute_capability=None),
    *(hopper(name) for name in ("NVIDIA GH200 480GB", "NVIDIA H200")),
    *(with_pythons(*names) for names in (("3.6",), ("3.14",), ("3.10",), ())),
    *(whole(engines=engines) for engines in ((), (Engine("docker", gpu_mode="legacy"),))),
    whole(gpus=()),
    whole(gpus=None),
    whole(driver=None),
    split,
    not_said("driver", driver=None),
    not_said("gpus[0].mig"),
    *(musl(engines) for engines in (None, (), (Engine("docker"),))),
)


def cards_near(age: int, offsets: list[int]) -> tuple[Gpu, ...]:
    """Cards of about one age, as a driver would list them."""
    chosen = [CARDS[min(max(age + offset, 0), len(CARDS) - 1)] for offset in (0, *offsets)]
    return tuple(
        Gpu(
            index=index,
            name=name,
            brand=brand,
            compute_capability=capability,
            pci_address=f"0000:{index:02x}:00.0",
        )
        for index, (name, capability, brand) in enumerate(chosen)
    )


AGES = st.integers(0, len(CARDS) - 1)


@st.composite
def hosts(draw, *, odd: int = 3, least: int = 1):
    """A machine with cards and a driver that may or may not serve them, and up to `odd` oddities."""
    wsl = draw(st.sampled_from([False, False, False, True]))
    host = Host(
        os=OperatingSystem(system="Linux", machine="x86_64", glibc=Version("2.39"), wsl=wsl),
        driver=replace(
            of_branch(draw(st.sampled_from(WINDOWS if wsl else LINUX))),
            open_module=draw(st.sampled_from([None, None, True, False])),
        ),
        gpus=cards_near(draw(AGES), draw(st.lists(st.integers(-4, 4), min_size=least - 1, max_size=2))),
        python=Python(interpreters=dict.fromkeys(("3.10", "3.12"), "/usr/bin/python")),
    )
    for oddity in draw(st.lists(st.sampled_from(ODDITIES), max_size=odd)):
        host = oddity(host)
    return host


def running(host: Host) -> set[str]:
    """Return the recipes that nothing stands in the way of, on exactly these GPUs."""
    found = {one.recipe for one in judge_recipes(host, RECIPES) if can_run(one)}
    event(f"{len(found)} recipes run")
    return found


@STEADY
@given(hosts(odd=1), AGES, AGES)
def test_a_newer_driver_never_loses_a_fit_except_where_the_generation_ends(host, one, other):
    known = WINDOWS if host.os.wsl else LINUX
    older, newer = sorted((known[one % len(known)], known[other % len(known)]))
    after = replace(host, driver=of_branch(newer))
    lost = running(replace(host, driver=of_branch(older))) - running(after)
    for judged in judge_recipes(after, RECIPES):
        if judged.recipe in lost:
            assert {reason.rule for reason in obstacles(judged)} == {"generation"}
            rows = [tables.capability_of(gpu.compute_capability) for gpu in host.gpus]
            assert any(row.last_branch and tables.branch_of(newer).branch > row.last_branch for row in rows)


@settings(STEADY, max_examples=600)
@given(hosts(odd=1, least=2))
def test_adding_a_gpu_never_adds_a_fit(host):
    fewer = replace(host, gpus=host.gpus and host.gpus[:-1])
    assert running(host) <= running(fewer)


@settings(STEADY, max_examples=500)
@given(hosts(odd=1, least=2), st.permutations(range(3)), st.booleans())
def test_the_order_of_gpus_never_matters(host, order, is_split):
    host = split(host) if is_split else host
    cards = host.gpus or ()
    other = replace(host, gpus=host.gpus and tuple(cards[place] for place in order if place < len(cards)))
    assert running(other) == running(host)
    assert running(narrow(other, None)) == running(narrow(host, None))


def without_facts(host: Host) -> list[Host]:
    """Return the host with each fact unsaid, one at a time.

    Not among them are the facts that the driver's list of GPUs settles where nobody states them: what stands
    on the PCI bus, which modules are loaded, and that libcuda is the driver's own. Nor are the cards' names.
    """
    unsaid = [
        replace(host, os=replace(host.os, **{name: None})) for name in ("system", "machine", "glibc", "wsl")
    ]
    unsaid += [replace(host, engines=None), replace(host, python=Python())]
    unsaid += [
        replace(host, gpus=None),
        replace(host, driver=None, unknown={**host.unknown, "driver": "HANG"}),
    ]
    if host.driver is not None:
        unsaid += [replace(host, driver=replace(host.driver, **{name: None})) for name in ("version", "cuda")]
        unsaid += [replace(host, driver=replace(host.driver, version=None, cuda=None))]
    for place, gpu in enumerate(host.gpus or ()):
        blind = [replace(gpu, **{name: None}) for name in ("compute_capability", "brand")]
        if gpu.mig is not None:
            blind += [replace(gpu, mig=replace(gpu.mig, **{name: None})) for name in ("enabled", "instances")]
        unsaid += [replace(host, gpus=(*host.gpus[:place], one, *host.gpus[place + 1 :])) for one in blind]
    return unsaid


@STEADY
@given(hosts())
def test_a_fact_that_is_not_known_never_turns_refused_into_fits(host):
    before = {one.recipe: one.verdict for one in judge_recipes(host, RECIPES)}
    for blind in without_facts(host):
        for one in judge_recipes(blind, RECIPES):
            assert (before[one.recipe], one.verdict) != ("refused", "fits"), (one.recipe, blind)


@settings(STEADY, max_examples=150)
@given(hosts(odd=2), st.booleans())
def test_a_recipe_that_is_picked_is_refused_by_no_rule_and_is_the_newest_of_these(host, card_on_the_bus):
    if card_on_the_bus:
        host = replace(host, pci=(PciDevice("0000:ff:00.0", "10de", "2684", "nouveau"),))
    picked = choose(host, RECIPES).recipe
    assert picked is None or not card_on_the_bus
    seen = narrow(host, None)
    by_name = {recipe.name: recipe.on(host.os.machine) for recipe in RECIPES}
    free = []
    for recipe in by_name.values():
        reasons = judge(seen, recipe.build)
        if join(
            one for one in reasons if one.rule not in ("glibc", "python")
        ) == "fits" and "refused" not in {one.verdict for one in reasons}:
            free.append(recipe)
    if host.gpus == () and any(recipe.cuda is None for recipe in free):
        free = [recipe for recipe in free if recipe.cuda is None]
    newest = max(free, key=lambda recipe: (recipe.torch, recipe.cuda or Version("0")), default=None)
    assert picked == (newest.name if newest else None)
    assert picked is None or not host.gpus or by_name[picked].cuda is not None


@settings(STEADY, max_examples=40)
@given(hosts(odd=1))
def test_a_fleet_finds_for_each_host_what_the_host_alone_would_find(host):
    several = [host, *(oddity(host) for oddity in ODDITIES)]  # they differ by a fact
    with patch("envcheck.choice.fleet.way_out", return_value=""):  # slow, and not what is asked here
        fleet = choose_for_all(((str(place), one) for place, one in enumerate(several)), RECIPES)
    covered = {int(name): one.recipe for one in fleet.covered for name in one.hosts}
    lost = {int(name) for one in fleet.uncovered for name in one.hosts}
    assert sorted([*covered, *lost]) == list(range(len(several)))
    for place, one in enumerate(several):
        alone = running(narrow(one, None))
        assert covered[place] in alone if place in covered else not alone, one
