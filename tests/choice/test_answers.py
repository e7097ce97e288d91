from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.choice.answers import answers, in_words
from envcheck.choice.choose import choose
from envcheck.choice.wishes import Wishes
from envcheck.recipes import load_recipes
from tests.compat.machines import GTX_1080_TI, H100, K80, RTX_3090, RTX_5090, V100, machine


@pytest.fixture(scope="module")
def recipes():
    return load_recipes()


@pytest.fixture
def ask(recipes):
    def ask(host, torch="", **wishes):
        told = answers(host, recipes, Wishes(torch=SpecifierSet(torch), **wishes))
        return {one.kind: one for one in told}

    return ask


def build(answer):
    return None if answer.torch is None else f"{answer.torch} {answer.tag}"


def test_story_1_a_blackwell_cannot_run_torch_1_13_and_is_told_the_nearest_and_the_newest(ask):
    told = ask(machine(RTX_5090, driver="570.86.16", cuda="12.8"), "==1.13.*")
    assert {kind: build(one) for kind, one in told.items()} == {
        "exact": None,
        "nearest": "2.7.0 cu128",  # the first release with code for 12.0
        "newest": "2.11.0 cu128",  # the last one for a driver below 580
    }
    assert "no code" in told["exact"].because
    assert "cpu" not in told["exact"].because  # which nobody with a GPU asked for
    assert told["nearest"].command == "envcheck recipes add torch==2.7.0+cu128"


def test_story_3_the_newest_official_build_for_pascal_is_named_with_the_command_that_makes_its_recipe(ask):
    told = ask(machine(GTX_1080_TI, driver="580.65.06", cuda="13.0"))
    assert {kind: build(one) for kind, one in told.items()} == {"newest": "2.14.1 cu126"}
    assert told["newest"].command == "envcheck recipes add torch==2.14.1+cu126"


@pytest.mark.parametrize(
    ("card", "driver", "newest"),
    [
        (K80, "470.82.01", "2.7.1 cu118"),  # cu118 held sm_37 until 2.7
        (H100, "520.61.05", "2.7.1 cu118"),  # the last CUDA 11 build, with sm_90
        (V100, "580.65.06", "2.14.1 cu126"),
        (RTX_3090, "550.54.14", "2.14.1 cu126"),
        (RTX_3090, "580.65.06", "2.15.0 cu132"),
        (V100, "590.44.01", None),
        (K80, "535.104.05", None),
    ],
)
def test_without_a_wish_the_newest_official_build_is_what_is_owed(ask, card, driver, newest):
    told = ask(machine(card, driver=driver))
    assert [build(one) for one in told.values()] == ([newest] if newest else [])


def test_an_exact_build_needs_no_nearest_and_one_with_a_recipe_is_preferred(ask):
    told = ask(machine(RTX_3090, driver="580.65.06"), ">=2.9,<2.12")
    assert {kind: build(one) for kind, one in told.items()} == {
        "exact": "2.10.0 cu128",  # 2.11.0 is newer, but no recipe has it
        "newest": "2.15.0 cu132",
    }
    assert told["exact"].recipe == "torch2.10-cu128"
    assert told["exact"].command == "envcheck build torch2.10-cu128"


def test_of_two_releases_as_far_away_the_newer_one_is_nearer(ask):
    # CUDA 13 alone: before 2.9 there is none; a wish for the tag holds the release where it can.
    told = ask(machine(RTX_5090, driver="580.65.06"), "==2.6.0")
    assert build(told["nearest"]) == "2.7.0 cu128"
    assert told["nearest"].because == "1 release on"


def test_a_tag_that_does_not_run_keeps_the_release_and_changes_the_cuda(ask):
    told = ask(machine(GTX_1080_TI, driver="470.82.01"), "==2.6.0", tag="cu124")
    assert build(told["exact"]) is None
    assert "450" not in told["exact"].because
    assert build(told["nearest"]) == "2.6.0 cu118"
    assert told["nearest"].because == "the same release, with another CUDA"


def test_a_wish_for_cuda_alone_is_answered_by_the_newest_torch_that_has_it(ask):
    told = ask(machine(RTX_3090, driver="580.65.06"), cuda=SpecifierSet("==11.8.*"))
    assert build(told["exact"]) == "2.7.1 cu118"


def test_a_release_that_never_was_is_said_to_be_none(ask):
    told = ask(machine(RTX_3090, driver="580.65.06"), "==2.5.7")
    assert told["exact"].because == "There is no official build of torch ==2.5.7."
    assert told["nearest"].torch in (Version("2.5.1"), Version("2.6.0"))


def test_a_wish_for_a_python_holds_for_every_answer(ask):
    host = machine(RTX_3090, driver="580.65.06", pythons=("3.10", "3.12"))
    told = ask(host, python=SpecifierSet("==3.10.*"))
    assert build(told["newest"]) == "2.14.1 cu132"  # 2.15 begins with Python 3.11


def test_where_nothing_runs_only_the_reason_is_told(ask):
    told = ask(machine(V100, driver="590.44.01"), "==2.7.1")
    assert list(told) == ["exact"]
    assert "R580" in told["exact"].because


def test_a_choice_under_a_wish_takes_a_recipe_that_meets_it_or_none(recipes):
    host = machine(RTX_3090, driver="580.65.06")
    assert choose(host, recipes, Wishes(torch=SpecifierSet("==2.7.*"))).recipe == "torch2.7-cu126"
    assert choose(host, recipes, Wishes(cuda=SpecifierSet("<13"))).recipe == "torch2.10-cu128"
    none = choose(host, recipes, Wishes(torch=SpecifierSet("==2.4.*")))
    assert none.recipe is None
    assert (
        "torch 2.4.1 cu124 runs, and no recipe has it: envcheck recipes add torch==2.4.1+cu124" in none.advice
    )
    assert "without the wish for torch ==2.4.*" in none.advice.lower()


def test_a_wish_is_repeated_in_words():
    wishes = Wishes(torch=SpecifierSet("==1.13.1"), tag="cu117", python=SpecifierSet("==3.8.*"))
    assert in_words(wishes) == "torch ==1.13.1 cu117, Python ==3.8.*"
    assert in_words(Wishes()) == ""
