from __future__ import annotations

import json

import pytest
from packaging.specifiers import SpecifierSet

from envcheck.choice.builds import builds_for
from envcheck.choice.candidates import can_run
from envcheck.choice.wishes import Wishes
from envcheck.compat import tables
from envcheck.documents import to_json
from envcheck.recipes import load_recipes
from tests.compat.machines import GTX_1080_TI, K80, RTX_5090, V100, machine


@pytest.fixture(scope="module")
def recipes():
    return load_recipes()


@pytest.fixture
def judge(recipes):
    def judge(*hosts, **wishes):
        return builds_for([(f"host{n}", host) for n, host in enumerate(hosts)], recipes, Wishes(**wishes))

    return judge


def running(builds):
    return [f"{one.torch} {one.tag}" for one in builds.running]


def test_every_official_build_for_the_processor_is_judged_once(judge):
    builds = judge(machine(GTX_1080_TI, driver="580.65.06")).builds
    names = [(one.torch, one.tag) for one in builds]
    assert len(names) == len(set(names))
    assert set(names) == {(row.torch, row.tag) for row in tables.torch().builds}


def test_volta_and_blackwell_share_the_cuda_12_8_builds_that_hold_sm_70_and_sm_120(judge):
    # 2.7 dropped sm_70 from cu128, and 2.11 did again: what is between holds both.
    shared = running(judge(machine(V100, RTX_5090, driver="580.65.06")))
    assert shared[0] == "2.10.0 cu128"
    assert "2.7.1 cu128" not in shared
    assert not any("cu126" in name or "cu130" in name for name in shared)


def test_pascal_and_blackwell_share_no_build(judge):
    assert running(judge(machine(GTX_1080_TI, RTX_5090, driver="580.65.06"))) == []


def test_a_k80_ends_with_the_cuda_11_8_build_of_2_7(judge):
    assert running(judge(machine(K80, driver="470.82.01")))[0] == "2.7.1 cu118"


def test_the_cpu_builds_alone_run_without_a_driver(judge):
    assert {name.split()[1] for name in running(judge(machine()))} >= {"cpu"}
    assert running(judge(machine()))[0] == "2.15.0 cpu"


def test_wishes_narrow_what_is_shown(judge):
    builds = judge(
        machine(V100, driver="550.54.14"), torch=SpecifierSet("==2.0.*"), cuda=SpecifierSet("==11.8.*")
    )
    assert [(str(one.torch), one.tag) for one in builds.builds] == [("2.0.1", "cu118"), ("2.0.0", "cu118")]
    assert builds.wish == "torch ==2.0.*, CUDA ==11.8.*"


def test_several_hosts_are_served_by_what_serves_each(judge):
    old, new = machine(V100, driver="550.54.14"), machine(RTX_5090, driver="580.65.06")
    both = judge(old, new)
    assert set(running(both)) == set(running(judge(old))) & set(running(judge(new)))
    refused = next(one for one in both.builds if not can_run(one))
    assert all(reason.because.startswith(("host0: ", "host1: ")) for reason in refused.reasons)


def test_a_build_says_which_recipe_has_it(judge):
    known = {one.recipe: f"{one.torch} {one.tag}" for one in judge(machine()).builds if one.recipe}
    assert known["torch2.7-cu126"] == "2.7.1 cu126"
    assert known["cpu"] == "2.13.0 cpu"


def test_the_document_has_the_fixed_fields(judge):
    document = json.loads(to_json(judge(machine(V100, driver="550.54.14"))))
    assert document["schema"] == "envcheck.builds/1"
    assert {"torch", "cuda", "tag", "verdict", "reasons"} <= set(document["builds"][0])
