"""Completeness with real uv on a folder of small wheels; environments that are scripts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.audit import tried
from envcheck.compat.tables import build_of
from envcheck.environments.author import Wanted, add
from envcheck.environments.wheelhouse import Wheelhouse
from envcheck.errors import EnvcheckError
from envcheck.recipes import Pin, Size, load_recipe, lock_hash, read_lock
from envcheck.uv import IndexUnreachableError
from tests.measure.wheels import NUMPY_1, library, version_py, write_wheel
from tests.wheels import BESIDE_NUMPY, digest_of, make_wheel

CODE = "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"


@pytest.fixture
def mine(index, tmp_path, listener):
    """A recipe that `recipes add` made from a small index."""
    make_wheel(index, "torch-2.0.1-cp311-cp311-manylinux1_x86_64.whl", "filelock")
    for name in ("numpy", "filelock", *BESIDE_NUMPY):
        make_wheel(index, f"{name}-1.0-py3-none-any.whl")
    return load_recipe(str(add(build_of(Version("2.0.1"), "cu117"), Wanted(), tmp_path / "mine", listener)))


@pytest.fixture
def complete(mine, listener):
    return lambda pins: tried.completeness(mine, "3.11", pins, listener)


def test_a_lock_that_was_just_made_is_complete_and_stays_so_when_newer_wheels_appear(mine, index, complete):
    pins = read_lock(mine.lock_for("3.11"))
    make_wheel(index, "filelock-2.0-py3-none-any.whl")
    assert complete(pins).state == "passed"


def test_the_users_constraints_say_nothing_of_a_lock(mine, complete, tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("filelock<1\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    assert complete(read_lock(mine.lock_for("3.11"))).state == "passed"


def test_a_lock_that_lost_a_pin_fails(mine, complete):
    result = complete([pin for pin in read_lock(mine.lock_for("3.11")) if pin.name != "filelock"])
    assert result.state == "failed"
    assert "lacks filelock 1.0" in result.because


def test_a_lock_with_what_nothing_requires_fails(mine, complete):
    pins = read_lock(mine.lock_for("3.11"))
    result = complete([*pins, replace(pins[0], name="yacs")])
    assert result.state == "failed"
    assert "holds yacs, which nothing requires" in result.because


def test_a_lock_with_another_hash_than_the_index_fails(mine, complete):
    pins = [replace(pin, sha256="0" * 64) for pin in read_lock(mine.lock_for("3.11"))]
    result = complete(pins)
    assert result.state == "failed"
    assert "another wheel of numpy" in result.because


def test_a_lock_whose_pins_contradict_each_other_fails(mine, index, complete):
    pins = read_lock(mine.lock_for("3.11"))
    make_wheel(index, "torch-2.0.1-cp311-cp311-manylinux1_x86_64.whl", "filelock>=2")
    make_wheel(index, "filelock-2.0-py3-none-any.whl")
    assert complete(pins).state == "failed"


def test_a_wheel_that_no_index_at_hand_has_says_nothing_against_the_lock(mine, index, complete):
    pins = read_lock(mine.lock_for("3.11"))
    (index / "rich-1.0-py3-none-any.whl").unlink()
    assert complete(pins).state == "not verified"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (IndexUnreachableError("no address"), "not verified"),
        (EnvcheckError("Because there is no version of torch==2.0.1 and you require it"), "not verified"),
        (EnvcheckError("Because torch==2.0.1 has no wheels with a matching tag"), "not verified"),
        (EnvcheckError("uv is not installed beside envcheck"), "not verified"),
        (EnvcheckError("uv found no set of wheels: no answer within 900 seconds"), "not verified"),
        (EnvcheckError("Because you require numpy>=2 and numpy<2"), "failed"),
    ],
)
def test_an_index_that_cannot_be_asked_leaves_the_lock_unverified(mine, complete, monkeypatch, error, state):
    def resolve(*_, **__):
        raise error

    monkeypatch.setattr(tried, "resolve_anywhere", resolve)
    assert complete(read_lock(mine.lock_for("3.11"))).state == state


TORCH_2_7 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"


@pytest.fixture
def house(tmp_path):
    """A wheelhouse that holds a small wheel of torch 2.7.1, and the pin of it."""

    def build(**members):
        name = "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl"
        made = write_wheel(tmp_path / "made" / name, **members)
        pin = Pin("torch", "2.7.1", digest_of(made))
        house = Wheelhouse(tmp_path / "cache")
        (house.folder / pin.sha256).mkdir(parents=True)
        made.rename(house.folder / pin.sha256 / name)
        return house, [pin]

    return build


@pytest.mark.parametrize(
    ("members", "state", "said"),
    [
        ({}, "passed", "the code of the table's row"),
        ({"library": library(TORCH_2_7.removesuffix(" sm_90"))}, "failed", "lacks sm_90"),
        ({"library": library(f"{TORCH_2_7} compute_90")}, "failed", "has compute_90"),
        ({"library": library(numpy=NUMPY_1)}, "failed", "compiled for numpy<2"),
        ({"version": version_py("'12.8'")}, "failed", "CUDA 12.8"),
        ({"library": None}, "not verified", ""),
    ],
)
def test_torchs_own_wheel_is_held_against_the_table(house, members, state, said):
    kept, pins = house(**members)
    result = tried.wheel(load_recipe("torch2.7-cu126"), "3.11", pins, kept, None)
    assert result.state == state
    assert said in result.because


def test_a_wheel_that_is_not_here_is_not_verified_and_not_fetched_unasked(tmp_path, index, listener):
    recipe = load_recipe("torch2.7-cu126")
    pins = [Pin("torch", "2.7.1", "0" * 64)]
    house = Wheelhouse(tmp_path / "cache")
    assert tried.wheel(recipe, "3.11", pins, house, None).state == "not verified"
    assert listener.steps == []
    assert tried.wheel(recipe, "3.11", pins, house, listener).state == "not verified"
    assert listener.steps == ["fetch torch 2.7.1"]
    assert list(index.iterdir()) == []


def test_a_wheel_for_another_python_and_processor_is_fetched_to_be_read(tmp_path, index, listener):
    made = write_wheel(
        index / "torch-2.15.0-cp314-cp314-manylinux_2_28_aarch64.whl", version=version_py("'13.2'")
    )
    pins = [Pin("torch", "2.15.0", digest_of(made))]
    recipe = load_recipe("torch2.15-cu132").on("aarch64")
    result = tried.wheel(replace(recipe, size=Size(1, 1)), "3.14", pins, Wheelhouse(tmp_path / "c"), listener)
    assert result.state == "failed"  # it was read: its code is not the table's
    assert "lacks sm_100 sm_110 sm_120" in result.because


def test_a_lock_without_torch_has_no_wheel_to_look_at(tmp_path):
    result = tried.wheel(load_recipe("torch2.7-cu126"), "3.11", [], Wheelhouse(tmp_path), None)
    assert result.state == "failed"


def _environment(cache, lock, script):
    home = cache / "envs" / "one"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (home / "bin" / "python").chmod(0o755)
    marker = {"schema": "envcheck.environment/1", "recipe": "r", "python": "3.11.7", "installer": "pip"}
    (home / "envcheck.json").write_text(json.dumps({**marker, "lock_hash": lock_hash(lock)}))


@pytest.mark.parametrize(
    ("torch", "cuda", "flags", "state", "said"),
    [
        ("2.0.1+cu117", "11.7", CODE, "passed", "the code of the table's row"),
        ("2.0.1+cu117", "11.7", CODE.removesuffix(" sm_86"), "failed", "lacks sm_86"),
        ("2.0.1+cu117", "11.7", f"{CODE} compute_86", "failed", "has compute_86"),
        ("2.0.0+cu117", "11.7", CODE, "failed", "torch 2.0.0+cu117"),
        ("2.0.1+cu118", "11.8", CODE, "failed", "CUDA 11.8"),
        ("2.0.1", None, "", "failed", "CUDA None"),
    ],
)
def test_what_torch_in_an_environment_says_of_itself_is_held_against_the_table(
    tmp_path, torch, cuda, flags, state, said
):
    recipe = load_recipe("torch2.0-cu117")
    lock = recipe.lock_for("3.11")
    answer = json.dumps({"torch": torch, "cuda": cuda, "flags": flags})
    _environment(tmp_path, lock, f"echo '{answer}'")
    result = tried.environment(recipe, lock, tmp_path)
    assert result.state == state
    assert said in result.because


def test_an_environment_that_does_not_load_fails_with_its_own_words(tmp_path):
    recipe = load_recipe("torch2.0-cu117")
    _environment(tmp_path, recipe.lock_for("3.11"), "echo 'ImportError: libcudart' >&2; exit 1")
    result = tried.environment(recipe, recipe.lock_for("3.11"), tmp_path)
    assert result.state == "failed"
    assert "ImportError: libcudart" in result.because


def test_without_an_environment_of_that_very_lock_nothing_is_verified(tmp_path):
    recipe = load_recipe("torch2.0-cu117")
    _environment(tmp_path, recipe.lock_for("3.10"), "echo '{}'")
    assert tried.environment(recipe, recipe.lock_for("3.11"), tmp_path).state == "not verified"
