from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from envcheck.environments.here import run_here, shell_here
from envcheck.environments.place import Limits, Place, Work
from envcheck.errors import UsageError


@pytest.fixture
def place(tmp_path) -> Place:
    """An environment whose python says that it is the one; its folder needs quoting."""
    python = tmp_path / "it's $HOME" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho ours\n", encoding="utf-8")
    python.chmod(0o755)
    return Place("venv", "x", "0" * 64, python, "3.11", reused=True)


def test_a_shell_that_is_not_bash_is_started_as_it_is(place, tmp_path, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert shell_here(place, tmp_path) == ("/usr/bin/zsh",)
    monkeypatch.delenv("SHELL")
    assert shell_here(place, tmp_path) == ("/bin/sh",)


@pytest.mark.parametrize("bashrc", [None, 'PATH="$HOME/theirs:$PATH"\nMINE=yes\n'])
def test_bash_finds_the_environment_first_whatever_ones_own_settings_put_before_it(
    place, tmp_path, monkeypatch, bashrc
):
    home = tmp_path / "home"
    (home / "theirs").mkdir(parents=True)
    (home / "theirs" / "python").write_text("#!/bin/sh\necho theirs\n", encoding="utf-8")
    (home / "theirs" / "python").chmod(0o755)
    if bashrc:
        (home / ".bashrc").write_text(bashrc, encoding="utf-8")
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("HOME", str(home))
    shell, *options = shell_here(place, tmp_path)
    done = subprocess.run(
        [shell, *options],
        input="python; echo $MINE.",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["ours", "yes." if bashrc else "."]


def test_a_command_has_the_callers_environment_with_ours_on_top(place, monkeypatch, capfd):
    for name in ("A", "B", "C"):
        monkeypatch.setenv(name, "callers")
    work = Work(argv=("sh", "-c", "python; echo $A $B $C; exit 3"), variables={"C": "works"})
    ended = run_here(place, work, {"B": "ours", "C": "ours"})
    assert (ended.code, ended.out_of_memory) == (3, False)
    assert capfd.readouterr().out == "ours\ncallers ours works\n"


def test_a_command_is_heard_and_logged_and_not_shown_where_nobody_wants_that(place, capfd, tmp_path):
    heard = bytearray()
    run_here(place, Work(argv=("echo", "a"), log=tmp_path / "log", heard=heard, show=False))
    assert (bytes(heard), (tmp_path / "log").read_text(), capfd.readouterr().out) == (b"a\n", "a\n", "")


def test_a_command_at_a_terminal_has_it_for_itself(place, capfd, tmp_path):
    """No pipe of ours is between: its output is the very file that ours is."""
    code = 'test "$(readlink /proc/$$/fd/1)" = "$(readlink /proc/$PPID/fd/1)" && echo same'
    run_here(place, Work(argv=("sh", "-c", code), terminal=True, log=tmp_path / "log"))
    assert capfd.readouterr().out == "same\n"
    assert not (tmp_path / "log").exists()
    run_here(place, Work(argv=("sh", "-c", code)))
    assert capfd.readouterr().out == ""


def test_a_path_that_is_not_set_is_the_systems(place, monkeypatch, capfd):
    monkeypatch.delenv("PATH")
    assert run_here(place, Work(argv=("/bin/sh", "-c", "echo $PATH"))).code == 0
    assert capfd.readouterr().out == f"{Path(place.python).parent}{os.pathsep}{os.defpath}\n"


@pytest.mark.parametrize("limits", [Limits(memory=1 << 30), Limits(cpus=0.5)])
def test_limits_are_for_containers(place, limits, capfd):
    with pytest.raises(UsageError, match=r"--memory and --cpus limit a container") as caught:
        run_here(place, Work(argv=("echo", "a"), limits=limits))
    assert "--in docker" in caught.value.hint
    assert capfd.readouterr().out == ""
    assert run_here(place, Work(argv=("true",), limits=Limits(network=True))).code == 0
