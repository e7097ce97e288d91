"""Training: resumes bit for bit, stops cleanly, keeps what is finished, and refuses early."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.command.config import Config  # noqa: E402
from pose.machines import devices  # noqa: E402
from pose.networks import checkpoint  # noqa: E402
from pose.stages import keep, learn, resume  # noqa: E402

TRAIN = ("train", "--cfg", "small.yaml")
OUT = Path("coco") / "pose_resnet" / "small"


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".log")


def same(a, b):
    """Two checkpoints' contents, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_run_leaves_the_public_layout_and_one_line_per_epoch(workplace, pose):
    code, out, _ = pose(*TRAIN)
    assert code == 0
    folder = workplace / "output" / OUT
    assert files(folder) == [
        *("checkpoint.pth", "checkpoint_before.pth", "curves.png", "final_state.pth", "history.csv"),
        *("model_best.pth", "predictions.jpg", "results"),
    ]
    assert (folder / "results" / "keypoints_val2017_results_0.json").is_file()
    header, first, second = out.splitlines()
    assert header.split() == ["epoch", "loss", "acc", "AP", "lr", "samples/s", "time", "left"]
    assert (first.split()[0], first.split()[4]) == ("1/2", "0.001")
    assert (second.split()[0], second.split()[4]) == ("2/2", "0.0001")  # LR_STEP [1]
    assert second.split()[6] == "0:00:00"
    for name in ("epoch", "acc", "AP", "samples/s", "time left"):  # right under their names
        end = header.index(name) + len(name)
        assert all(line[end - 1].isdigit() and line[end : end + 1] in {"", " "} for line in (first, second))
    (log,) = folder.glob("small_????-??-??-??-??_train.log")
    assert second in log.read_text(encoding="utf-8")


def test_the_checkpoint_has_the_public_implementations_keys(workplace, pose):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    content = torch.load(workplace / "output" / OUT / "checkpoint.pth")  # with the default of this torch
    assert {"epoch", "model", "state_dict", "best_state_dict", "perf", "optimizer"} <= content.keys()
    assert (content["epoch"], content["model"], type(content["perf"])) == (1, "pose_resnet", float)
    assert all(name.startswith("module.") for name in content["state_dict"])
    assert "conv1.weight" in content["best_state_dict"]


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(workplace, pose):
    pose(*TRAIN, "--output", "whole", "--seed", "5")
    pose(*TRAIN, "--output", "parts", "--seed", "5", "TRAIN.END_EPOCH", "1")
    code, out, err = pose(*TRAIN, "--output", "parts")  # and takes the seed from the checkpoint
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["epoch", "2/2"]
    assert "resuming" in err
    whole, parts = (
        checkpoint.read_checkpoint(workplace / name / OUT / "checkpoint.pth") for name in ("whole", "parts")
    )
    assert whole["epoch"] == 2
    assert same(whole, parts)
    assert whole["optimizer"]["param_groups"][0]["lr"] == pytest.approx(1e-4)


def test_a_result_says_whether_it_went_on_from_a_checkpoint(workplace, pose):
    def resumed_from(*words):
        pose("--run-dir", "run", *TRAIN, *words)
        return json.loads((workplace / "run" / "result.json").read_text(encoding="utf-8"))["resumed_from"]

    once = ("TRAIN.END_EPOCH", "1", "AUTO_RESUME", "True")
    assert resumed_from(*once) is None  # there was none, whatever was asked for
    assert resumed_from(*once) == 1


def test_another_seed_trains_another_network(workplace, pose):
    weights = []
    for seed in ("1", "2"):
        pose(*TRAIN, "--output", seed, "--seed", seed, "TRAIN.END_EPOCH", "1")
        weights.append(checkpoint.read_state(workplace / seed / OUT / "final_state.pth"))
    assert not same(*weights)


@pytest.mark.usefixtures("workplace")
def test_a_finished_run_trains_nothing_more(pose):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    code, out, err = pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    assert (code, out) == (0, "")
    assert "nothing left to train" in err
    assert "batches of the next epoch" not in err


def test_a_resumed_run_remembers_the_best_score_and_not_the_last(tmp_path):
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    progress = resume.Progress(0)
    for epoch, score in enumerate((0.5, 0.3), start=1):
        progress.advance({"AP": score})
        assert progress.epoch == epoch
        keep.Keeper(tmp_path, model, optimizer, progress, {"seed": 1}).keep()
    restored = resume.restore(resume.last_checkpoint(tmp_path), model, optimizer)
    assert (restored.epoch, restored.best, restored.score) == (2, 0.5, 0.3)
    assert not restored.advance({"AP": 0.4})
    assert restored.advance({"AP": 0.5})  # as good counts as better, as in the public implementation


@pytest.mark.parametrize(("one", "other"), [("sgd", "adam"), ("adam", "sgd")])
def test_a_checkpoint_of_another_optimiser_is_refused_in_a_sentence(workplace, pose, one, other):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1", "TRAIN.OPTIMIZER", one)
    written = (workplace / "output" / OUT / "checkpoint.pth").read_bytes()
    code, _, err = pose(*TRAIN, "TRAIN.OPTIMIZER", other)
    assert code == 2, err
    assert f"cannot be resumed from: it was written by another optimiser, {one} instead of {other}" in err
    assert (workplace / "output" / OUT / "checkpoint.pth").read_bytes() == written


def interrupt_at(monkeypatch, step, signals):
    """Sends this process the signals during training step number `step`."""
    original, done = learn._step, []  # noqa: SLF001

    def interrupted(*arguments):
        outcome = original(*arguments)
        done.append(outcome)
        if len(done) == step:
            for number in signals:
                os.kill(os.getpid(), number)
        return outcome

    monkeypatch.setattr(learn, "_step", interrupted)
    return done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_batch_and_keeps_finished_epochs_for_a_resume(
    workplace, pose, monkeypatch, number
):
    pose(*TRAIN, "--output", "whole")
    with monkeypatch.context() as patch:
        steps = interrupt_at(patch, 4, [number])  # ten people make three batches of four: in the second epoch
        code, out, err = pose(*TRAIN, "--output", "stopped")
    assert (code, len(steps), len(out.splitlines())) == (130, 4, 2)
    assert "1 of 2 epochs are finished" in err
    assert "final_state.pth" not in files(workplace / "stopped" / OUT)
    assert signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}
    assert pose(*TRAIN, "--output", "stopped")[0] == 0
    whole, stopped = (
        checkpoint.read_checkpoint(workplace / n / OUT / "checkpoint.pth") for n in ("whole", "stopped")
    )
    assert same(whole, stopped)


@pytest.mark.usefixtures("workplace")
def test_the_second_signal_stops_at_once(pose, monkeypatch):
    steps = interrupt_at(monkeypatch, 1, [signal.SIGINT, signal.SIGINT])
    code, _, err = pose(*TRAIN)
    assert (code, len(steps)) == (130, 1)
    assert "stopped at once" in err


@pytest.mark.usefixtures("workplace")
def test_workers_that_die_of_the_same_signal_are_not_what_is_reported(pose, monkeypatch):
    def fail(*_arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")

    monkeypatch.setattr(learn, "_step", fail)
    code, _, err = pose(*TRAIN)
    assert code == 130
    assert "stopped: 0 of 2 epochs are finished" in err
    assert "DataLoader" not in err


def test_a_loss_that_is_no_number_stops_the_run_and_is_not_kept(workplace, pose):
    code, _, err = pose(*TRAIN, "TRAIN.LR", "1e30")
    assert code == 1
    assert "the loss became" in err
    assert "smaller TRAIN.LR" in err
    assert files(workplace / "output" / OUT) == []


@pytest.mark.usefixtures("workplace")
def test_eval_every_decides_which_epochs_are_tested_and_kept(pose):
    code, out, _ = pose(*TRAIN, "TRAIN.EVAL_EVERY", "2", "TRAIN.END_EPOCH", "3")
    scores = [line.split()[3] for line in out.splitlines()[1:]]
    assert code == 0
    assert (scores[0], len(scores)) == ("-", 3)
    assert all(score.startswith("0.") for score in scores[1:])  # the last epoch always


def test_pretrained_weights_that_are_not_there_stop_the_run(workplace, pose):
    code, _, err = pose(*TRAIN, "MODEL.INIT_WEIGHTS", "True", "MODEL.PRETRAINED", "resnet18.pth")
    assert code == 2
    assert "resnet18.pth" in err
    assert not (workplace / "output").exists()


def test_pretrained_weights_reach_the_backbone(workplace, pose):
    from pose.networks.resnet import PoseResNet

    backbone = {
        k: v for k, v in PoseResNet(18, 17).state_dict().items() if k.startswith(("conv1", "bn1", "layer"))
    }
    torch.save(backbone, "resnet18.pth")
    pose(*TRAIN, "MODEL.INIT_WEIGHTS", "True", "MODEL.PRETRAINED", "resnet18.pth", "TRAIN.END_EPOCH", "0")
    final = checkpoint.read_state(workplace / "output" / OUT / "final_state.pth")
    assert torch.equal(final["layer3.0.conv1.weight"], backbone["layer3.0.conv1.weight"])


@pytest.mark.parametrize(
    "missing",
    [
        "images/train2017/000000000002.jpg",
        "images/val2017",
        "annotations/person_keypoints_train2017.json",
        "",
    ],
)
def test_missing_data_is_named_before_training_starts(workplace, people, pose, missing):
    shutil.copytree(people, "part")
    gone = Path("part") / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    code, out, err = pose(*TRAIN, "--data", "part")
    assert (code, out) == (2, "")
    assert Path(missing).name in err
    assert not (workplace / "output").exists()


@pytest.mark.usefixtures("workplace")
def test_a_truncated_picture_is_named(people, pose):
    shutil.copytree(people, "part")
    picture = Path("part/images/train2017/000000000002.jpg")
    picture.write_bytes(picture.read_bytes()[:-300])
    code, _, err = pose(*TRAIN, "--data", "part")
    assert code == 2
    assert "000000000002.jpg" in err


@pytest.mark.usefixtures("workplace")
def test_an_output_folder_that_cannot_be_made_is_named(pose):
    Path("output").write_text("a file", encoding="utf-8")
    code, _, err = pose(*TRAIN)
    assert code == 1
    assert "output" in err
    assert "--output DIR" in err


@pytest.mark.usefixtures("workplace")
def test_a_disk_without_room_for_the_checkpoints_is_named_before_training(pose, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 3 * 2**20))  # noqa: SLF001
    code, out, err = pose(*TRAIN)
    assert (code, out) == (1, "")
    assert "3 MiB free" in err


@pytest.mark.usefixtures("workplace")
def test_gpus_that_are_not_here_are_said_and_not_refused(pose, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = pose(*TRAIN, "GPUS", "(0,1,2,3)", "TRAIN.END_EPOCH", "0")
    assert code == 0
    assert "GPUS (0, 1, 2, 3) becomes the CPU" in err


@pytest.mark.parametrize(("scale", "rate"), [("False", 0.001), ("True", 0.00025)])
def test_a_batch_smaller_than_the_configs_names_the_learning_rate_and_scales_it_where_asked(
    workplace, pose, monkeypatch, scale, rate
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    four = ("GPUS", "(0,1,2,3)", "TRAIN.END_EPOCH", "1", "TRAIN.SCALE_LR", scale)
    code, _, err = pose(*TRAIN, *four)
    assert code == 0, err
    said = {
        "False": "the learning rate stays 0.001; TRAIN.SCALE_LR True would make it 0.00025",
        "True": "the learning rate is 0.00025 instead of 0.001",
    }[scale]
    assert f"batches of 4 instead of the config's 16: {said}" in err
    content = checkpoint.read_checkpoint(workplace / "output" / OUT / "checkpoint.pth")
    assert content["optimizer"]["param_groups"][0]["lr"] == pytest.approx(rate)  # 0.001 * 4 / 16


@pytest.mark.usefixtures("workplace")
def test_the_configs_own_batch_says_nothing_of_the_learning_rate(pose):
    assert "learning rate" not in pose(*TRAIN, "TRAIN.END_EPOCH", "0")[2]


@pytest.mark.parametrize(
    ("asked", "present", "used"),
    [((0, 1, 2, 3), 2, (0, 1)), ((3,), 1, (0,)), ((1,), 2, (1,)), ((), 2, ()), ((0,), 0, ())],
)
def test_the_gpus_in_use_are_those_of_the_configs_that_are_here(monkeypatch, capsys, asked, present, used):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: present)
    assert devices.choose(Config(GPUS=asked, WORKERS=0)).gpus == used
    assert bool(capsys.readouterr().err) == (asked != used or not used)


def test_more_workers_than_cores_are_capped_and_said(capsys):
    cores = len(os.sched_getaffinity(0))
    assert devices.choose(Config(WORKERS=cores + 7)).workers == cores
    assert f"WORKERS {cores + 7} becomes {cores}" in capsys.readouterr().err


def test_hard_joints_alone_train_another_network_and_show_another_loss(workplace, pose):
    """The first epoch's loss is the mean of the eight hardest of seventeen: above the mean of all."""
    losses, weights = [], []
    for name, words in (("all", ()), ("hard", ("LOSS.USE_OHKM", "True"))):
        code, out, err = pose(*TRAIN, "--output", name, "TRAIN.END_EPOCH", "1", *words)
        assert (code, "OHKM" in err) == (0, False)
        losses.append(float(out.splitlines()[1].split()[1]))
        weights.append(checkpoint.read_state(workplace / name / OUT / "final_state.pth"))
    assert losses[1] > losses[0]
    assert not same(*weights)


def test_the_accuracy_is_of_every_batch_however_few_are_shown(workplace, pose):
    def accuracies(*words):
        assert pose("train", "--cfg", "small.yaml", *words)[0] == 0
        rows = (workplace / words[1] / "coco/pose_resnet/small/history.csv").read_text(encoding="utf-8")
        return [line.split(",")[2] for line in rows.splitlines()[1:]]

    often, seldom = (
        accuracies("OUTPUT_DIR", f"shown{every}", "PRINT_FREQ", every) for every in ("1", "1000")
    )
    assert often == seldom
    assert any(float(value) for value in often)
    assert "parameters" in next((workplace / "shown1").rglob("*_train.log")).read_text(encoding="utf-8")
