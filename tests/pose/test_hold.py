"""One run at a time in an output folder: the second is told whose it is, and a dead one holds nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pose.command.hold import LOCK, hold
from pose.errors import PoseError

HOLDER = """
import os, sys, time
from pathlib import Path
from pose.command.hold import hold
with hold(Path(sys.argv[1]), "train", Path("runs/20261130T050000Z-train-ab12")):
    if sys.argv[2:]:  # a worker that outlives it
        if not os.fork():
            time.sleep(600)
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(root, tmp_path):
    """Starts another process that holds a folder."""
    started = []

    def start(*words):
        env = {**os.environ, "PYTHONPATH": str(root)}
        argv = [sys.executable, "-c", HOLDER, "output", *words]
        process = subprocess.Popen(
            argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # nobody is left of it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names():
    return sorted(path.name for path in Path("output").iterdir())


def refusal(folder=Path("output")):
    with pytest.raises(PoseError) as caught, hold(folder, "train", None):
        pass
    return caught.value


def test_the_second_run_is_told_the_firsts_name_and_what_to_do(holder):
    first = holder()
    error = refusal()
    assert "the output folder output is in use by run 20261130T050000Z-train-ab12 (train," in error.message
    assert f"process {first.pid} on {os.uname().nodename}, since 20" in error.message
    assert error.hint.startswith("wait until that has ended, or --output DIR")
    assert error.exit_code == 1


@pytest.mark.parametrize("words", [(), ("worker",)])
def test_a_killed_run_holds_nothing_even_where_a_worker_of_its_outlives_it(holder, words):
    first = holder(*words)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with hold(Path("output"), "train", None):
        assert json.loads(Path("output", LOCK).read_text(encoding="utf-8"))["run"] is None
    assert names() == []


def test_another_folder_is_free(holder):
    holder()
    with hold(Path("elsewhere"), "train", None):
        pass


def test_a_folder_into_which_nothing_came_goes_again_and_one_that_was_used_stays():
    with hold(Path("a/b/c"), "train", None):
        pass
    assert not Path("a").exists()
    with hold(Path("a/b/c"), "train", None):
        Path("a/b/kept").write_text("x")
    assert sorted(map(str, Path("a").rglob("*"))) == ["a/b", "a/b/kept"]


def test_a_folder_is_free_again_after_a_failure():
    with pytest.raises(ValueError, match="broken"), hold(Path("output"), "train", None):
        raise ValueError("broken")
    with hold(Path("output"), "train", None):
        pass


def test_whoever_had_it_removes_the_file_and_the_next_one_takes_a_new_one(monkeypatch):
    """The lock of a file that was removed meanwhile keeps nobody out."""
    lock, removed = fcntl.lockf, []

    def late(handle, how):
        lock(handle, how)
        if not removed:
            removed.append(Path("output", LOCK))
            removed[0].unlink()

    monkeypatch.setattr(fcntl, "lockf", late)
    with hold(Path("output"), "train", None):
        assert Path("output", LOCK).exists()


def test_a_file_system_without_locks_is_said_once_and_goes_on(monkeypatch, capsys):
    def lockless(_handle, _how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", lockless)
    with hold(Path("output"), "train", None):
        Path("output/made").touch()
    assert capsys.readouterr().err.count("nothing keeps a second run from writing there too") == 1
    assert names() == ["made"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": 1}', "\x1b[2J" * 3000, "[" * 4090])
def test_whatever_the_lock_file_says_the_second_is_refused_in_a_sentence(holder, text):
    holder()
    Path("output", LOCK).write_text(text)
    assert refusal().message == "the output folder output is in use by another run"


def linked(lock):
    lock.symlink_to("../victim")


def linked_hard(lock):
    os.link("victim", lock)


@pytest.mark.parametrize("lay", [linked, linked_hard, os.mkfifo, Path.mkdir])
def test_what_is_no_plain_file_is_no_lock_and_is_not_written_to(lay):
    Path("victim").write_text("precious")
    Path("output").mkdir()
    lay(Path("output", LOCK))
    error = refusal()
    assert error.message == f"output/{LOCK} is no plain file, and so not the lock of a run"
    assert error.exit_code == 1
    assert Path("victim").read_text() == "precious"
    assert names() == [LOCK]


@pytest.fixture
def another_user(tmp_path):
    """Lets the block be somebody else who may write into the folder, as far as one may be: root."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user: not verified")
    tmp_path.chmod(0o755)

    @contextlib.contextmanager
    def become():
        Path("output").chmod(0o777)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


def test_another_users_run_is_named_as_ones_own_is(holder, another_user):
    holder()
    with another_user():
        error = refusal()
    assert "the output folder output is in use by run 20261130T050000Z-train-ab12 (train," in error.message


def test_of_another_users_killed_run_the_file_to_remove_is_named(holder, another_user):
    first = holder()
    first.kill()
    first.wait()
    with another_user():
        error = refusal()
        assert "output/.run.json was left behind by another user's run 20261130T05" in error.message
        assert "remove output/.run.json" in error.hint
        Path("output", LOCK).unlink()
        with hold(Path("output"), "train", None):
            pass


def test_a_folder_that_takes_no_files_is_named_as_before(another_user):
    Path("output").mkdir()
    with another_user():
        os.seteuid(0)
        Path("output").chmod(0o755)
        os.seteuid(65534)
        error = refusal()
    assert error.message == "the output folder output cannot be written to: Permission denied"


def test_a_place_that_cannot_be_written_to_is_named():
    Path("file").write_text("")
    error = refusal(Path("file/output"))
    assert error.message.startswith("the output folder file/output cannot be written to: ")
    assert (error.exit_code, error.hint) == (1, "--output DIR (or OUTPUT_DIR) names another one")


def test_what_killed_writers_left_is_removed():
    litter = [Path("output/.checkpoint.pth-abcd1234"), Path("output/results/.k.json-abcd1234")]
    for path in litter:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    with hold(Path("output"), "train", None):
        assert not any(path.exists() for path in litter)


@pytest.mark.parametrize("stage", ["train", "test"])
def test_a_stage_is_refused_before_it_touches_a_folder_that_is_in_use(holder, people, small, pose, stage):
    holder_folder = Path("output")
    holder()
    Path("small.yaml").write_text(small.format(root=people), encoding="utf-8")
    made = holder_folder / "coco/pose_resnet/small"
    made.parent.mkdir(parents=True)
    made.symlink_to(holder_folder.absolute())  # the stage's own folder below OUTPUT_DIR
    code, out, err = pose(stage, "--cfg", "small.yaml")
    assert (code, out) == (1, "")
    assert "in use by run 20261130T050000Z-train-ab12" in err
    assert names() == [LOCK, "coco"]


def test_people_are_not_drawn_into_a_folder_that_is_in_use(holder, pose):
    pytest.importorskip("torch", reason="needs the pose extra")
    holder()
    code, out, err = pose("synth", "--out", "output", "--train", "1", "--val", "1")
    assert (code, out) == (1, "")
    assert "in use by run 20261130T050000Z-train-ab12" in err
    assert names() == [LOCK]


def test_the_demo_is_refused_before_it_draws_anybody(holder, pose):
    pytest.importorskip("torch", reason="needs the pose extra")
    holder()
    code, _, err = pose("demo", "--out", "output")
    assert code == 1
    assert "in use by run 20261130T050000Z-train-ab12" in err
    assert names() == [LOCK]
