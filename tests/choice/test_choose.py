from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.choice.choose import Choice, choose
from envcheck.choice.gpus import narrow
from envcheck.choice.wishes import Wishes
from envcheck.compat.rules import judge
from envcheck.documents import parse_json, read_json, to_json
from envcheck.errors import UsageError
from envcheck.host.facts import Driver, Gpu, Host, OperatingSystem, PciDevice, Python
from envcheck.recipes import load_recipes
from tests.compat.machines import GTX_1080_TI, H100, K80, RTX_3090, RTX_5090, V100, machine

T4 = ("Tesla T4", "7.5")
GTX_980 = ("NVIDIA GeForce GTX 980", "5.2")
RTX_4090 = ("NVIDIA GeForce RTX 4090", "8.9")
K40 = ("Tesla K40c", "3.5")


@pytest.fixture(scope="module")
def recipes():
    return load_recipes()


@pytest.fixture
def pick(recipes):
    return lambda host, **wishes: choose(host, recipes, Wishes(**wishes))


# The map of recipes/README.md, cell by cell.
@pytest.mark.parametrize(
    ("card", "driver", "recipe"),
    [
        (K80, "450.80.02", "torch2.0-cu117"),
        (K80, "470.82.01", "torch2.0-cu117"),
        (K80, "535.104.05", None),
        (K40, "470.82.01", None),
        (GTX_980, "470.82.01", "torch2.0-cu117"),
        (GTX_980, "525.60.13", "torch2.7-cu126"),
        (GTX_1080_TI, "524.99", "torch2.0-cu117"),
        (GTX_1080_TI, "579.10", "torch2.7-cu126"),
        (GTX_1080_TI, "580.65.06", "torch2.7-cu126"),
        (GTX_1080_TI, "590.44.01", None),
        (V100, "470.82.01", "torch2.0-cu117"),
        (V100, "550.54.14", "torch2.10-cu128"),
        (V100, "580.65.06", "torch2.10-cu128"),
        (V100, "590.44.01", None),
        (T4, "450.80.02", "torch2.0-cu117"),
        (T4, "450.51.06", None),
        (T4, "535.104.05", "torch2.10-cu128"),
        (T4, "580.65.06", "torch2.15-cu132"),
        (RTX_3090, "470.82.01", "torch2.0-cu117"),
        (RTX_3090, "550.54.14", "torch2.10-cu128"),
        (RTX_3090, "615.10", "torch2.15-cu132"),
        (RTX_4090, "520.61.05", "torch2.0-cu117"),
        (RTX_4090, "535.104.05", "torch2.10-cu128"),
        (H100, "520.61.05", None),
        (H100, "525.60.13", "torch2.10-cu128"),
        (H100, "580.65.06", "torch2.15-cu132"),
        (RTX_5090, "570.86.16", "torch2.10-cu128"),
        (RTX_5090, "565.57.01", None),
        (RTX_5090, "580.65.06", "torch2.15-cu132"),
    ],
)
def test_the_newest_recipe_that_runs_is_picked(pick, card, driver, recipe):
    assert pick(machine(card, driver=driver)).recipe == recipe


def test_story_2_a_blackwell_on_the_proprietary_module_is_never_sent_to_the_cpu(pick):
    card = PciDevice("0000:01:00.0", "10de", "2b85", "nvidia", "GB202 [GeForce RTX 5090]")
    host = machine(driver="575.57.08", open_module=False, pci=(card,))
    choice = pick(host)
    assert choice.recipe is None
    assert {one.verdict for one in choice.verdicts} == {"refused"}
    assert "nvidia-driver-575-open" in choice.advice


def test_story_3_a_1080_ti_on_580_gets_code_for_it_on_the_hosts_own_python(pick):
    choice = pick(machine(GTX_1080_TI, driver="580.65.06", pythons=("3.12",)))
    assert (choice.recipe, choice.torch, choice.cuda, choice.python) == (
        "torch2.7-cu126",
        Version("2.7.1"),
        Version("12.6"),
        "3.12",
    )


def test_story_5_only_one_line_has_code_for_volta_and_blackwell(pick):
    assert pick(machine(V100, RTX_5090, driver="580.65.06")).recipe == "torch2.10-cu128"


def test_story_8_a_gb10_gets_the_wheel_for_its_processor(pick):
    choice = pick(machine(("NVIDIA GB10", "12.1"), driver="580.95.05", cpu="aarch64", pythons=("3.12",)))
    assert (choice.recipe, choice.python) == ("torch2.15-cu132", "3.12")


def test_on_aarch64_the_code_of_that_processors_wheel_counts(pick):
    hopper, turing = ("NVIDIA GH200 480GB", "9.0"), ("NVIDIA T4G", "7.5")
    assert pick(machine(hopper, driver="580.65.06", cpu="aarch64")).recipe == "torch2.15-cu132"
    older = pick(machine(hopper, driver="550.54.14", cpu="aarch64"))
    assert older.recipe is None
    assert "envcheck recipes add torch==2.14.1+cu126 --machine aarch64" in older.advice
    assert pick(machine(turing, driver="580.65.06")).recipe == "torch2.15-cu132"
    on_arm = pick(machine(turing, driver="580.65.06", cpu="aarch64"))
    assert on_arm.recipe is None  # the aarch64 wheel begins at sm_80
    assert "no code" in on_arm.advice


def test_story_9_wsl_fits_without_module_facts_by_the_windows_floors(pick):
    assert pick(machine(RTX_5090, driver="576.02", wsl=True)).recipe == "torch2.10-cu128"
    assert pick(machine(RTX_5090, driver="581.15", wsl=True)).recipe == "torch2.15-cu132"


def test_story_13_a_k80_on_old_ubuntu_is_served_by_wheels_for_its_glibc(pick):
    choice = pick(machine(K80, driver="470.82.01", glibc="2.27"))
    assert choice.recipe == "torch2.0-cu117"


def test_story_19_without_a_gpu_the_cpu_recipe_is_picked_and_said_so(pick):
    choice = pick(machine())
    assert (choice.recipe, choice.torch, choice.cuda) == ("cpu", Version("2.13.0"), None)
    assert "no NVIDIA GPU" in choice.advice
    assert "CPU" in choice.advice


def test_no_official_wheel_serves_pascal_and_blackwell_together_so_each_is_named_alone(pick):
    choice = pick(machine(GTX_1080_TI, RTX_5090, driver="580.65.06"))
    assert choice.recipe is None
    assert "GeForce GTX 1080 Ti on torch2.7-cu126 (--gpus 0)" in choice.advice
    assert "GeForce RTX 5090 on torch2.15-cu132 (--gpus 1)" in choice.advice
    assert "No official wheel holds code for both" in choice.advice
    assert (
        "for 6.1 it is in those of CUDA 8.0 to 12.6, for 12.0 it is in those of CUDA 12.8 to 13.2"
        in choice.advice
    )


def test_the_order_of_the_gpus_changes_no_verdict(pick):
    cards = (V100, RTX_5090, GTX_1080_TI)
    one_way = pick(machine(*cards, driver="580.65.06"))
    other_way = pick(machine(*reversed(cards), driver="580.65.06"))
    assert one_way.verdicts == other_way.verdicts


def test_every_recipe_keeps_its_verdict_and_reasons(pick, recipes):
    host = machine(RTX_3090, driver="550.54.14")
    choice = pick(host)
    assert [one.recipe for one in choice.verdicts] == [
        "torch2.15-cu132",
        "torch2.14-cu130",
        "cpu",
        "torch2.10-cu128",
        "torch2.7-cu126",
        "torch2.0-cu117",
        "torch1.13-cu117",
    ]
    for one in choice.verdicts:
        (recipe,) = [recipe for recipe in recipes if recipe.name == one.recipe]
        assert one.reasons == judge(host, recipe.build)


def test_a_machine_with_gpus_goes_to_the_cpu_only_when_asked(pick):
    host = machine(K80, driver="535.104.05")
    assert pick(host).recipe is None
    asked = pick(host, gpus="none")
    assert asked.recipe == "cpu"
    assert asked.gpus == ()
    assert "Tesla K80" in asked.advice


def test_asking_for_the_cpu_answers_a_card_that_nobody_drives(pick):
    host = machine(pci=(PciDevice("0000:01:00.0", "10de", "1b06", "nouveau"),))
    assert pick(host).recipe is None
    assert pick(host, gpus="none").recipe == "cpu"


@pytest.mark.parametrize("name", ["1", "GPU-00000001", "gpu-00000001"])
def test_named_gpus_alone_are_judged_and_handed_over_by_uuid(pick, name):
    host = machine(GTX_1080_TI, RTX_5090, driver="580.65.06", pci=(PciDevice("0000:01:00.0"),) * 2)
    choice = pick(host, gpus=(name,))
    assert choice.recipe == "torch2.15-cu132"
    assert choice.gpus == ("GPU-00000001",)


@pytest.mark.parametrize("name", ["2", "GPU-", "GPU-ff", "", "all"])
def test_a_name_that_is_not_one_gpu_is_bad_input_that_lists_what_there_is(name):
    with pytest.raises(UsageError) as caught:
        narrow(machine(GTX_1080_TI, RTX_5090), (name,))
    assert "1 (GeForce RTX 5090)" in caught.value.hint


def test_a_wished_recipe_is_taken_even_where_a_newer_one_runs(pick):
    assert pick(machine(RTX_3090, driver="580.65.06"), recipe="torch2.7-cu126").recipe == "torch2.7-cu126"


def test_a_wished_recipe_that_does_not_run_is_refused_with_what_would(pick):
    choice = pick(machine(RTX_5090, driver="580.65.06"), recipe="torch1.13-cu117")
    assert choice.recipe is None
    assert "GeForce RTX 5090 (12.0): no code" in choice.advice
    assert "without the wish for recipe torch1.13-cu117, torch2.15-cu132 runs here" in choice.advice.lower()
    assert "As it is" not in choice.advice  # what runs has a recipe


def test_a_wish_for_a_recipe_that_does_not_exist_names_the_nearest(pick):
    with pytest.raises(UsageError) as caught:
        pick(machine(), recipe="torch2.10-cu129")
    assert caught.value.hint == "Did you mean torch2.10-cu128?"


@pytest.mark.parametrize(
    ("host", "nearest", "step"),
    [
        (machine(H100, driver="520.61.05"), "torch2.10-cu128", "525.60.13"),
        (machine(RTX_5090, driver="565.57.01"), "torch2.10-cu128", "570.86.10"),
        (machine(V100, driver="590.44.01"), "torch2.10-cu128", "R580"),
        (machine(K80, driver="535.104.05"), "torch2.0-cu117", "R470"),
        (machine(RTX_5090, driver="580.65.06", open_module=False), "torch2.15-cu132", "open kernel modules"),
        (machine(RTX_3090, driver="550.54.14", pythons=("3.9",)), "torch2.10-cu128", "python3.11-venv"),
        (machine(pythons=("3.9",)), "cpu", "python3.11-venv"),
        (machine(("card", None), driver="580.65.06"), "torch2.15-cu132", "`gpus[0].compute_capability`"),
    ],
)
def test_when_nothing_runs_the_nearest_recipe_and_the_step_to_it_are_named(pick, host, nearest, step):
    choice = pick(host)
    assert choice.recipe is None
    may = "may" if step.startswith("`") else "would"  # a fact to find out, or a thing to change
    assert choice.advice.startswith(f"{nearest} {may} run here.")
    assert step in choice.advice


def test_a_card_that_nothing_serves_leaves_the_cpu_for_those_who_ask(pick):
    choice = pick(machine(K40, driver="470.82.01"))
    assert "Tesla K40c (3.5): no code" in choice.advice
    assert "--gpus none, with cpu" in choice.advice


def test_a_machine_that_no_lock_serves_is_told_why_and_is_not_sent_to_the_cpu(pick):
    choice = pick(machine(V100, driver="535.104.05", cpu="ppc64le"))
    assert choice.recipe is None
    assert "ppc64le" in choice.advice
    assert "--gpus none" not in choice.advice


def test_with_nothing_but_python_3_10_a_gpu_build_runs_on_the_cpu(pick):
    choice = pick(machine(pythons=("3.10",)))
    assert choice.recipe == "torch2.14-cu130"
    assert choice.python == "3.10"
    assert "larger download" in choice.advice
    (cpu,) = [one for one in choice.verdicts if one.recipe == "cpu"]
    assert [reason.rule for reason in cpu.reasons if reason.verdict == "refused"] == ["python"]


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [(("3.10", "3.11", "3.14"), "3.11"), (("3.10", "3.9", "3.13"), "3.13"), (("3.14",), "3.14")],
)
def test_the_containers_python_is_preferred_then_the_newest_served(pick, pythons, expected):
    assert pick(machine(RTX_5090, driver="580.65.06", pythons=pythons)).python == expected


def test_the_smallest_snapshot_is_planned_for_with_the_containers_python(pick):
    host = Host(
        os=OperatingSystem(system="Linux", machine="x86_64"),
        driver=Driver(version=Version("550.54.15")),
        gpus=(Gpu(name="NVIDIA H100 80GB HBM3", compute_capability=Version("9.0")),),
    )
    choice = pick(host)
    assert (choice.recipe, choice.python) == ("torch2.10-cu128", "3.11")
    (judged,) = [one for one in choice.verdicts if one.recipe == "torch2.10-cu128"]
    assert judged.verdict == "unknown"


@pytest.mark.parametrize(
    "less",
    [
        {"gpus": None},
        {"driver": Driver()},
        {"driver": None, "unknown": {"driver": "not asked"}},
        {"os": OperatingSystem(system="Linux", glibc=Version("2.35"))},
        {"os": OperatingSystem(machine="x86_64", glibc=Version("2.35"))},
    ],
    ids=["GPUs", "driver version", "driver", "machine", "system"],
)
def test_unknown_never_counts_as_fits(pick, less):
    host = machine(RTX_3090, driver="580.65.06")
    assert pick(host).recipe == "torch2.15-cu132"
    assert pick(replace(host, **less)).recipe is None


def test_what_a_snapshot_says_about_its_python_counts(pick):
    host = machine(RTX_3090, driver="580.65.06")
    assert pick(replace(host, python=Python(version=Version("3.6.15")))).recipe is None


@pytest.mark.parametrize(
    ("snapshot", "recipe", "python"),
    [
        ("a100x8-slow", "torch2.10-cu128", "3.12"),
        ("a100-hang", None, None),
        ("container-without-gpus", None, None),
        ("gb10-spark", "torch2.15-cu132", "3.12"),
        ("gtx1080ti-rtx5090", None, None),
        ("gtx1080ti-rtx5090-proprietary", None, None),
        ("jetson-orin", None, None),
        ("kernel-upgrade-without-module", None, None),
        ("laptop-without-nvidia", "cpu", "3.13"),
        ("mismatch-after-upgrade", None, None),
        ("rtx3090-driver550", "torch2.10-cu128", "3.11"),
        ("rtx3090-nouveau", None, None),
        ("rtx3090-vfio", "cpu", "3.11"),  # the card was given to a virtual machine
        ("rtx5090-proprietary-module", None, None),
        ("wsl2-rtx5090", "torch2.10-cu128", "3.12"),
    ],
)
def test_the_machines_kept_as_snapshots_get_what_they_should(pick, root, snapshot, recipe, python):
    choice = pick(read_json(root / f"tests/hosts/{snapshot}.json", Host, schema="envcheck.host/1"))
    assert (choice.recipe, choice.python) == (recipe, python)


def test_the_choice_is_a_document_that_can_be_read_again(pick):
    choice = pick(machine(RTX_3090, driver="550.54.14"))
    text = to_json(choice)
    assert json.loads(text)["schema"] == "envcheck.choice/1"
    assert parse_json(text.encode(), Choice, source="choice", schema="envcheck.choice/1") == choice
