from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.choice.candidates import can_run, judge_recipes
from envcheck.choice.choose import choose
from envcheck.choice.fleet import choose_for_all
from envcheck.choice.wishes import Wishes
from envcheck.host.facts import Mig, MigInstance, PciDevice, Python
from envcheck.recipes import load_recipes
from tests.compat.machines import GTX_1080_TI, H100, K80, RTX_3090, RTX_5090, V100, machine


@pytest.fixture(scope="module")
def recipes():
    return load_recipes()


def named(*hosts):
    return [(f"host{number}", host) for number, host in enumerate(hosts)]


def test_one_recipe_that_runs_on_all_is_taken_though_each_could_have_a_newer_one(recipes):
    # Alone, the 5090 on 580 would take CUDA 13.
    fleet = choose_for_all(
        named(machine(V100, driver="580.65.06"), machine(RTX_5090, driver="580.65.06")), recipes
    )
    assert [(one.recipe, one.hosts) for one in fleet.covered] == [("torch2.10-cu128", ("host0", "host1"))]
    assert fleet.uncovered == ()


def test_else_the_fewest_recipes_cover_all_and_each_host_gets_the_newest_of_them(recipes):
    hosts = named(
        machine(K80, driver="470.82.01"),
        machine(GTX_1080_TI, driver="580.65.06"),
        machine(RTX_3090, driver="580.65.06"),
        machine(RTX_5090, driver="570.86.16"),
    )
    fleet = choose_for_all(hosts, recipes)
    covered = {one.recipe: one.hosts for one in fleet.covered}
    # Kepler needs CUDA 11, which serves Pascal and Ampere as well; Blackwell on 570 has one recipe only.
    assert covered["torch2.10-cu128"] == ("host2", "host3")
    assert len(covered) == 2
    (old,) = set(covered) - {"torch2.10-cu128"}
    assert covered[old] == ("host0", "host1")


def test_the_cover_is_the_smallest_there_is(recipes):
    hosts = [
        machine(card, driver=driver)
        for card in (K80, GTX_1080_TI, V100, RTX_3090, H100, RTX_5090)
        for driver in ("450.80.02", "470.82.01", "535.104.05", "570.86.16", "580.65.06")
    ]
    fleet = choose_for_all(named(*hosts), recipes)
    runs_on = [{one.recipe for one in judge_recipes(host, recipes) if can_run(one)} for host in hosts]
    covered = [one for one in runs_on if one]
    names = [recipe.name for recipe in recipes]
    fewest = next(
        size
        for size in range(len(names) + 1)
        if any(all(set(some) & one for one in covered) for some in combinations(names, size))
    )
    assert len(fleet.covered) == fewest
    assert sum(len(one.hosts) for one in fleet.covered) == len(covered)


def test_hosts_that_nothing_covers_are_named_with_the_way_out(recipes):
    fleet = choose_for_all(
        named(machine(RTX_3090, driver="580.65.06"), machine(K80, driver="535.104.05")), recipes
    )
    (lost,) = fleet.uncovered
    assert lost.hosts == ("host1",)
    assert "R470" in lost.advice
    assert [one.hosts for one in fleet.covered] == [("host0",)]


def test_hosts_that_no_rule_tells_apart_are_one_kind(recipes):
    one = machine(RTX_3090, driver="550.54.14")
    other = machine(RTX_3090, RTX_3090, driver="550.54.14")
    another = replace(one, gpus=(replace(one.gpus[0], uuid="GPU-ffffffff", memory_mib=24576),))
    assert choose_for_all(named(one, other, another), recipes).kinds == 1


def test_how_a_gpu_fares_tells_no_hosts_apart_and_what_it_is_does(recipes):
    one = machine(RTX_3090, driver="550.54.14")
    hot = replace(one, unknown={"gpus[0].processes[0].state": "NOT_SEEN", "gpus[0].memory_health.ecc": "X"})
    split = replace(one, unknown={"gpus[0].mig": "NO_PERMISSION"})
    assert choose_for_all(named(one, hot), recipes).kinds == 1
    assert choose_for_all(named(one, split), recipes).kinds == 2
    # Two cards of a kind are judged as one, though one of them does not tell how it fares.
    pair = machine(RTX_3090, RTX_3090, driver="550.54.14")
    assert choose_for_all(named(pair, replace(pair, unknown=hot.unknown)), recipes).kinds == 1


@pytest.mark.parametrize(
    "change",
    [
        {"driver": "580.65.06"},
        {"pythons": ("3.10",)},
        {"glibc": "2.17"},
        {"cpu": "aarch64"},
        {"wsl": True},
    ],
    ids=str,
)
def test_what_a_rule_reads_tells_hosts_apart(recipes, change):
    base = {"driver": "550.54.14"}
    hosts = named(machine(RTX_3090, **base), machine(RTX_3090, **{**base, **change}))
    assert choose_for_all(hosts, recipes).kinds == 2


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": {"driver": "nobody asked"}, "driver": None},
        {
            "pci": (
                PciDevice("0000:01:00.0", "10de", "2204", "nvidia"),
                PciDevice("0000:99:00.0", driver="nouveau"),
            )
        },
        {"engines": ()},
        {"python": Python(interpreters={}, incomplete={"3.11": "/usr/bin/python3.11"})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_so_do_the_facts_that_are_rarely_read(recipes, change):
    base = machine(RTX_3090, driver="550.54.14", pci=())
    if "driver" in change:
        base = replace(base, driver=None)
    assert choose_for_all(named(base, replace(base, **change)), recipes).kinds == 2


def test_the_largest_group_that_nothing_covers_is_told_first(recipes):
    one, two = machine(K80, driver="535.104.05"), machine(V100, driver="590.44.01")
    other = machine(V100, driver="595.71.05")
    fleet = choose_for_all(named(one, two, other), recipes)
    assert [group.hosts for group in fleet.uncovered] == [("host1", "host2"), ("host0",)]


def test_slices_tell_hosts_apart(recipes):
    one = machine(H100, driver="550.54.14")
    slices = Mig(enabled=True, instances=(MigInstance("MIG-1"),))
    split = replace(one, gpus=(replace(one.gpus[0], mig=slices),))
    empty = replace(one, gpus=(replace(one.gpus[0], mig=Mig(enabled=True, instances=())),))
    assert choose_for_all(named(one, split, empty), recipes).kinds == 3


def test_each_host_of_a_fleet_runs_what_it_is_given_as_if_it_were_alone(recipes):
    hosts = [
        machine(*cards, driver=driver, pythons=pythons, glibc=glibc)
        for cards in ((K80,), (GTX_1080_TI, V100), (RTX_3090,), (RTX_5090, H100), ())
        for driver in ("470.82.01", "550.54.14", "580.65.06")
        for pythons in (("3.10",), ("3.11", "3.12"), ("3.9",))
        for glibc in ("2.17", "2.35")
    ]
    fleet = choose_for_all(named(*hosts), recipes)
    given = {name: one.recipe for one in fleet.covered for name in one.hosts}
    for name, host in named(*hosts):
        running = {one.recipe for one in judge_recipes(host, recipes) if can_run(one)}
        assert (given[name] in running) if name in given else not running
        assert (choose(host, recipes).recipe is None) == (name not in given)


def test_a_wish_binds_the_whole_fleet(recipes):
    hosts = named(machine(RTX_3090, driver="580.65.06"), machine(RTX_5090, driver="580.65.06"))
    fleet = choose_for_all(hosts, recipes, Wishes(cuda=SpecifierSet("<13")))
    assert [one.recipe for one in fleet.covered] == ["torch2.10-cu128"]
    assert fleet.wish == "CUDA <13"
    assert fleet.covered[0].torch == Version("2.10.0")


def test_no_hosts_need_no_recipe(recipes):
    fleet = choose_for_all([], recipes)
    assert (fleet.hosts, fleet.covered, fleet.uncovered) == (0, (), ())
