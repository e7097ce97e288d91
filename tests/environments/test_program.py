from __future__ import annotations

import shutil
import sys
from pathlib import Path

from envcheck.environments.program import copy_of_pose
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
