from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from envcheck.environments.program import copy_of_pose, digest_of_pose, kept_copy
from envcheck.processes import capture

LAUNCHER = Path(__file__).resolve().parents[2] / "pose" / "launch.py"


def pose(folder, text):
    """A package that stands for pose, with pose's own launcher."""
    package = folder / "pose"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "__main__.py").write_text(
        f"def main():\n    print({text!r})\n    return 0\n", encoding="utf-8"
    )
    shutil.copyfile(LAUNCHER, package / "launch.py")
    return package


def test_a_pose_folder_in_the_working_directory_does_not_shadow_ours(tmp_path):
    program = copy_of_pose(pose(tmp_path / "ours", "ours"), tmp_path / "cache")
    pose(tmp_path / "users", "theirs")
    for flags in ([], ["-I"]):
        answer = capture([sys.executable, *flags, str(program)], seconds=30, cwd=tmp_path / "users")
        assert (answer.stdout, answer.stderr) == ("ours\n", "")


def test_the_same_source_is_copied_once_and_a_changed_one_again(tmp_path):
    source = pose(tmp_path, "one")
    first = copy_of_pose(source, tmp_path / "cache")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert copy_of_pose(source, tmp_path / "cache") == first
    assert not (first / "pose" / "__pycache__").exists()
    pose(tmp_path, "two")
    assert copy_of_pose(source, tmp_path / "cache") != first


@pytest.mark.parametrize("damaged", ["__main__.py", "json.py", "pose/__main__.py"])
def test_a_copy_that_was_changed_is_not_started_but_made_anew_and_that_is_said(tmp_path, damaged, capsys):
    source = pose(tmp_path, "ours")
    program = copy_of_pose(source, tmp_path / "cache")
    assert kept_copy(program.name, tmp_path / "cache") == program
    (program / damaged).write_text("print('theirs')\n", encoding="utf-8")
    assert kept_copy(program.name, tmp_path / "cache") is None
    assert capsys.readouterr().err == ""
    assert copy_of_pose(source, tmp_path / "cache") == program
    assert (
        capsys.readouterr().err
        == f"note:  the copy of pose in {program} had been changed: it was made anew\n"
    )
    assert capture([sys.executable, "-I", str(program)], seconds=30).stdout == "ours\n"
    copy_of_pose(source, tmp_path / "cache")
    assert capsys.readouterr().err == ""
    assert [path.name for path in program.parent.iterdir() if path.suffix != ".lock"] == [program.name]


def test_what_a_killed_copy_has_left_goes_with_the_next(tmp_path):
    source, home = pose(tmp_path, "ours"), tmp_path / "cache" / "pose"
    left = home / f".{digest_of_pose(source)}.new-a1b2c3d4"
    left.mkdir(parents=True)
    (left / "half").write_text("a module", encoding="utf-8")
    assert copy_of_pose(source, tmp_path / "cache").parent == home
    assert not left.exists()
