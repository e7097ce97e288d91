"""The whole way through the product, for real: drawn people, training, testing and prediction.

The environment is built from the lock of the recipe that fits this machine, in the user's own cache: one
test pays for it, every later one, and every later session, finds it there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CFG = "experiments/drawn/res18_96x64.yaml"
SHORT = ("TRAIN.END_EPOCH", "1", "TRAIN.LR_STEP", "[1]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The working directory, with a `pose` package of the user's own that must not get in the way."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "pose").mkdir()
    (folder / "pose" / "__init__.py").write_text("raise SystemExit('the user\\'s own pose was imported')\n")
    return folder


def command(*words) -> list[str]:
    return [sys.executable, "-c", "from envcheck.cli import main; main()", "run", *map(str, words)]


@pytest.fixture(scope="module")
def run(root, folder, engineless):
    environ = {**os.environ, **engineless, "PYTHONPATH": str(root)}

    def call(*words) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words), capture_output=True, text=True, cwd=folder, env=environ, timeout=280, check=False
        )

    return call


@pytest.fixture(scope="module")
def people(run, folder) -> Path:
    done = run("synth", "--output", "people", "--train", 32, "--val", 8)
    assert done.returncode == 0, done.stderr
    return folder / "people"


@pytest.fixture(scope="module")
def trained(run, folder, people) -> Path:
    done = run("train", "--cfg", CFG, "--data", people, "--output", "out", *SHORT, "GPUS", "(0,)")
    assert done.returncode == 0, done.stderr
    return folder / "out" / "coco" / "pose_resnet" / Path(CFG).stem / "final_state.pth"


def newest_record(parent: Path, stage: str):
    run = max(parent.glob(f"runs/*-{stage}-*"))
    return json.loads((run / "record.json").read_text(encoding="utf-8"))


def test_training_leaves_weights_and_a_record_that_tells_everything(folder, trained):
    assert trained.is_file()
    record = newest_record(folder / "out", "train")
    assert record["exit_code"] == 0
    assert record["choice"]["recipe"] == record["environment"]["recipe"]
    assert record["environment"]["kind"] == "venv"
    assert record["proof"]["kept"] is True
    assert record["config"]["TRAIN"]["END_EPOCH"] == 1
    assert record["dataset"]["fingerprint"]
    assert str(trained) in {str((folder / output["path"]).resolve()) for output in record["outputs"]}
    assert all(len(output["sha256"]) == 64 for output in record["outputs"])


def test_testing_prints_the_table_of_the_public_implementation(run, people, trained):
    boxes = people / "person_detection_results" / "COCO_val2017_detections_drawn_person.json"
    done = run(
        *("test", "--cfg", CFG, "--data", people, "--output", "out", "TEST.MODEL_FILE", trained),
        *("TEST.USE_GT_BBOX", "False", "TEST.COCO_BBOX_FILE", boxes),
    )
    assert done.returncode == 0, done.stderr
    header, rule, row = done.stdout.strip().splitlines()[-3:]
    assert (
        header == "| Arch | AP | Ap .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |"
    )
    assert set(rule) <= set("|-")
    assert row.startswith("| pose_resnet | ")


def test_prediction_draws_on_a_picture_and_writes_its_joints(run, folder, people, trained):
    picture = next((people / "images" / "val2017").glob("*.jpg"))
    done = run("pred", "--cfg", CFG, picture, "TEST.MODEL_FILE", trained)
    assert done.returncode == 0, done.stderr
    outputs = [Path(output["path"]) for output in newest_record(folder, "pred")["outputs"]]
    assert sorted(path.suffix for path in outputs) == [".jpg", ".json"]
    document = json.loads(next(path for path in outputs if path.suffix == ".json").read_text())
    assert [len(person["keypoints"]) for person in document["people"]] == [51]


def test_an_interrupted_training_ends_with_130_and_goes_on_where_it_was(root, folder, people, run):
    words = ("train", "--cfg", CFG, "--data", people, "--output", "long", "TRAIN.END_EPOCH", 400)
    process = subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    kept = folder / "long" / "coco" / "pose_resnet" / Path(CFG).stem / "checkpoint.pth"
    deadline = time.monotonic() + 200
    while not kept.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert newest_record(folder / "long", "train")["exit_code"] == 130
    finished = int(said.rpartition("stopped; " if "stopped; " in said else "stopped: ")[2].split()[0])
    assert finished >= 1
    done = run(*words[:-1], finished + 1, "AUTO_RESUME", "True")
    assert done.returncode == 0, done.stderr
    assert f" {finished + 1}/{finished + 1} " in done.stdout
    assert f" {finished}/" not in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        (("train", "--cfg", "absent.yaml"), "absent.yaml", "experiments/"),
        (("train", "--cfg", CFG, "GPUS", "0"), "GPUS", "'(0,)'"),
        (("train", "--cfg", CFG, "TRAIN.EPOCHS", "3"), "TRAIN.EPOCHS", "TRAIN."),
        (("train", "--cfg", CFG, "--data", "nowhere"), "nowhere", ""),
        (("pred", "--cfg", CFG, "absent.jpg"), "absent.jpg", ""),
    ],
)
def test_bad_input_is_one_sentence_with_the_stages_exit_code(run, words, sentence, hint):
    done = run(*words, "--output", "bad")
    assert done.returncode == 2
    error = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert sentence in error
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_this_interpreter_can_be_used_as_it_is_and_its_differences_are_said(run, folder):
    pytest.importorskip("torch", reason="this interpreter has no torch to use")
    done = run("env", "--in", "current", "--output", "current")
    assert done.returncode == 0, done.stderr
    record = newest_record(folder / "current", "env")
    assert record["environment"]["kind"] == "current"
    assert record["proof"]["torch"]
