from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from envcheck.environments.held import hold, let_go, remove
from envcheck.environments.place import Work
from envcheck.environments.venv import Venv
from envcheck.errors import EnvcheckError
from envcheck.processes import capture
from tests.wheels import make_wheel, pin_of

MINE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class SmallRecipe:
    """Only what a build asks of a recipe; the real ones weigh gigabytes."""

    lock: Path
    name: str = "small"
    tag: str = "cpu"
    size: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(download_mib=1, installed_mib=1))

    def lock_for(self, python):
        return self.lock if python == MINE else None


@pytest.fixture
def venvs(tmp_path) -> Venv:
    return Venv(tmp_path / "cache", {MINE: sys.executable}, tmp_path / "program.py")


@pytest.fixture
def recipe(tmp_path, index) -> SmallRecipe:
    lock = tmp_path / "small.txt"
    lock.write_text(pin_of(make_wheel(index, "alpha-1.0-py3-none-any.whl")) + "\n", encoding="utf-8")
    return SmallRecipe(lock)


def test_an_environment_holds_what_the_lock_names_and_its_scripts_run(venvs, recipe, listener):
    place = venvs.prepare(recipe, MINE, watch=listener)
    answer = capture([str(place.python.parent / "alpha-tool")], seconds=30)
    assert (answer.code, answer.stdout) == (0, "alpha 1.0\n")
    assert not place.reused


def test_a_second_build_of_the_same_lock_is_reused_at_once(venvs, recipe, listener, index):
    first = venvs.prepare(recipe, MINE, watch=listener)
    steps = len(listener.steps)
    for wheel in index.iterdir():
        wheel.unlink()
    second = venvs.prepare(recipe, MINE, watch=listener)
    assert second.reused
    assert second.python == first.python
    assert len(listener.steps) == steps


def test_another_lock_makes_another_environment(venvs, recipe, listener, index):
    first = venvs.prepare(recipe, MINE, watch=listener)
    recipe.lock.write_text(pin_of(make_wheel(index, "alpha-2.0-py3-none-any.whl")) + "\n", encoding="utf-8")
    second = venvs.prepare(recipe, MINE, watch=listener)
    assert first.python != second.python
    assert (
        capture([str(first.python), "-c", "import alpha; alpha.main()"], seconds=30).stdout == "alpha 1.0\n"
    )
    assert (
        capture([str(second.python), "-c", "import alpha; alpha.main()"], seconds=30).stdout == "alpha 2.0\n"
    )


def test_an_environment_whose_interpreter_is_gone_is_built_again(venvs, recipe, listener):
    place = venvs.prepare(recipe, MINE, watch=listener)
    place.python.unlink()
    assert not venvs.prepare(recipe, MINE, watch=listener).reused
    assert capture([str(place.python), "-c", "import alpha"], seconds=30).code == 0


def test_a_failed_build_leaves_nothing_half_made(venvs, recipe, listener, index):
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(EnvcheckError, match="no index that pip knows"):
        venvs.prepare(recipe, MINE, watch=listener)
    assert [path for path in (venvs.cache / "envs").iterdir() if path.is_dir()] == []


def test_an_environment_needs_room_for_its_wheels_too(venvs, recipe, listener, monkeypatch):
    recipe.size = SimpleNamespace(download_mib=300, installed_mib=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1200 << 20))
    with pytest.raises(EnvcheckError, match=r"An environment of small needs 1,300 MiB and .* has 1,200 MiB"):
        venvs.prepare(recipe, MINE, watch=listener)
    assert listener.steps == []


def test_the_users_constraints_have_no_say_beside_a_lock(venvs, recipe, listener, tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("alpha<1\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    assert not venvs.prepare(recipe, MINE, watch=listener).reused


def test_the_callers_pythonpath_does_not_leak_into_an_environment(
    venvs, recipe, listener, tmp_path, monkeypatch
):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "alpha.py").write_text("raise SystemExit('shadowed')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "theirs"))
    place = venvs.prepare(recipe, MINE, watch=listener)
    venvs.program.write_text("import sys, alpha; alpha.main(); print(sys.argv[1:])\n", encoding="utf-8")
    answer = capture(venvs.stage(place, ["env"]), seconds=30)
    assert answer.stdout == "alpha 1.0\n['env']\n"


BUILDER = """
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from envcheck.environments.venv import Venv

class Watch:
    @contextmanager
    def step(self, title):
        print(title, flush=True)
        yield lambda news: None

cache, lock, python = sys.argv[1:]
recipe = SimpleNamespace(name="small", tag="cpu", lock_for=lambda *_: Path(lock),
                         size=SimpleNamespace(download_mib=1, installed_mib=1))
print(Venv(Path(cache), {python: sys.executable}, Path("pose")).prepare(recipe, python, watch=Watch()).reused)
"""


def start_builder(venvs: Venv, recipe: SmallRecipe, root: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", BUILDER, str(venvs.cache), str(recipe.lock), MINE]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def test_parallel_builders_of_one_environment_build_it_once(venvs, recipe, root):
    builders = [start_builder(venvs, recipe, root) for _ in range(2)]
    results = sorted(builder.communicate(timeout=120)[0].splitlines()[-1] for builder in builders)
    assert results == ["False", "True"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_environment_and_the_next_one_succeeds(
    venvs, recipe, root, listener, number
):
    builder = start_builder(venvs, recipe, root)
    assert builder.stdout is not None
    assert "virtual environment" in builder.stdout.readline()
    deadline = time.monotonic() + 30
    while not any((venvs.cache / "envs").glob(".small-*/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    builder.send_signal(number)
    builder.communicate(timeout=60)
    assert builder.returncode == -number
    assert not any((venvs.cache / "envs").glob("small-*"))
    place = venvs.prepare(recipe, MINE, watch=listener)
    assert not place.reused
    assert [path.name for path in (venvs.cache / "envs").iterdir() if path.is_dir()] == [
        place.python.parts[-3]
    ]


def test_the_marker_says_what_an_environment_was_built_from(venvs, recipe, listener):
    place = venvs.prepare(recipe, MINE, watch=listener)
    marker = json.loads((place.python.parent.parent / "envcheck.json").read_text(encoding="utf-8"))
    assert marker["schema"] == "envcheck.environment/1"
    assert marker["lock_hash"] == place.lock_hash
    assert marker["installed"] == ["alpha-1.0.dist-info"]
    (info,) = place.python.parent.parent.glob("lib/python3*/site-packages/alpha-1.0.dist-info")
    shutil.rmtree(info)
    assert not venvs.prepare(recipe, MINE, watch=listener).reused
    assert info.is_dir()


def test_a_command_finds_the_environment_first_and_is_told_of_it(
    venvs, recipe, listener, tmp_path, monkeypatch, capfd
):
    place = venvs.prepare(recipe, MINE, watch=listener)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "python").write_text("#!/bin/sh\necho theirs\n", encoding="utf-8")
    (tmp_path / "theirs" / "python").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'theirs'}{os.pathsep}{os.environ['PATH']}")
    code = "import alpha, os; alpha.main(); print(os.environ['VIRTUAL_ENV'], os.environ['A'])"
    ended = venvs.run(place, Work(argv=("python", "-c", code), variables={"A": "b"}))
    assert (ended.code, ended.out_of_memory) == (0, False)
    assert capfd.readouterr().out == f"alpha 1.0\n{place.python.parents[1]} b\n"


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_an_environment_whose_library_was_damaged_is_built_again_and_that_is_said(
    venvs, recipe, listener, index, damage
):
    wheel = make_wheel(index, "beta-1.0-py3-none-any.whl", library="compiled")
    recipe.lock.write_text(f"{pin_of(wheel)}\n", encoding="utf-8")
    home = venvs.prepare(recipe, MINE, watch=listener).python.parent.parent
    library = next(home.glob("lib/python3*/site-packages/beta_fast.so"))
    library.write_text("compile") if damage == "cut" else library.unlink()
    place = venvs.prepare(recipe, MINE, watch=listener)
    assert not place.reused
    assert library.read_text() == "compiled"
    assert any(step.startswith(f"replace {home.name}: beta_fast.so ") for step in listener.steps)
    assert venvs.prepare(recipe, MINE, watch=listener).reused


def test_an_environment_is_held_before_it_is_looked_at(venvs, recipe, root, listener, monkeypatch):
    assert start_builder(venvs, recipe, root).wait(timeout=120) == 0
    taken = []

    def looked_at(home, *_):
        with let_go(home) as is_free:
            taken.append(is_free)
        return iter(())

    monkeypatch.setattr("envcheck.environments.venv.missing_parts", looked_at)
    assert venvs.prepare(recipe, MINE, watch=listener).reused
    assert taken == [False]


def test_an_environment_that_is_gone_when_it_is_held_is_built_again(venvs, recipe, listener, monkeypatch):
    home = venvs.prepare(recipe, MINE, watch=listener).python.parent.parent

    def pruned(thing):
        if thing == home and home.exists():
            remove(home)
            return False
        return hold(thing)

    monkeypatch.setattr("envcheck.environments.venv.hold", pruned)
    assert not venvs.prepare(recipe, MINE, watch=listener).reused
    assert (home / "bin" / "python").exists()
