"""Interpreters are looked at or asked, not believed; stand-ins are shell scripts on a PATH of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.host import python as python_module
from envcheck.host.python import read_python

RUNNING = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def search_path(tmp_path, monkeypatch):
    """An empty folder as PATH, and no interpreter that runs the tests in the way."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(python_module.sys, "executable", str(tmp_path / "gone"))
    return folder


def stand_in(path: Path, answer: str, code: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)


def read(folder, **environ):
    return read_python({"PATH": str(folder), "HOME": str(folder), **environ})


def test_the_running_interpreter_is_asked_like_the_others():
    python = read_python({"PATH": "/nonexistent", "HOME": "/nonexistent"})
    assert python.version == Version("{}.{}.{}".format(*sys.version_info[:3]))
    assert python.executable == sys.executable
    found = {**python.interpreters, **python.incomplete}
    is_itself = [found[RUNNING], "-c", "import sys; raise SystemExit(sys.prefix != sys.base_prefix)"]
    assert subprocess.run(is_itself, check=False).returncode == 0, "that is a virtual environment"


def test_what_is_seen_of_an_interpreter_is_what_it_says_itself():
    base = Path(sys.base_prefix) / "bin" / f"python{RUNNING}"
    real = base.resolve()
    assert python_module.seen(real) == python_module.ask(str(real))


@pytest.mark.parametrize(
    "change",
    [
        lambda prefix: (prefix / "bin/python3.12").write_text("#!/bin/sh\n"),
        lambda prefix: (prefix / "lib/python3.12/os.py").unlink(),
        lambda prefix: (prefix / "bin/python3.12").rename(prefix / "bin/pypy3.12"),
    ],
)
def test_what_could_be_a_shim_or_another_python_is_asked(tmp_path, change):
    library = tmp_path / "lib/python3.12"
    for name in ("venv", "ensurepip"):
        (library / name).mkdir(parents=True)
    (library / "os.py").touch()
    program = tmp_path / "bin/python3.12"
    program.parent.mkdir()
    program.write_bytes(b"\x7fELF")
    assert python_module.seen(program) == ("3.12", True, str(program))
    change(tmp_path)
    (program,) = program.parent.iterdir()
    assert python_module.seen(program) is None


def test_an_interpreter_on_path_serves_under_the_version_that_it_says(search_path):
    stand_in(search_path / "python3", "cpython 3.12 1 /usr/bin/python3.12")
    assert read(search_path).interpreters == {"3.12": "/usr/bin/python3.12"}


def test_an_interpreter_without_venv_is_incomplete(search_path):
    stand_in(search_path / "python3.11", "cpython 3.11 0 /usr/bin/python3.11")
    python = read(search_path)
    assert python.interpreters == {}
    assert python.incomplete == {"3.11": "/usr/bin/python3.11"}


def test_a_complete_interpreter_stands_for_its_version_wherever_it_is_found(search_path):
    stand_in(search_path / "python3.11", "cpython 3.11 0 /usr/bin/python3.11")
    stand_in(search_path / ".pyenv/versions/3.11.7/bin/python3.11", "cpython 3.11 1 /3.11.7/python3.11")
    python = read(search_path)
    assert python.interpreters == {"3.11": "/3.11.7/python3.11"}
    assert python.incomplete == {}


def test_pyenv_keeps_its_versions_where_pyenv_root_says(search_path, tmp_path):
    stand_in(tmp_path / "pyenv/versions/3.13.1/bin/python3.13", "cpython 3.13 1 /x y/python3.13")
    assert read(search_path, PYENV_ROOT=str(tmp_path / "pyenv")).interpreters == {"3.13": "/x y/python3.13"}


def test_uv_keeps_its_pythons_in_the_data_folder_or_where_it_is_told_to(search_path, tmp_path):
    own = search_path / ".local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu/bin/python3.12"
    stand_in(own, "cpython 3.12 1 /own")
    stand_in(search_path / ".local/share/uv/python/pypy-3.11.1-linux/bin/python3.11", "pypy 3.11 1 /pypy")
    threads = (
        search_path / ".local/share/uv/python/cpython-3.13.0+freethreaded-linux-x86_64-gnu/bin/python3.13"
    )
    stand_in(threads, "cpython 3.13 1 /threads")
    assert read(search_path).interpreters == {"3.12": "/own"}
    stand_in(tmp_path / "kept/cpython-3.13.1-linux/bin/python3.13", "cpython 3.13 1 /told")
    assert read(search_path, UV_PYTHON_INSTALL_DIR=str(tmp_path / "kept")).interpreters == {"3.13": "/told"}
    stand_in(tmp_path / "data/uv/python/cpython-3.11.1-linux/bin/python3.11", "cpython 3.11 1 /data")
    assert read(search_path, XDG_DATA_HOME=str(tmp_path / "data")).interpreters == {"3.11": "/data"}


def test_pyenvs_shims_do_not_hide_what_stands_behind_them_on_path(search_path):
    stand_in(search_path / ".pyenv/shims/python3.11", "cpython 3.11 1 /shim")
    stand_in(search_path / "bin/python3.11", "cpython 3.11 1 /usr/bin/python3.11")
    found = read(search_path, PATH=f"{search_path}/.pyenv/shims:{search_path}/bin").interpreters
    assert found == {"3.11": "/usr/bin/python3.11"}


def test_a_pyenv_that_cannot_be_looked_into_is_passed_over(search_path):
    stand_in(search_path / "python3", "cpython 3.12 1 /usr/bin/python3.12")
    too_long = "/" + 300 * "x"  # for root no folder is closed, but this one cannot be opened either
    assert read(search_path, PYENV_ROOT=too_long).interpreters == {"3.12": "/usr/bin/python3.12"}


def test_shims_of_nothing_other_implementations_and_other_versions_do_not_count(search_path):
    stand_in(search_path / "python3.10", "pyenv: python3.10: command not found", code=127)
    stand_in(search_path / "python3.12", "pypy 3.12 1 /usr/bin/pypy3.12")
    stand_in(search_path / "python3", "cpython 3.9 1 /usr/bin/python3.9")
    python = read(search_path)
    assert (python.interpreters, python.incomplete) == ({}, {})


def test_an_interpreter_that_hangs_is_left_alone(search_path, monkeypatch):
    fifo = search_path / "never"
    os.mkfifo(fifo)
    hanging = search_path / "python3.12"
    hanging.write_text(f"#!/bin/sh\nread line < {fifo}\n")
    hanging.chmod(0o755)
    stand_in(search_path / "python3.13", "cpython 3.13 1 /usr/bin/python3.13")
    monkeypatch.setattr(python_module, "_TIME_LIMIT_S", 1.0)
    assert read(search_path).interpreters == {"3.13": "/usr/bin/python3.13"}
