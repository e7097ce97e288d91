"""The walls between the rooms, as .importlinter draws them, and how much one room may hold."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest


def test_every_contract_of_the_rooms_is_kept(root):
    environ = {**os.environ, "PYTHONPATH": str(root)}
    argv = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=root, env=environ, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_one_address_that_the_code_knows_stands_in_one_place(root):
    files = [*(root / "envcheck").rglob("*.py"), *(root / "pose").rglob("*.py")]
    naming = [file for file in files if "download.pytorch.org" in file.read_text(encoding="utf-8")]
    assert [file.name for file in naming] == ["wheelhouse.py"]


def test_where_data_lies_is_known_to_the_catalogue_alone(root):
    files = [
        file
        for room in ("envcheck", "pose")
        for file in (root / room).rglob("*")
        if file.suffix in (".py", ".yaml")
    ]
    naming = [file.name for file in files if "cocodataset.org" in file.read_text(encoding="utf-8")]
    assert naming == ["catalogue.yaml"]


@pytest.mark.parametrize("folder", ["recipes", "containers", "envcheck", "pose"])
def test_nothing_that_is_shipped_names_a_package_index(root, folder):
    hosts = re.compile(r"(?:pypi|pythonhosted|debian|npmjs)\.(?:org|com)")
    naming = [
        file
        for file in (root / folder).rglob("*")
        if file.suffix in (".py", ".yaml", ".txt", ".in", ".md")
        and hosts.search(file.read_text(encoding="utf-8"))
    ]
    assert naming == []


LINES = 400


def test_no_module_is_above_400_lines_without_its_reason_in_the_first_lines(root):
    """A reason is a sentence of the module's docstring that begins with "Long because"."""
    files = [file for room in ("envcheck", "pose", "tests") for file in sorted((root / room).rglob("*.py"))]
    assert len(files) > 300
    silent, needless = [], []
    for file in files:
        text = file.read_text(encoding="utf-8")
        is_long = len(text.splitlines()) > LINES
        reason = "Long because " in (ast.get_docstring(ast.parse(text)) or "")
        name = file.relative_to(root).as_posix()
        if is_long and not reason:
            silent.append(name)
        if reason and not is_long:
            needless.append(name)
    assert silent == [], f"above {LINES} lines: split them, or say why they are one room"
    assert needless == [], f"not above {LINES} lines: nothing is to be excused"
