from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envcheck.choice.choose import choose
from envcheck.choice.drivers import lowest_driver
from envcheck.choice.wishes import Wishes
from envcheck.documents import read_json
from envcheck.host.facts import Driver, Host
from envcheck.recipes import load_recipes
from tests.compat.machines import H100, RTX_3090, RTX_5090, V100, machine

T4 = ("Tesla T4", "7.5")
RTX_4090 = ("NVIDIA GeForce RTX 4090", "8.9")


@pytest.fixture(scope="module")
def recipes():
    return load_recipes()


@pytest.fixture
def advice(recipes):
    return lambda host, **wishes: choose(host, recipes, Wishes(**wishes)).advice


@pytest.mark.parametrize(
    ("host", "driver"),
    [
        (machine(RTX_3090, driver="450.80.02"), "455.23.05"),  # CUDA 11 is served; R455 is its first branch
        (machine(RTX_4090, driver="515.65.01"), "520.61.05"),
        (machine(T4, driver="450.51.06"), "450.80.02"),
        (machine(H100, driver="520.61.05"), "525.60.13"),  # no recipe holds sm_90 for CUDA 11
        (machine(RTX_5090, driver="566.36", wsl=True), "570.65"),  # Windows numbers
    ],
)
def test_the_lowest_driver_is_the_lowest_with_which_a_recipe_runs(recipes, host, driver):
    version, recipe = lowest_driver(host, recipes, Wishes())
    assert version == Version(driver)
    assert choose(replace(host, driver=Driver(version=version)), recipes).recipe == recipe


def test_under_a_wish_it_is_the_lowest_for_what_was_wished(recipes):
    host = machine(RTX_4090, driver="515.65.01")
    version, recipe = lowest_driver(host, recipes, Wishes(cuda=SpecifierSet(">=12")))
    assert (version, recipe) == (Version("525.60.13"), "torch2.10-cu128")


def test_no_driver_mends_a_cuda_compat_on_the_path(recipes, root):
    host = read_json(root / "tests/hosts/rtx3090-compat-newer.json", Host)
    assert lowest_driver(host, recipes, Wishes()) is None
    assert (
        "library path" in choose(host, recipes).advice.lower()
        or "LD_LIBRARY_PATH" in choose(host, recipes).advice
    )


def test_the_fewest_wishes_that_are_in_the_way_are_named_together(advice):
    host = machine(RTX_3090, RTX_3090, driver="550.54.14", pythons=("3.11",))
    wishes = {"torch": SpecifierSet("==1.12.1"), "python": SpecifierSet("==3.8.*")}
    told = advice(host, **wishes)
    assert "Without the wish for torch ==1.12.1 and Python ==3.8.*, torch2.10-cu128 runs here." in told


def test_wishes_each_of_which_alone_is_in_the_way_are_told_as_a_choice(advice):
    host = machine(V100, driver="550.54.14")
    told = advice(host, torch=SpecifierSet("==2.0.*"), cuda=SpecifierSet("==12.8.*"))
    assert "ithout the wish for torch ==2.0.*, torch2.10-cu128 runs here" in told
    assert "without the wish for CUDA ==12.8.*, torch2.0-cu117 runs here" in told


def test_no_kernel_modules_are_advised_that_drop_another_card(advice):
    told = advice(machine(V100, RTX_5090, driver="580.65.06", open_module=True))
    assert "proprietary kernel modules" not in told
    assert "GeForce RTX 5090 on torch2.15-cu132 (--gpus 1)" in told


def test_a_jetson_before_its_time_is_sent_to_its_jetpack_and_nowhere_else(recipes, root):
    told = choose(read_json(root / "tests/hosts/jetson-orin.json", Host), recipes).advice
    assert "JetPack" in told
    assert "would run here" not in told


def test_what_needs_a_fact_is_nearer_than_what_needs_a_change(advice):
    # CUDA 12 would need another driver; for CUDA 11 this one may do, if it is 450.80.02 or newer.
    told = advice(replace(machine(T4), driver=Driver(cuda=Version("11.0"))))
    assert told.startswith("torch2.0-cu117 may run here.")
    assert "`driver.version`" in told


def test_a_command_that_makes_a_recipe_locks_it_for_a_python_that_is_here(recipes):
    host = machine(("NVIDIA GeForce GTX 1080 Ti", "6.1"), driver="580.65.06", pythons=("3.12",))
    (newest,) = choose(host, recipes).answers
    assert newest.command == "envcheck recipes add torch==2.14.1+cu126 --python 3.12"
    asked = Wishes(torch=SpecifierSet("==2.6.0"), requirements="their file.txt")
    exact = choose(host, recipes, asked).answers[0]
    assert exact.command == (
        "envcheck recipes add torch==2.6.0+cu126 --python 3.12 --requirements 'their file.txt'"
    )


def test_a_wish_for_a_python_that_is_not_here_is_not_met_by_another(recipes):
    host = machine(RTX_3090, driver="550.54.14", pythons=("3.10",))
    choice = choose(host, recipes, Wishes(python=SpecifierSet("==3.13.*")))
    assert choice.recipe is None
    assert choice.advice.startswith(
        "torch2.10-cu128 would run here. Install one: apt install python3.13-venv"
    )
    assert "Without the wish for Python ==3.13.*, torch2.10-cu128 runs here." in choice.advice


def test_a_wish_for_cuda_that_no_build_here_meets_is_answered(recipes):
    host = machine(("NVIDIA GeForce GTX 1080 Ti", "6.1"), driver="580.65.06")
    told = {one.kind: one for one in choose(host, recipes, Wishes(cuda=SpecifierSet("==13.*"))).answers}
    assert told["exact"].torch is None
    assert (str(told["nearest"].torch), told["nearest"].tag) == ("2.14.1", "cu126")


def test_builds_with_different_obstacles_are_told_apart(recipes):
    host = machine(("NVIDIA GeForce GTX 1080 Ti", "6.1"), RTX_5090, driver="580.65.06")
    (missing, *_) = choose(host, recipes, Wishes(torch=SpecifierSet("==2.7.1"))).answers
    assert "2.7.1 cu128: GeForce GTX 1080 Ti (6.1): no code" in missing.because
    assert "2.7.1 cu126: GeForce RTX 5090 (12.0): no code" in missing.because
