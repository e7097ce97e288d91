"""Two processes that train as one, over gloo on the CPU: against one process, and when one of them ends.

Long because every way in which one of two can end is tried on the same nine people.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

import numpy as np  # noqa: E402

from pose.command.config import Config, Options, load  # noqa: E402
from pose.data.dataset import CropDataset, batches  # noqa: E402
from pose.errors import FAILED, FOLLOWED, INTERRUPTED, PoseError  # noqa: E402
from pose.judging import datasets, inference  # noqa: E402
from pose.machines import devices, torchrun  # noqa: E402
from pose.machines.interruption import stop_on_signals  # noqa: E402
from pose.machines.team import Team  # noqa: E402
from pose.networks import checkpoint, models  # noqa: E402
from pose.stages import test  # noqa: E402

OUT = Path("coco") / "pose_resnet" / "small"
# The command as it is, on a machine that seems to have two GPUs until the two processes are there.
PROGRAM = """
import os, signal, sys, torch
from pose.machines import devices
from pose.stages import learn
from pose.__main__ import main

rank = os.environ.get("RANK")
if rank is None:
    devices.usable = lambda config: (0, 1)
{patch}
sys.exit(main())
"""
FROZEN = "torch.nn.BatchNorm2d.train = lambda self, mode=True: torch.nn.Module.train(self, False)"
# SGD, whose steps differ as little as the gradients do: Adam divides by them, so that 1e-10 becomes 1e-3.
SGD = ("TRAIN.OPTIMIZER", "sgd", "TRAIN.LR", "0.1", "TRAIN.LR_STEP", "(9,)")
GPUS = ("GPUS", "(0,1)")


def start(root, here, patch, *words):
    """The running command, in a session of its own."""
    (here / "program.py").write_text(PROGRAM.format(patch=patch), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "program.py", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(argv, cwd=here, env=env, start_new_session=True, **pipes)


def train(root, here, patch, *words, before=()):
    """Exit code, stdout and stderr of a training by two processes."""
    with start(root, here, patch, *before, "train", "--cfg", "small.yaml", *GPUS, *words) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def left_over(here):
    """The processes that still work in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it has just gone, or is another user's
            if place.readlink() == here:
                found.append(place.parent.name)
    return found


@pytest.fixture(scope="module")
def nine(place, small) -> Path:
    """A working directory with small.yaml for nine people to learn from."""
    from pose.stages.synth import write_dataset

    here = place
    write_dataset(here / "drawn", seed=3, train=9, val=4, size=(96, 128))
    (here / "small.yaml").write_text(small.format(root="drawn"), encoding="utf-8")
    return here


@pytest.fixture(scope="module")
def together(root, nine):
    """An epoch of batches of 3 + 3 and 2 + 1 people, with batch statistics that stay as they are."""
    words = (*SGD, "TRAIN.BATCH_SIZE_PER_GPU", "3", "TRAIN.END_EPOCH", "1", "TEST.BATCH_SIZE_PER_GPU", "1")
    return train(root, nine, FROZEN, *words, "OUTPUT_DIR", "two", before=("--run-dir", "run"))


@pytest.fixture
def alone(nine, pose, monkeypatch):
    """The same, frozen as well, in this process."""
    monkeypatch.chdir(nine)

    def stay(self, _mode=None):
        return torch.nn.Module.train(self, mode=False)

    def run(*words):
        with monkeypatch.context() as patch:
            patch.setattr(torch.nn.BatchNorm2d, "train", stay)
            code, _, err = pose("train", "--cfg", "small.yaml", *SGD, *words)
        assert code == 0, err

    return run


def kept(nine, name):
    return checkpoint.read_checkpoint(nine / name / OUT / "checkpoint.pth")


def assert_same_weights(one, two):
    """Equal but for the order of float32 sums: 6e-8 of a value for each of a few thousand in a gradient."""
    for name, value in one["state_dict"].items():
        scale = float(value.abs().max()) if value.is_floating_point() else 1.0
        assert float((value - two["state_dict"][name]).abs().max()) <= 2e-5 * scale + 1e-7, name


def losses(nine, name):
    text = (nine / name / OUT / "history.csv").read_text(encoding="utf-8")
    return [float(line.split(",")[1]) for line in text.splitlines()[1:]]


def test_two_processes_learn_what_one_learns_from_the_joined_batches(nine, together, alone):
    code, _, err = together
    assert code == 0, err
    alone("TRAIN.BATCH_SIZE_PER_GPU", "6", "TRAIN.END_EPOCH", "1", "OUTPUT_DIR", "one")
    assert losses(nine, "two") == pytest.approx(losses(nine, "one"), rel=1e-5)
    one, two = kept(nine, "one"), kept(nine, "two")
    assert_same_weights(one, two)
    fresh = models.build(load(str(nine / "small.yaml"), (), Options())[0].MODEL).state_dict()
    moved = (one["state_dict"]["module.final_layer.bias"] - fresh["final_layer.bias"]).abs().max()
    assert float(moved) > 1e-3, "nothing was learnt that could differ"
    assert one.keys() == two.keys()
    assert list(one["state_dict"]) == list(two["state_dict"])


def test_only_the_first_process_is_heard_and_writes(nine, together):
    code, out, err = together
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["epoch", "1/1"])
    assert err.count("people to learn from") == 1
    assert "2 processes learn together, batches of 6" in err
    (log,) = (nine / "two" / OUT).glob("*.log")
    assert log.read_text(encoding="utf-8").count("seed 0\n") == 1
    result = json.loads((nine / "run" / "result.json").read_text(encoding="utf-8"))
    assert (result["epochs_done"], {path.name for path in (nine / "run").iterdir()}) == (
        1,
        {"proof.json", "result.json"},
    )
    assert left_over(nine) == []


def test_a_signal_ends_both_after_the_batch_and_keeps_finished_epochs(root, nine, pose, monkeypatch):
    words = ("train", "--cfg", "small.yaml", *GPUS, "OUTPUT_DIR", "stopped")
    words = (
        *words,
        "TRAIN.END_EPOCH",
        "1000",
        "TEST.BATCH_SIZE_PER_GPU",
        "1",
        "TRAIN.BATCH_SIZE_PER_GPU",
        "3",
    )
    with start(root, nine, "", *words) as process:
        for line in process.stdout:
            if line.split()[0] == "2/1000":
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        err = process.stderr.read()
    assert process.returncode == INTERRUPTED
    assert err.count("stopped: ") == 1
    assert "of 1000 epochs are finished and kept" in err
    assert "Traceback" not in err
    assert left_over(nine) == []
    monkeypatch.chdir(nine)
    done = kept(nine, "stopped")["epoch"]
    assert f"stopped: {done} of 1000" in err
    # Both tested with the running statistics that are kept, though each had learnt from people of its own.
    before = checkpoint.read_checkpoint(nine / "stopped" / OUT / "checkpoint_before.pth")  # the last test's
    assert (before["epoch"], before["position"]) == (done, None)
    weights = ("TEST.MODEL_FILE", str(nine / "stopped" / OUT / "checkpoint_before.pth"))
    assert pose("test", "--cfg", "small.yaml", *weights, "OUTPUT_DIR", "tested")[0] == 0
    by_two, by_one = (found_values(nine / name) for name in ("stopped", "tested"))
    assert by_two == pytest.approx(by_one, abs=1e-5)


def found_values(folder):
    """Every joint's heat map value in the results file."""
    results = folder / OUT / "results" / "keypoints_val2017_results_0.json"
    people = json.loads(results.read_text(encoding="utf-8"))
    assert len(people) == 4
    return [value for person in people for value in person["keypoints"][2::3]]


# Of two batches in each of two epochs, the third is learnt when the second process is asked to stop.
STOPPED = """
step = learn._step
steps = []
def counted(*arguments):
    steps.append(0)
    if rank == "1" and len(steps) == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return step(*arguments)
learn._step = counted
"""


@pytest.mark.slow
def test_a_team_that_was_stopped_inside_an_epoch_ends_with_the_bits_of_one_that_was_not(root, nine):
    words = ("TRAIN.BATCH_SIZE_PER_GPU", "3", "TRAIN.END_EPOCH", "2", "TEST.BATCH_SIZE_PER_GPU", "1")
    code, _, err = train(root, nine, "", *words, "OUTPUT_DIR", "uninterrupted")
    assert code == 0, err
    code, _, err = train(root, nine, STOPPED, *words, "OUTPUT_DIR", "gone-on")
    assert code == INTERRUPTED, err
    assert "stopped: 1 of 2 epochs are finished and kept in" in err
    assert "and 1 of 2 batches of epoch 2" in err
    kept_sums = kept(nine, "gone-on")["position"]["loss_sums"]
    assert len(kept_sums) == len(set(kept_sums)) == 2  # each process's own
    code, _, err = train(root, nine, "", *words, "OUTPUT_DIR", "gone-on")
    assert code == 0, err
    assert "resuming" in err
    whole, parts = (nine / name / OUT for name in ("uninterrupted", "gone-on"))
    assert losses(nine, "gone-on") == losses(nine, "uninterrupted")
    for name in ("final_state.pth", "model_best.pth"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()


@pytest.mark.slow
def test_another_number_of_processes_goes_on_from_a_checkpoint(root, nine, together, alone):
    assert together[0] == 0
    first = ("TRAIN.BATCH_SIZE_PER_GPU", "6", "TRAIN.END_EPOCH", "1")
    alone(*first, "OUTPUT_DIR", "first")
    # 2 + 2, 2 + 2 and 1 + 0 people: the second process has nobody at last.
    second = ("TRAIN.END_EPOCH", "2", "OUTPUT_DIR", "first")
    code, _, err = train(root, nine, FROZEN, *SGD, "TRAIN.BATCH_SIZE_PER_GPU", "2", *second)
    assert code == 0, err
    alone("TRAIN.BATCH_SIZE_PER_GPU", "4", "TRAIN.END_EPOCH", "2", "OUTPUT_DIR", "two")
    assert losses(nine, "first") == pytest.approx(losses(nine, "two"), rel=1e-5)
    assert_same_weights(kept(nine, "first"), kept(nine, "two"))


OUT_OF_MEMORY = """
look = learn._look
def fail(learner, network, batch):
    seen = look(learner, network, batch)  # DistributedDataParallel is ready for its gradients by now
    if len(batch["image"]) > 1:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    return seen
if rank == "1":
    learn._look = fail
"""
KILLED = """
def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)
if rank == "1":
    learn._look = die
"""


@pytest.mark.slow
def test_a_process_out_of_memory_says_so_once_and_ends_both(root, nine):
    code, _, err = train(root, nine, OUT_OF_MEMORY, "OUTPUT_DIR", "dying")
    assert code == FAILED, err
    assert err.count("error: ") == err.count("error: CUDA out of memory") == 1
    assert "TRAIN.BATCH_SIZE_PER_GPU 1 fits here" in err.splitlines()[-1]  # torchrun adds nothing
    assert "Traceback" not in err
    assert left_over(nine) == []


@pytest.mark.slow
def test_a_process_that_is_killed_is_named_and_ends_both(root, nine):
    code, _, err = train(root, nine, KILLED, "OUTPUT_DIR", "dying")
    assert code == FAILED, err
    assert err.count("error: ") == err.count("error: process 1 of 2 was killed by signal 9") == 1
    assert "Traceback" not in err
    assert left_over(nine) == []


STUCK = """
import time
def stuck(*_arguments):
    print("stuck", flush=True)
    time.sleep(200)
learn._look = stuck
"""


@pytest.mark.slow
def test_a_second_signal_stops_both_at_once(root, nine):
    with start(root, nine, STUCK, "train", "--cfg", "small.yaml", *GPUS, "OUTPUT_DIR", "stuck") as process:
        for line in process.stdout:
            if line == "stuck\n":
                break
        process.send_signal(signal.SIGINT)
        time.sleep(2)  # longer than an echo
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert err.splitlines()[-1] == "stopped at once"
    assert "Traceback" not in err
    assert left_over(nine) == []


ONE_IS_ASKED = """
look = learn._look
def counted(*arguments):
    with open(f"steps-{rank}", "a") as file:
        file.write("x")
    if rank == "1" and os.path.getsize("steps-1") == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return look(*arguments)
learn._look = counted
"""


@pytest.mark.slow
def test_where_one_is_asked_to_stop_all_stop_after_the_same_step(root, nine):
    code, _, err = train(root, nine, ONE_IS_ASKED, "OUTPUT_DIR", "asked")
    assert code == INTERRUPTED, err
    assert err.count("stopped: 1 of 2 epochs") == 1  # nine people are two batches of 4 + 4 and 1 + 0
    assert [len((nine / f"steps-{rank}").read_text()) for rank in (0, 1)] == [3, 3]


@pytest.mark.slow
def test_what_every_process_finds_wrong_is_said_once_with_its_code(root, nine):
    code, _, err = train(root, nine, "", "OUTPUT_DIR", "none", "DATASET.TRAIN_SET", "train2016")
    assert code == 2, err
    assert err.count("error: ") == err.count("train2016") == 1
    assert not (nine / "none").exists()


@pytest.mark.slow
def test_torchrun_by_hand_starts_the_same_training(root, nine):
    words = ("train", "--cfg", "small.yaml", "OUTPUT_DIR", "hand", "TRAIN.END_EPOCH", "1", "TRAIN.LR", "0.01")
    torchrun_words = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "pose")
    argv = [sys.executable, *torchrun_words, *words]
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "TMPDIR": str(nine)}
    done = subprocess.run(argv, cwd=nine, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["epoch", "1/1"]
    assert done.stderr.count("2 processes learn together, batches of 8") == 1


def test_what_is_the_work_of_one_process_is_refused_once(pose, monkeypatch):
    words = ("test", "--cfg", "experiments/drawn/res18_96x64.yaml")
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    code, out, err = pose(*words)
    assert (code, out) == (2, "")
    assert "error: test is the work of one process, and torchrun started 2" in err
    monkeypatch.setenv("RANK", "1")
    assert pose(*words) == (2, "", "")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9])
def test_a_batch_is_split_as_dataparallel_splits_it(count):
    chunks = [chunk.tolist() for chunk in torch.arange(count).chunk(4)]  # what its scatter calls
    parts = [list(Team(rank, 4).part(count)) for rank in range(4)]
    assert parts == chunks + [[]] * (4 - len(chunks))


def test_a_test_that_is_shared_out_finds_the_same(people, small, tmp_path):
    (tmp_path / "small.yaml").write_text(small.format(root=people), encoding="utf-8")
    config, _ = load(str(tmp_path / "small.yaml"), ("DATASET.TEST_SET", "train2017"), Options())
    tested = datasets.people_to_test(config)
    torch.manual_seed(0)
    model = models.build(config.MODEL).eval()

    def find(order):
        dataset = CropDataset(tested.records, config.MODEL.image_height_width, training=False)
        pairs = tested.annotated.joints.flip_pairs
        loader = batches(dataset, 3, order=order)
        return inference.find(model, loader, config, torch.device("cpu"), pairs, has_truth=True)

    whole = find(None)
    shares = [Team(rank, 4).blocks(10, 3) for rank in (0, 1, 2, 3)]
    assert [len(share) for share in shares] == [3, 3, 3, 1]
    shares = [Team(rank, 3).blocks(10, 3) for rank in (0, 1, 2)]
    assert shares == [[0, 1, 2, 9], [3, 4, 5], [6, 7, 8]]
    joined, none = test._joined([(share, find(share), {}) for share in shares])  # noqa: SLF001
    assert none == {}
    assert np.array_equal(joined.keypoints, whole.keypoints)
    gone = {4: PoseError("cut off")}  # of the second one's people
    parts = [(share, find([index for index in share if index != 4]), {}) for share in shares]
    parts[1] = (*parts[1][:2], gone)
    found, unreadable = test._joined(parts)  # noqa: SLF001
    assert unreadable == gone
    assert found.keypoints[:, 0] == pytest.approx(np.delete(whole.keypoints, 4, axis=0)[:, 0], abs=1e-3)
    assert (joined.loss, joined.accuracy) == pytest.approx((whole.loss, whole.accuracy), rel=1e-12)


def test_each_process_has_a_gpu_of_its_own_and_its_share_of_the_workers(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(16))
    config = Config(GPUS=(3, 1), WORKERS=5)
    used = [devices.choose(config, learning=True, team=Team(rank, 2, rank)) for rank in (0, 1)]
    assert [one.gpus for one in used] == [(3,), (1,)]
    assert [(one.workers, one.count, one.together, one.share) for one in used] == [(3, 1, 2, 1.0)] * 2
    assert capsys.readouterr().err == ""
    with pytest.raises(PoseError, match="more processes than GPUS"):
        devices.choose(config, learning=True, team=Team(2, 3, 2))
    assert devices.choose(config, learning=True).gpus == (3,)  # in one process, as the demo trains
    assert devices.choose(config).gpus == (3, 1)


def test_an_echo_of_a_signal_is_no_second_signal():
    try:
        with stop_on_signals(echo=60.0) as stop:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
            assert stop.asked
    except KeyboardInterrupt:
        pytest.fail("the echo stopped it at once")


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ({0: FOLLOWED, 1: 2}, 2),
        ({0: -signal.SIGTERM, 1: FAILED}, FAILED),
        ({0: INTERRUPTED, 1: INTERRUPTED}, INTERRUPTED),
        ({0: FOLLOWED, 1: INTERRUPTED}, INTERRUPTED),
        ({0: INTERRUPTED, 1: FAILED}, FAILED),
        ({0: FOLLOWED, 1: -signal.SIGTERM}, FAILED),
    ],
)
def test_the_code_that_was_told_is_the_one_that_is_returned(codes, code):
    assert torchrun._code(codes) == code  # noqa: SLF001
