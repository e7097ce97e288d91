"""Checkpoints inside an epoch: nothing that was learnt is lost, and going on ends with the same bits.

Long because every way to stop, and to go on as another run, is tried on one small training.
"""

from __future__ import annotations

import csv
import errno
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.data import dataset  # noqa: E402
from pose.errors import INTERRUPTED  # noqa: E402
from pose.networks import checkpoint  # noqa: E402
from pose.stages import learn, test  # noqa: E402
from pose.stages.synth import write_dataset  # noqa: E402
from tests.engines import until  # noqa: E402

OUT = Path("coco") / "pose_resnet" / "small"
TRAIN = ("train", "--cfg", "small.yaml")  # ten people in batches of four, four and two; two epochs
TIMES = {"samples_per_second", "seconds"}
OFTEN = ("TRAIN.CHECKPOINT_MINUTES", "1e-9")  # after every batch


def rows(folder):
    """The history without what depends on the clock."""
    with (folder / OUT / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{name: row[name] for name in row if name not in TIMES} for row in csv.DictReader(file)]


def ended(folder):
    """What a run comes to: its weights' bytes and its history."""
    names = ("final_state.pth", "model_best.pth")
    return [(folder / OUT / name).read_bytes() for name in names], rows(folder)


@pytest.fixture
def whole(workplace, pose):
    """An uninterrupted run, with no checkpoint inside its epochs."""
    assert pose(*TRAIN, "--output", "whole", "TRAIN.CHECKPOINT_MINUTES", "0.0")[0] == 0
    return ended(workplace / "whole")


@pytest.fixture
def stop_at(monkeypatch):
    """Asks the training to stop during its step of this number, counted from 1; gives the steps it made."""

    def ask(step):
        made, original = [], learn._step  # noqa: SLF001

        def counted(*arguments):
            made.append(original(*arguments))
            if len(made) == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return made[-1]

        monkeypatch.setattr(learn, "_step", counted)
        return made

    return ask


@pytest.fixture
def pictures(monkeypatch):
    """The pictures that are read."""
    read, original = [], dataset.read_picture

    def noted(path, **options):
        read.append(path)
        return original(path, **options)

    monkeypatch.setattr(dataset, "read_picture", noted)
    return read


def position(folder):
    return checkpoint.read_checkpoint(folder / OUT / "checkpoint.pth")["position"]


@pytest.mark.parametrize(("step", "epoch", "batches"), [(1, 0, 1), (3, 0, 3), (5, 1, 2)])
def test_a_stop_inside_an_epoch_keeps_its_batches_and_the_rest_ends_with_the_same_bits(
    workplace, pose, whole, stop_at, step, epoch, batches
):
    stop_at(step)
    code, _, err = pose(*TRAIN, "--output", "parts")
    assert code == INTERRUPTED
    assert f"{epoch} of 2 epochs are finished and kept in parts" in err
    assert f"{batches} of 3 batches of epoch {epoch + 1}" in err
    assert "AUTO_RESUME True goes on from there" in err
    kept = checkpoint.read_checkpoint(workplace / "parts" / OUT / "checkpoint.pth")
    assert (kept["epoch"], kept["position"]["batches"]) == (epoch, batches)
    made = stop_at(None)
    assert pose(*TRAIN, "--output", "parts")[0] == 0
    assert len(made) == 6 - step
    assert ended(workplace / "parts") == whole


@pytest.mark.usefixtures("workplace")
def test_of_the_batches_that_were_learnt_no_picture_is_read(pose, stop_at, pictures):
    stop_at(2)
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    pictures.clear()
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    assert len({path for path in pictures if path.parent.name == "train2017"}) == 2  # of ten people, 4 + 4


def test_batches_of_an_epoch_that_is_no_longer_asked_for_are_said_to_be_in_the_last_weights(
    workplace, pose, stop_at
):
    stop_at(5)
    pose("--run-dir", "run", *TRAIN)
    result = json.loads((workplace / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["problem"].startswith("stopped: 1 of 2 epochs are finished")
    stop_at(None)
    code, _, err = pose("--run-dir", "run", *TRAIN, "TRAIN.END_EPOCH", "1")
    assert code == 0
    assert "final_state.pth has 2 batches of the next epoch in it, too" in err
    result = json.loads((workplace / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["problem"] == ""


def test_a_stop_during_the_test_keeps_the_epoch_which_is_not_learnt_again(
    workplace, pose, whole, stop_at, monkeypatch
):
    with monkeypatch.context() as patch:
        original = test.inference.find

        def stopped(*arguments, **options):
            os.kill(os.getpid(), signal.SIGINT)
            return original(*arguments, **options)

        patch.setattr(test.inference, "find", stopped)
        code, _, err = pose(*TRAIN, "--output", "parts")
    assert code == INTERRUPTED
    assert "3 of 3 batches of epoch 1" in err
    made = stop_at(None)
    assert pose(*TRAIN, "--output", "parts")[0] == 0
    assert len(made) == 3  # the second epoch's
    assert ended(workplace / "parts") == whole


def test_epochs_that_are_not_tested_are_kept_by_a_stop_as_well(workplace, pose, stop_at):
    words = ("TRAIN.EVAL_EVERY", "3", "TRAIN.END_EPOCH", "3")
    assert pose(*TRAIN, "--output", "whole", *words)[0] == 0
    stop_at(5)
    code, _, err = pose(*TRAIN, "--output", "parts", *words)
    assert code == INTERRUPTED
    assert "1 of 3 epochs are finished" in err
    assert "2 of 3 batches of epoch 2" in err
    made = stop_at(None)
    assert pose(*TRAIN, "--output", "parts", *words)[0] == 0
    assert len(made) == 4
    assert ended(workplace / "parts") == ended(workplace / "whole")


def test_checkpoints_by_the_clock_are_written_inside_epochs_and_change_nothing(
    workplace, pose, whole, monkeypatch
):
    written, original = [], checkpoint.write

    def noted(path, content, **options):
        if path.name == "checkpoint.pth":
            inside = content["position"]
            written.append((content["epoch"], inside["batches"] if inside else 0))
        original(path, content, **options)

    monkeypatch.setattr(checkpoint, "write", noted)
    assert pose(*TRAIN, "--output", "often", *OFTEN)[0] == 0
    assert written == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]
    assert ended(workplace / "often") == whole


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("TRAIN.BATCH_SIZE_PER_GPU", "5"), "batch 5 instead of 4"),
        (("--seed", "7"), "seed 7 instead of 0"),
        (("TRAIN.SHUFFLE", "False"), "shuffled False instead of True"),
        (("DATASET.FLIP", "False"), "DATASET.FLIP False instead of True"),
    ],
)
def test_in_another_order_the_position_means_nothing_and_the_epoch_starts_over_aloud(
    workplace, pose, stop_at, words, said
):
    stop_at(5)
    pose(*TRAIN)
    made = stop_at(None)
    code, _, err = pose(*TRAIN, *words)
    assert code == 0, err
    assert f"after 2 of 3 batches of epoch 2; with {said} the rest is not known" in err
    assert "that epoch starts over" in err
    assert position(workplace / "output") is None
    assert len(made) == (2 if "5" in words else 3)


@pytest.mark.usefixtures("workplace")
def test_an_epoch_that_is_learnt_is_tested_in_whatever_order_it_was_learnt(pose, stop_at):
    stop_at(3)
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    made = stop_at(None)
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "1", "TRAIN.BATCH_SIZE_PER_GPU", "5")
    assert (code, made) == (0, [])
    assert "starts over" not in err


class Noisy(torch.nn.Module):
    """A network that draws from every random generator while it learns."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pictures):
        import random

        import numpy as np

        maps = self.model(pictures)
        if self.training:
            drawn = random.random() + np.random.rand() + torch.rand(())  # noqa: NPY002, S311
            maps = torch.nn.functional.dropout(maps, 0.1) * (1 + 0.01 * drawn)
        return maps


def test_every_random_generator_is_put_back_where_it_was(workplace, pose, stop_at, monkeypatch):
    from pose.networks import models

    build = models.build
    monkeypatch.setattr(models, "build", lambda config: Noisy(build(config)))
    assert pose(*TRAIN, "--output", "whole")[0] == 0
    stop_at(5)
    assert pose(*TRAIN, "--output", "parts")[0] == INTERRUPTED
    stop_at(None)
    assert pose(*TRAIN, "--output", "parts")[0] == 0
    assert ended(workplace / "parts") == ended(workplace / "whole")


def test_a_position_is_plain_data_that_torch_reads_as_well(workplace, pose, stop_at):
    stop_at(5)
    pose(*TRAIN)
    content = torch.load(workplace / "output" / OUT / "checkpoint.pth")  # with the default of this torch
    assert content["epoch"] == 1  # which the public implementation begins with, as if it were at its start
    order = content["position"]["order"]
    plain = {name: order[name] for name in ("seed", "people", "batch", "shuffled")}
    assert plain == {"seed": 0, "people": 10, "batch": 4, "shuffled": True}
    assert order == content["order"]
    (states,) = content["position"]["random"]
    assert states.keys() == {"python", "numpy", "torch", "cuda"}


@pytest.mark.parametrize(
    "change",
    [
        {"order": {}},
        {"batches": 0},
        {"batches": "x"},
        {"loss_sums": None},
        {"random": 3},
        {"random": [{"python": []}]},
        {"batches": float("inf")},
        {"seconds": float("nan")},
    ],
)
def test_a_position_that_is_none_is_refused_in_a_sentence(workplace, pose, stop_at, change):
    stop_at(5)
    pose(*TRAIN)
    path = workplace / "output" / OUT / "checkpoint.pth"
    content = checkpoint.read_checkpoint(path)
    checkpoint.write(path, {**content, "position": {**content["position"], **change}})
    code, _, err = pose(*TRAIN)
    assert code == 2, err
    assert "checkpoint.pth cannot be resumed from" in err


@pytest.mark.parametrize("keys", [[2**40], [-1], ["x"], []])
def test_random_states_that_are_none_are_refused_in_a_sentence(workplace, pose, stop_at, keys):
    stop_at(5)
    pose(*TRAIN)
    path = workplace / "output" / OUT / "checkpoint.pth"
    content = checkpoint.read_checkpoint(path)
    content["position"]["random"][0]["numpy"][1] = keys
    checkpoint.write(path, content)
    code, _, err = pose(*TRAIN)
    assert code == 2, err
    assert "cannot be resumed from: no random states" in err


@pytest.mark.parametrize("place", [-1, 10**6])
def test_a_random_state_that_points_past_its_end_is_refused(workplace, pose, stop_at, place):
    stop_at(5)
    pose(*TRAIN)
    path = workplace / "output" / OUT / "checkpoint.pth"
    content = checkpoint.read_checkpoint(path)
    content["position"]["random"][0]["numpy"][2] = place
    checkpoint.write(path, content)
    code, _, err = pose(*TRAIN)
    assert code == 2, err
    assert f"no place {place}" in err


@pytest.mark.parametrize(
    "change",
    [{"epoch": math.inf}, {"epoch": -3}, {"epoch": "x"}, {"perf": math.nan}, {"order": {"seed": -1}}],
)
def test_a_checkpoint_that_counts_nothing_is_refused_in_a_sentence(workplace, pose, change):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    path = workplace / "output" / OUT / "checkpoint.pth"
    checkpoint.write(path, {**checkpoint.read_checkpoint(path), **change})
    code, _, err = pose(*TRAIN)
    assert code == 2, err
    assert "checkpoint.pth cannot be resumed from" in err


def test_averages_that_do_not_fit_their_weights_are_refused_before_a_step_reads_past_them(workplace, pose):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    path = workplace / "output" / OUT / "checkpoint.pth"
    content = checkpoint.read_checkpoint(path)
    for average in content["optimizer"]["state"].values():
        average["exp_avg"] = average["exp_avg_sq"] = torch.zeros(1)
    checkpoint.write(path, content)
    code, _, err = pose(*TRAIN)
    assert code == 2, err
    assert "checkpoint.pth cannot be resumed from: its optimiser's exp_avg does not fit a weight of" in err


@pytest.fixture
def other_people(workplace):
    """Puts as many others into the place of those that small.yaml names."""

    def put():
        drawn = workplace / "others"
        write_dataset(drawn, seed=4, train=10, val=4, size=(96, 128))
        config = workplace / "small.yaml"
        lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
        config.write_text(
            "".join(f"  ROOT: {drawn}\n" if "ROOT:" in line else line for line in lines), encoding="utf-8"
        )

    return put


def test_of_another_data_set_of_the_same_length_the_epoch_at_hand_starts_over_aloud(
    workplace, pose, stop_at, other_people
):
    stop_at(5)
    pose(*TRAIN)
    other_people()
    made = stop_at(None)
    code, _, err = pose(*TRAIN)
    assert code == 0, err
    assert "after 2 of 3 batches of epoch 2; with another data set the rest is not known" in err
    assert len(made) == 3
    assert position(workplace / "output") is None


@pytest.mark.usefixtures("workplace")
def test_at_an_epochs_boundary_another_data_set_or_seed_is_said_as_well(pose, other_people):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    assert code == 0
    assert "in another way" not in err
    other_people()
    code, _, err = pose(*TRAIN, "--seed", "7")
    assert code == 0
    assert "was learnt in another way: from here on seed 7 instead of 0, another data set" in err


def test_a_run_that_starts_anew_and_is_killed_leaves_no_other_runs_checkpoint_to_be_resumed(
    workplace, pose, root
):
    pose(*TRAIN, "TRAIN.END_EPOCH", "2")
    folder = workplace / "output" / OUT
    written = (folder / "checkpoint.pth").read_bytes()
    argv = [sys.executable, "-c", WAITS_TO_BE_ASKED.replace("sleep(1)", "sleep(600)"), *TRAIN]
    argv += ["AUTO_RESUME", "False", "--seed", "7"]
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.stdout.readline() != "second step\n":
            assert process.poll() is None
        process.kill()
        _, err = process.communicate(timeout=60)
    assert "checkpoint.pth is another one's, and is kept as checkpoint_earlier.pth" in err
    assert (folder / "checkpoint_earlier.pth").read_bytes() == written
    assert not (folder / "checkpoint_before.pth").exists()
    code, _, err = pose("--run-dir", "run", *TRAIN, "TRAIN.END_EPOCH", "1")
    assert code == 0
    assert "resuming" not in err
    result = json.loads((workplace / "run" / "result.json").read_text(encoding="utf-8"))
    assert (result["resumed_from"], result["seed"]) == (None, 0)


def test_what_begins_later_and_keeps_nothing_is_not_called_kept(workplace, pose, stop_at, monkeypatch):
    def full(_content, _partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    stop_at(1)
    code, _, err = pose("--run-dir", "run", *TRAIN, "TRAIN.BEGIN_EPOCH", "1")
    assert code == INTERRUPTED
    assert "stopped: 0 of 2 epochs are finished and kept" in err
    assert "goes on from there" not in err
    result = json.loads((workplace / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["epochs_done"] == 0


@pytest.mark.usefixtures("workplace")
def test_a_position_that_was_given_up_is_not_called_kept(pose, stop_at, monkeypatch):
    stop_at(2)
    pose(*TRAIN)

    def full(_content, _partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    stop_at(1)
    code, _, err = pose(*TRAIN, "--seed", "7")
    assert code == INTERRUPTED
    assert "stopped: 0 of 2 epochs are finished and kept in output/coco/pose_resnet/small\n" in err


def test_a_disk_that_is_full_inside_an_epoch_is_said_and_training_goes_on(
    workplace, pose, whole, monkeypatch
):
    original = torch.save

    def full(content, partial):
        if content.get("position"):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(content, partial)

    monkeypatch.setattr(torch, "save", full)
    code, _, err = pose(*TRAIN, "--output", "parts", *OFTEN)
    assert code == 0
    assert err.count("No space left on device; training goes on") == 6
    assert ended(workplace / "parts") == whole


def test_a_disk_that_is_full_at_an_epochs_end_stops_it_and_what_was_kept_stays(
    workplace, pose, whole, monkeypatch
):
    original = torch.save

    def full(content, partial):
        if content.get("epoch") == 2:
            partial.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        original(content, partial)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        code, _, err = pose(*TRAIN, "--output", "parts")
    assert code == 1
    assert f"error: {Path('parts') / OUT / 'checkpoint.pth'} cannot be written: No space left" in err
    assert checkpoint.read_checkpoint(workplace / "parts" / OUT / "checkpoint.pth")["epoch"] == 1
    assert not list((workplace / "parts" / OUT).glob(".*"))
    assert pose(*TRAIN, "--output", "parts")[0] == 0
    assert ended(workplace / "parts") == whole


def test_a_stop_on_a_full_disk_says_what_is_lost(workplace, pose, stop_at, monkeypatch):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    stop_at(2)

    def full(_content, _partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    code, _, err = pose(*TRAIN)
    assert code == INTERRUPTED
    assert "what was learnt since the checkpoint before is lost" in err
    assert "stopped: 1 of 2 epochs are finished and kept in output" in err
    assert "batches of epoch" not in err
    assert position(workplace / "output") is None


@pytest.mark.parametrize("number", [1, 3])
def test_the_number_of_workers_changes_no_bit_of_what_is_learnt(workplace, pose, monkeypatch, number):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(8))
    for workers in (0, number):
        words = ("WORKERS", str(workers), "OUTPUT_DIR", f"with{workers}")
        code, _, err = pose(*TRAIN, *words)
        assert code == 0, err
        assert "becomes" not in err.replace("becomes the CPU", "")
    assert ended(workplace / "with0") == ended(workplace / f"with{number}")


def test_a_signal_before_anything_is_learnt_ends_it_as_ctrl_c_does(workplace, root):
    argv = [sys.executable, "-m", "pose", "--run-dir", "run", *TRAIN, "TRAIN.END_EPOCH", "100"]
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as process:
        until((workplace / "run" / "proof.json").exists, 60)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    # Where the interrupt comes into code that a C extension evaluates, Python ends by SIGINT itself, whatever
    # was caught since: to a shell, and to envcheck, that is 130 as well.
    assert process.returncode in {INTERRUPTED, -signal.SIGINT}, err
    assert "stopped" in err
    assert "Traceback" not in err


def test_two_fresh_processes_learn_the_same_bits(workplace, root):
    for name in ("one", "two"):
        argv = [sys.executable, "-m", "pose", *TRAIN, "--output", name]
        env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert ended(workplace / "one") == ended(workplace / "two")


@pytest.mark.usefixtures("workplace")
def test_of_an_epochs_files_the_checkpoint_is_the_last(pose, monkeypatch):
    """So that a SIGKILL between any two leaves nothing undone that the checkpoint says was done."""
    named, replace = [], Path.replace

    def noted(path, target):
        named.append(Path(target).name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    assert pose(*TRAIN, "TRAIN.CHECKPOINT_MINUTES", "0.0")[0] == 0
    tested = ["keypoints_val2017_results_0.json", "history.csv", "model_best.pth"]
    at_the_end = ["final_state.pth", "curves.png", "predictions.jpg"]
    first = [*tested, "checkpoint.pth"]
    assert named == [*first, *tested, *at_the_end, "checkpoint_before.pth", "checkpoint.pth"]


WAITS_TO_BE_ASKED = """
import sys, time
from pose.__main__ import main
from pose.stages import learn
step, steps = learn._step, []
def counted(*arguments):
    steps.append(0)
    if len(steps) == 2:
        print("second step", flush=True)
        time.sleep(1)
    return step(*arguments)
learn._step = counted
sys.exit(main(sys.argv[1:]))
"""


def test_a_signal_to_all_processes_stops_the_training_and_not_its_workers(workplace, root):
    """As a terminal's Ctrl-C and Slurm send it: a worker that died would take the batch at hand with it."""
    words = (*TRAIN, "WORKERS", "2", "TRAIN.BATCH_SIZE_PER_GPU", "1")
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS_TO_BE_ASKED, *words],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        while process.stdout.readline() != "second step\n":
            pass
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, err
    assert "2 of 10 batches of epoch 1" in err
    assert position(workplace / "output")["batches"] == 2
