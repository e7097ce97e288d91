"""The built wheel, used far from any checkout: it carries recipes, containers and pose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*argv, "--wheel-dir", str(folder), str(root)], check=True, timeout=300)
    return next(folder.glob("envcheck-*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel's content on the search path, as in a site-packages; its dependencies are the tests' own."""
    folder = tmp_path_factory.mktemp("site")
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*argv, "--target", str(folder), str(wheel)], check=True, timeout=300)
    return folder


def call(installed: Path, cwd: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(installed), "ENVCHECK_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-c", "from envcheck.cli import main; main()", *argv]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environ, timeout=120, check=False
    )


def test_the_wheel_carries_every_file_that_git_has_of_recipes_containers_and_pose(root, wheel):
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "recipes", "containers", "pose"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout: what should be in the wheel is not known")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    missing = [name for name in listed.stdout.splitlines() if f"envcheck/_shipped/{name}" not in packed]
    assert missing == []


def test_an_installed_wheel_uses_its_own_files(installed, tmp_path):
    code = "import envcheck.paths as p; print(p.shipped('recipes')); print(p.shipped('pose'))"
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environ, check=True
    )
    assert done.stdout.splitlines() == [
        str(installed / "envcheck/_shipped" / name) for name in ("recipes", "pose")
    ]


def test_an_installed_wheel_picks_a_recipe_and_starts_pose(installed, root, tmp_path):
    host = root / "tests" / "hosts" / "rtx3090-driver550.json"
    picked = call(installed, tmp_path, "pick", "--host", str(host), "--format", "json")
    assert json.loads(picked.stdout)["recipe"] == "torch2.10-cu128"
    assert "KEY VALUE" in call(installed, tmp_path, "run", "train", "--help").stdout
