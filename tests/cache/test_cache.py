"""The cache of real small environments: listed, damaged, verified, repaired, pruned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import filelock
import pytest

from envcheck.cache.kept import contents
from envcheck.cache.prune import prune
from envcheck.cache.verify import verify
from envcheck.environments.held import hold
from envcheck.errors import UsageError
from tests.small import MINE, environ_of, make_world

DAY = timedelta(days=1)
HOLDER = """
import sys, time
from pathlib import Path
from envcheck.environments.held import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""
BUILDER = """
import sys
from envcheck.report.steps import Steps
from tests.small import load
world = load(sys.argv[1])
world.environment("venv").prepare(world.recipe, sys.argv[2], watch=Steps())
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A world whose environment is there: to be copied, as building one takes seconds."""
    world = make_world(tmp_path_factory.mktemp("built"))
    argv = [sys.executable, "-c", BUILDER, world.dump(), MINE]
    subprocess.run(argv, env=environ_of(world), check=True)
    return world


@pytest.fixture
def cache(built, tmp_path):
    return shutil.copytree(built.cache, tmp_path / "cache", symlinks=True)


def only(found, kind):
    (one,) = (one for one in found.kept if one.kind == kind)
    return one


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_everything_is_listed_with_its_size(cache):
    found = contents(cache)
    assert {one.kind for one in found.kept} == {"wheel", "environment", "pose", "log"}
    wheel = only(found, "wheel")
    assert wheel.name == "alpha-1.0-py3-none-any.whl"
    assert wheel.bytes == (wheel.path / wheel.name).stat().st_size
    assert found.bytes == sum(one.bytes for one in found.kept)


def test_a_cache_that_is_not_there_holds_nothing(tmp_path):
    assert contents(tmp_path / "nowhere").kept == ()


def test_what_was_just_built_is_whole(cache, listener):
    verified = verify(contents(cache), listener, repair=False)
    assert (verified.whole, verified.damaged) == (3, ())


def in_wheel(one):
    flip_a_bit(next(one.path.glob("*.whl")))


def in_module(one):
    flip_a_bit(next(one.path.glob("lib/python3*/site-packages/alpha.py")))


def without_module(one):
    next(one.path.glob("lib/python3*/site-packages/alpha.py")).unlink()


def in_pose(one):
    flip_a_bit(next(one.path.glob("pose/*.py")))


def in_what_is_started(one):
    (one.path / "__main__.py").write_text("print('somebody else')\n")


def beside_what_is_started(one):
    (one.path / "json.py").write_text("raise SystemExit('shadowed')\n")


def without_a_distribution(one):
    shutil.rmtree(next(one.path.glob("lib/python3*/site-packages/alpha-*.dist-info")))


def without_anything(one):
    for path in one.path.glob("lib/python3*/site-packages/*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def without_anything_and_older(one):
    """As an environment of an envcheck that did not keep what it had installed."""
    marker = json.loads((one.path / "envcheck.json").read_text())
    del marker["installed"]
    (one.path / "envcheck.json").write_text(json.dumps(marker))
    without_anything(one)


@pytest.mark.parametrize(
    ("kind", "damage", "said"),
    [
        ("wheel", in_wheel, "has another digest than"),
        ("environment", in_module, "alpha.py is not what its wheel held"),
        ("environment", without_module, "alpha.py is gone"),
        ("environment", lambda one: (one.path / "envcheck.json").write_text("{"), "envcheck.json"),
        ("environment", lambda one: (one.path / "bin/python").unlink(), "its interpreter is gone"),
        ("environment", without_a_distribution, "alpha-1.0.dist-info is gone"),
        ("environment", without_anything, "nothing is installed in it"),
        ("environment", without_anything_and_older, "nothing is installed in it"),
        ("pose", in_pose, "its files are not those"),
        ("pose", in_what_is_started, "its files are not those"),
        ("pose", beside_what_is_started, "its files are not those"),
    ],
)
def test_one_damage_is_found_named_and_repaired_by_removal(cache, listener, kind, damage, said):
    one = only(contents(cache), kind)
    damage(one)
    (found,) = verify(contents(cache), listener, repair=False).damaged
    assert (found.kind, found.path) == (kind, one.path)
    assert said in found.what[0]
    assert one.path.exists()
    repaired = verify(contents(cache), listener, repair=True)
    assert repaired.removed
    assert not one.path.exists()
    assert not verify(contents(cache), listener, repair=True).removed


def test_what_was_used_lately_stays_and_the_rest_goes(cache):
    wheel, environment = (only(contents(cache), kind) for kind in ("wheel", "environment"))
    now = datetime.now(timezone.utc)
    old = (now - 11 * DAY).timestamp()
    os.utime(environment.path, (old, old))
    pruned = prune(contents(cache), 10)
    assert [one.path for one in pruned.removed] == [environment.path]
    assert pruned.bytes == environment.bytes
    assert not environment.path.exists()
    assert wheel.path.exists()
    assert len(prune(contents(cache), 10, now + 11 * DAY).removed) == 3
    assert contents(cache).kept == ()


LEFT = [
    "wheels/.fetch-abc",
    "envs/.pose-py3.11.new-abc",
    "images/.x.context-abc",
    "bundles/.0123.new-abc",
    "pose/.0123.new-abc",
    ".proof-abc",
    "proofs/0123abc.4711",
    "proofs/.0123abc.json.gone-abc",
    "..proof-abc.gone-abc",
]


@pytest.mark.parametrize("left", LEFT)
def test_what_was_killed_left_something_that_goes_when_it_is_a_day_old(tmp_path, left):
    (tmp_path / left).mkdir(parents=True)
    later = datetime.now(timezone.utc)
    assert only(contents(tmp_path), "leftover").path == tmp_path / left
    assert prune(contents(tmp_path), 0, later + DAY / 2).removed == ()
    assert len(prune(contents(tmp_path), 0, later + 2 * DAY).removed) == 1
    assert contents(tmp_path).kept == ()


def test_what_a_run_holds_stays_until_that_is_killed(cache, root):
    environment = only(contents(cache), "environment")
    later = datetime.now(timezone.utc) + 2 * DAY
    with held_by_a_run(environment.path, root):
        assert [one.path for one in prune(contents(cache), 1, later).held] == [environment.path]
        assert environment.path.exists()
    assert environment.path in [one.path for one in prune(contents(cache), 1, later).removed]


@contextmanager
def held_by_a_run(path, root):
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}) as run:
        try:
            assert run.stdout.readline() == b"held\n"
            yield
        finally:
            run.kill()


def test_what_is_damaged_and_held_is_named_and_stays(cache, root, listener):
    environment = only(contents(cache), "environment")
    in_module(environment)
    in_wheel(only(contents(cache), "wheel"))
    with held_by_a_run(environment.path, root):
        verified = verify(contents(cache), listener, repair=True)
    assert [one.path for one in verified.held] == [environment.path]
    assert (environment.path / "envcheck.json").exists()
    assert [one.kind for one in verify(contents(cache), listener, repair=False).damaged] == ["environment"]


def test_a_damaged_thing_that_is_a_link_is_repaired_by_removing_the_link(cache, tmp_path, listener):
    environment = only(contents(cache), "environment")
    in_module(environment)
    shutil.move(environment.path, tmp_path / "elsewhere")
    environment.path.symlink_to(tmp_path / "elsewhere")
    assert verify(contents(cache), listener, repair=True).removed
    assert not environment.path.is_symlink()
    assert (tmp_path / "elsewhere" / "envcheck.json").exists()


def test_what_somebody_else_has_removed_meanwhile_is_no_damage(cache, listener):
    listed = contents(cache)
    for kind in ("wheel", "environment", "pose"):
        shutil.rmtree(only(listed, kind).path)
    verified = verify(listed, listener, repair=True)
    assert (verified.damaged, verified.held, verified.removed) == ((), (), False)


def test_a_wheel_stays_while_somebody_fetches(cache):
    listed = contents(cache)
    later = datetime.now(timezone.utc) + 2 * DAY
    with filelock.FileLock(cache / "wheels" / ".lock"):
        pruned = prune(listed, 1, later)
        assert [one.kind for one in pruned.held] == ["wheel"]
        assert only(contents(cache), "wheel")
    assert "wheel" in {one.kind for one in prune(listed, 1, later).removed}


def test_what_was_used_since_it_was_listed_stays(cache):
    environment = only(contents(cache), "environment")
    old = time.time() - 90 * 86400
    os.utime(environment.path, (old, old))
    listed = contents(cache)
    os.utime(environment.path)
    pruned = prune(listed, 30)
    assert (pruned.removed, pruned.held) == ((), ())
    assert environment.path.exists()


def test_a_dry_run_names_what_would_go_and_removes_nothing(cache):
    later = datetime.now(timezone.utc) + 2 * DAY
    pruned = prune(contents(cache), 1, later, dry_run=True)
    assert len(pruned.removed) == 4
    assert contents(cache).kept == pruned.removed


def test_what_was_used_in_the_future_counts_as_used_when_it_is_first_looked_at(cache):
    environment = only(contents(cache), "environment")
    now = datetime.now(timezone.utc)
    ahead = (now + 3650 * DAY).timestamp()
    os.utime(environment.path, (ahead, ahead))
    prune(contents(cache), 30, now, dry_run=True)
    assert environment.path.stat().st_mtime == ahead
    assert prune(contents(cache), 30, now).removed == ()
    assert environment.path not in [one.path for one in prune(contents(cache), 30, now + 29 * DAY).removed]
    assert environment.path in [one.path for one in prune(contents(cache), 30, now + 31 * DAY).removed]


def test_a_clock_that_was_set_back_makes_nothing_older(cache):
    environment = only(contents(cache), "environment")
    ahead = time.time() + 3600
    os.utime(environment.path, (ahead, ahead))
    assert hold(environment.path)
    assert environment.path.stat().st_mtime == ahead


@pytest.mark.parametrize("days", ["nan", "inf", "1e9", "-1"])
def test_days_that_are_none_are_bad_input(cache, days):
    with pytest.raises(UsageError, match="--keep-days is"):
        prune(contents(cache), float(days))


def test_using_an_environment_marks_it_as_used(built, listener):
    environment = only(contents(built.cache), "environment")
    old = time.time() - 90 * 86400
    os.utime(environment.path, (old, old))
    assert built.environment("venv").prepare(built.recipe, MINE, watch=listener).reused
    assert environment.path.stat().st_mtime > old + 80 * 86400


def test_the_verbs_say_it_and_exit_by_it(cache, root):
    def envcheck(*words):
        argv = [sys.executable, "-c", "from envcheck.cli import main; main()", "cache", *words]
        environ = {**os.environ, "PYTHONPATH": str(root), "ENVCHECK_CACHE": str(cache)}
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert json.loads(envcheck("list", "--format", "json").stdout)["schema"] == "envcheck.cache/1"
    assert envcheck("verify").returncode == 0
    in_wheel(only(contents(cache), "wheel"))
    damaged = envcheck("verify")
    assert damaged.returncode == 1
    assert "✗ wheel alpha-1.0-py3-none-any.whl" in damaged.stdout
    assert envcheck("verify", "--repair").returncode == 0
    assert "0 things removed" in " ".join(envcheck("prune").stdout.split())
    assert "would be removed" in " ".join(envcheck("prune", "--dry-run").stdout.split())
    assert envcheck("prune", "--keep-days", "nan").returncode == 2
