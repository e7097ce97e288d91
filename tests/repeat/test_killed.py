"""Trainings that somebody kills, for real: what their records say, and what the readers make of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

from envcheck.repeat.diff import compare
from envcheck.repeat.find import find_run
from tests.pose.conftest import SMALL

_MAIN = (sys.executable, "-c", "from envcheck.cli import main; main()")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with drawn people and a config for them."""
    from pose.stages.synth import write_dataset

    folder = tmp_path_factory.mktemp("killed")
    write_dataset(folder / "people", seed=3, train=10, val=4, size=(96, 128))
    (folder / "small.yaml").write_text(SMALL.format(root="people"), encoding="utf-8")
    return folder


@pytest.fixture
def killed(root, place, tmp_path, monkeypatch):
    """`killed(who)` trains for an epoch, kills "stage" or "envcheck", gives the run's folder."""
    monkeypatch.chdir(place)
    environ = {**os.environ, "PYTHONPATH": str(root), "ENVCHECK_CACHE": str(tmp_path / "cache")}

    def kill(who: str) -> Path:
        words = (
            "--cfg",
            "small.yaml",
            "--in",
            "current",
            "--output",
            str(tmp_path),
            "TRAIN.END_EPOCH",
            "400",
        )
        process = subprocess.Popen(
            [*_MAIN, "run", "train", *words],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        until = time.monotonic() + 60
        while not (told := list(tmp_path.glob("runs/*/result.json"))) or not _epochs(told[0]):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        (stage,) = (one for one in _children(process.pid) if b"--run-dir" in _argv(one))  # not its warden
        os.kill(stage if who == "stage" else process.pid, signal.SIGKILL)
        process.communicate(timeout=60)  # of envcheck itself: until the stage has nobody to speak to
        return told[0].parent

    return kill


def _epochs(result: Path) -> int:
    return len(json.loads(result.read_text(encoding="utf-8"))["epochs"])


def _argv(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _children(pid: int) -> list[int]:
    said = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in said.split()]


def test_a_killed_stages_record_says_how_far_it_got(killed):
    _, record = find_run(str(killed("stage")))
    assert (record.exit_code, record.exit_code_of) == (128 + signal.SIGKILL, "stage")
    assert record.ended is not None
    _holds_what_was_known(record)
    assert any(one.path.endswith("checkpoint.pth") for one in record.outputs)
    (said,) = set(compare(record, record).lacking)
    assert said == f"{record.id} failed with exit code 137"


def test_where_envcheck_itself_is_killed_its_readers_add_what_the_stage_has_left(killed):
    folder = killed("envcheck")
    written = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert (written["ended"], written["config"]) == (None, None)
    _, record = find_run(str(folder))
    assert record.ended is None
    _holds_what_was_known(record)
    (said,) = set(compare(record, record).lacking)
    assert said.startswith(f"{record.id} has not ended, or envcheck was killed, ")


def _holds_what_was_known(record):
    assert record.config["TRAIN"]["END_EPOCH"] == 400
    assert record.seed == 0
    assert len(record.dataset["fingerprint"]) == 64
    assert record.computing["threads"] >= 1
    assert record.proof["torch"]
    assert record.epochs[0]["epoch"] == 1
    assert len(record.seconds["learning"]) == len(record.epochs)
    assert record.memory["host_mib"] > 100
