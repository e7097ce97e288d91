"""The locks of other tools, and a Pipfile."""

from __future__ import annotations

import json

import pytest

from envcheck.errors import UsageError

POETRY = """
[[package]]
name = "torch"
version = "2.1.2"
files = [{file = "torch-2.1.2-cp311-cp311-manylinux1_x86_64.whl", hash = "sha256:00"}]

[[package]]
name = "numpy"
version = "1.26.4"

[[package]]
name = "nvidia-cublas-cu12"
version = "12.1.3.1"

[metadata]
lock-version = "2.0"
python-versions = ">=3.9,<3.13"
"""
UV = """
version = 1
requires-python = ">=3.10"

[[package]]
name = "mine"
source = { editable = "." }

[[package]]
name = "torch"
version = "2.6.0+cu124"
source = { registry = "https://download.pytorch.org/whl/cu124" }
"""
PYLOCK = """
lock-version = "1.0"
requires-python = "==3.12"
[[packages]]
name = "torch"
version = "2.6.0"
[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"
"""


def test_a_lock_of_poetry(folder):
    assert folder.wishes("poetry.lock", POETRY) == {"torch": "==2.1.2", "python": "<3.13,>=3.9"}
    assert folder.packages("poetry.lock", POETRY) == ["numpy==1.26.4"]


def test_a_lock_of_uv_with_the_build_in_the_version(folder):
    assert folder.wishes("uv.lock", UV) == {"torch": "==2.6.0", "tag": "cu124", "python": ">=3.10"}


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.gpu.toml"])
def test_a_lock_of_pep_751(folder, name):
    assert folder.wishes(name, PYLOCK) == {"torch": "==2.6.0", "python": "==3.12"}
    assert folder.packages(name, PYLOCK) == ['colorama==0.4.6; sys_platform == "win32"']


def test_a_pipfile_and_its_lock(folder):
    text = """
        [[source]]
        url = "https://download.pytorch.org/whl/cu118"
        [packages]
        torch = "==2.1.0"
        numpy = "*"
        [requires]
        python_version = "3.10"
    """
    wished = {"torch": "==2.1.0", "tag": "cu118", "python": "==3.10.*"}
    assert folder.wishes("Pipfile", text) == wished
    lock = {
        "_meta": {
            "requires": {"python_version": "3.10"},
            "sources": [{"url": "https://a.example/whl/cu118"}],
        },
        "default": {"torch": {"version": "==2.1.0", "hashes": []}, "numpy": {"version": "==1.26.4"}},
        "develop": {},
    }
    assert folder.wishes("Pipfile.lock", json.dumps(lock)) == wished
    assert folder.packages("Pipfile.lock", json.dumps(lock)) == ["numpy==1.26.4"]


def test_a_lock_for_several_kinds_of_machines_that_contradict_each_other_is_not_guessed_at(folder):
    other = '[[package]]\nname = "torch"\nversion = "2.6.0+cpu"\n'
    with pytest.raises(UsageError, match="contradicts"):
        folder.read("uv.lock", UV + other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "[[package]]\nname = 1\n"),
        ("uv.lock", "nonsense"),
        ("uv.lock", f'[[package]]\nname = "{"x" * 5000}"\n'),
        ("poetry.lock", '[[package]]\nname = "torch"\nversion = "not one"\n'),
        ("poetry.lock", '[metadata]\npython-versions = "^3.9 || ^3.11"\n'),
        ("Pipfile.lock", "[1]"),
        ("Pipfile.lock", "[" * 100_000),
        ("Pipfile", "[packages]\ntorch = 1\n"),
    ],
)
def test_what_is_no_lock_is_named(folder, name, text):
    with pytest.raises(UsageError, match=name):
        folder.read(name, text)
