from __future__ import annotations

import hashlib
import json
import re

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from envcheck.compat.tables import build_of
from envcheck.errors import UsageError
from envcheck.recipes import load_recipe, load_recipes, lock_hash, read_lock

RECIPES = load_recipes()
LOCKS = [
    (recipe.on(build.machines[0]), python)
    for recipe in RECIPES
    for build in recipe.builds
    for python in build.pythons
]
BASE_DIGEST = "sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"

MINE = """
name: mine
summary: somebody's own
why: because
base: {image: "python:3.11.16-slim-bookworm", digest: "sha256:00"}
torch: "2.10.0"
tag: cu128
requirement: torch==2.10.0
container_python: "3.11"
glibc: "2.31"
size: {download_mib: 1, installed_mib: 2}
checked: {"3.12": {state: resolved, when: 2026-11-24}}
"""


def _name(value):
    return value.name if hasattr(value, "name") else str(value)


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(MINE, encoding="utf-8")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "mine-cp312.txt").write_text("# empty\n", encoding="utf-8")
    (tmp_path / "locks" / "mine-cp310.txt").write_text("# empty\n", encoding="utf-8")
    (tmp_path / "locks" / "mine-too-cp313.txt").write_text("# another recipe's\n", encoding="utf-8")
    (tmp_path / "locks" / "mine-cp314-aarch64.txt").write_text("# another machine's\n", encoding="utf-8")
    return file


def test_the_recipes_are_here():
    assert {recipe.name for recipe in RECIPES} == {
        "cpu",
        "torch1.13-cu117",
        "torch2.0-cu117",
        "torch2.7-cu126",
        "torch2.10-cu128",
        "torch2.14-cu130",
        "torch2.15-cu132",
    }


@pytest.mark.parametrize("recipe", RECIPES, ids=_name)
def test_a_recipe_pins_its_base_image_and_serves_the_containers_python(recipe):
    assert recipe.base.image == "python:3.11.16-slim-bookworm"
    assert recipe.base.digest == BASE_DIGEST
    assert recipe.container_python == "3.11"
    assert recipe.lock_for("3.11") is not None


@pytest.mark.parametrize("recipe", RECIPES, ids=_name)
def test_every_lock_says_how_far_it_was_tried_and_nothing_else_does(recipe):
    locks = [(recipe.on(build.machines[0]), python) for build in recipe.builds for python in build.pythons]
    assert len(locks) == len(recipe.checked)
    assert all(one.tried(python).state != "no" and one.tried(python).when for one, python in locks)


@pytest.mark.parametrize(("recipe", "python"), LOCKS, ids=_name)
def test_a_recipe_locks_no_python_for_which_the_build_has_no_wheel(recipe, python):
    row = build_of(recipe.torch, recipe.tag, recipe.machine)
    assert python in row.pythons
    assert recipe.machine in row.machines


@pytest.mark.parametrize(("recipe", "python"), LOCKS, ids=_name)
def test_a_lock_holds_torch_and_all_that_pose_needs_each_once_in_order(recipe, python, root):
    pins = read_lock(recipe.lock_for(python))
    names = [canonicalize_name(pin.name) for pin in pins]
    lines = (line.partition("#")[0].strip() for line in (root / "recipes/pose.in").read_text().splitlines())
    wanted = {canonicalize_name(line) for line in lines if line}
    assert wanted == {
        *("numpy", "onnx", "opencv-python-headless", "pycocotools", "pyyaml", "rich", "scipy", "tensorboardx")
    }
    assert wanted | {"torch"} <= set(names)
    assert names == sorted(set(names))


@pytest.mark.parametrize(("recipe", "python"), LOCKS, ids=_name)
def test_a_lock_keeps_the_recipes_bounds(recipe, python):
    pins = {pin.name: Version(pin.version) for pin in read_lock(recipe.lock_for(python))}
    assert pins["torch"].public == str(recipe.torch)
    assert pins["opencv-python-headless"] < Version("5")
    assert (pins["numpy"] < Version("2")) == (recipe.torch < Version("2.3"))


@pytest.mark.parametrize(("recipe", "python"), LOCKS, ids=_name)
def test_a_gpu_lock_brings_its_cuda_on_plain_linux_and_the_cpu_lock_none(recipe, python):
    names = {pin.name for pin in read_lock(recipe.lock_for(python))}
    assert any(name.startswith("nvidia-") for name in names) == (recipe.cuda is not None)
    # torch 1.13 came before triton was a requirement of its wheels.
    assert ("triton" in names) == (recipe.cuda is not None and recipe.torch >= Version("2"))
    assert any(name.startswith("nvidia-cudnn-cu") for name in names) == (recipe.cuda is not None)


@pytest.mark.parametrize(
    "path", sorted({recipe.lock_for(p) for recipe, p in LOCKS} | {r.file for r in RECIPES}), ids=_name
)
def test_nothing_names_an_index(path):
    assert not re.search(r"https?:|file:|pypi|pythonhosted|download\.pytorch|--index|/opt/", path.read_text())


def test_torchs_digests_are_those_of_the_facts(shared):
    releases = json.loads((shared / "facts/torch.json").read_text())["releases"]
    wheels = {row["torch"]: row["pypi_linux_x86_64_wheels"] for row in releases}
    for recipe, python in LOCKS:
        if recipe.cuda is None or recipe.machine != "x86_64":
            continue  # the facts list the wheels for x86_64
        (pin,) = [pin for pin in read_lock(recipe.lock_for(python)) if pin.name == "torch"]
        tag = f"-cp{python.replace('.', '')}-"
        # With several build numbers the highest is what pip takes; the facts list it under its own name.
        files = [wheel for wheel in wheels[str(recipe.torch)] if f"{tag}{tag[1:]}" in wheel["file"]]
        newest = max(files, key=lambda wheel: wheel["upload"])
        assert f"sha256:{pin.sha256}" == newest["hash"], (recipe.name, python)


def test_the_cpu_digests_are_those_of_the_facts(shared):
    facts = json.loads((shared / "facts/torch_cpu_wheels.json").read_text())["wheels"]
    recipe = load_recipe("cpu")
    assert recipe.wheels == facts
    for python in recipe.pythons:
        (pin,) = [pin for pin in read_lock(recipe.lock_for(python)) if pin.name == "torch"]
        tag = f"cp{python.replace('.', '')}"
        assert f"sha256:{pin.sha256}" == facts[f"torch-2.13.0+cpu-{tag}-{tag}-manylinux_2_28_x86_64.whl"]


def test_a_lock_whose_torch_was_out_of_reach_says_so_and_is_not_called_installed():
    for recipe, python in LOCKS:
        says_so = "out of reach" in recipe.lock_for(python).read_text()
        assert says_so == (recipe.name == "cpu" and python != "3.11"), (recipe.name, python)
        assert not (says_so and recipe.checked[python].state == "installed")


def test_somebodys_own_recipe_is_read_from_any_folder_with_the_locks_beside_it(mine):
    recipe = load_recipe(str(mine))
    assert recipe.pythons == ("3.10", "3.12")
    assert recipe.lock_for("3.12") == mine.parent / "locks" / "mine-cp312.txt"
    assert recipe.lock_for("3.13") is None
    assert recipe.cuda == Version("12.8")


def test_a_recipe_narrows_its_build_to_what_its_locks_serve(mine):
    build = load_recipe(str(mine)).build
    assert (build.pythons, build.machines, build.glibc) == (("3.10", "3.12"), ("x86_64",), Version("2.31"))


def test_on_another_machine_the_locks_and_the_code_are_those_made_for_it(root):
    recipe = load_recipe("torch2.15-cu132")
    arm = recipe.on("aarch64")
    assert recipe.lock_for("3.12") == root / "recipes/locks/torch2.15-cu132-cp312.txt"
    assert arm.lock_for("3.12") == root / "recipes/locks/torch2.15-cu132-cp312-aarch64.txt"
    assert [str(one) for one in recipe.build.sass] == ["7.5", "8.0", "8.6", "9.0", "10.0", "12.0"]
    assert [str(one) for one in arm.build.sass] == ["8.0", "9.0", "10.0", "11.0", "12.0"]
    assert arm.on("x86_64") == recipe


@pytest.mark.parametrize("machine", ["aarch64", "riscv64", None])
def test_a_machine_that_no_lock_serves_sees_the_recipe_as_it_is(mine, machine):
    recipe = load_recipe(str(mine))  # its build has no wheel for aarch64, whatever lies among the locks
    assert recipe.on(machine) == recipe
    assert recipe.build.machines == ("x86_64",)


def test_a_recipe_never_promises_an_older_glibc_than_its_torch_has(mine):
    mine.write_text(MINE.replace('"2.31"', '"2.17"'), encoding="utf-8")
    assert load_recipe(str(mine)).build.glibc == Version("2.28")


def test_the_served_pythons_are_in_the_order_of_numbers(mine):
    for minor in (9, 8, 14, 13, 11):
        (mine.parent / "locks" / f"mine-cp3{minor}.txt").write_text("# empty\n", encoding="utf-8")
    assert load_recipe(str(mine)).pythons == ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def test_a_recipe_without_locks_serves_no_python(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(MINE, encoding="utf-8")
    assert load_recipe(str(file)).pythons == ()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("tag: cu128", "tag: cu999", "no build torch 2.10.0 cu999"),
        ("name: mine", "name: yours", "`$.name`"),
        ("why: because", "wherefore: because", "wherefore"),
        ('torch: "2.10.0"', "torch: 2.10", "$.torch"),
        ("state: resolved", "state: hoped", "$.checked"),
        ("summary: somebody's own\n", "", "summary"),
    ],
)
def test_a_mistake_in_a_recipe_is_named_by_file_and_key(mine, right, wrong, said):
    mine.write_text(MINE.replace(right, wrong), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_recipe(str(mine))
    assert str(mine) in caught.value.message
    assert said in caught.value.message


def test_an_unknown_recipe_is_answered_with_the_nearest_name():
    with pytest.raises(UsageError) as caught:
        load_recipe("torch2.10-cu182")
    assert caught.value.hint == "Did you mean torch2.10-cu128?"
    with pytest.raises(UsageError) as caught:
        load_recipe("xyz")
    assert "torch2.7-cu126" in caught.value.hint


def test_a_recipe_file_that_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_recipe(str(tmp_path / "none.yaml"))
    assert "none.yaml" in caught.value.message


def test_the_hash_of_a_lock_is_the_one_that_sha256sum_prints(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_bytes(b"alpha==1.0\n")
    assert lock_hash(lock) == hashlib.sha256(b"alpha==1.0\n").hexdigest()
