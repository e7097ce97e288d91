"""What training tells: history.csv over a resume, the time left, the pictures, and which batch would fit."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from pose.data.joints import COCO, MPII  # noqa: E402
from pose.data.record import Record  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.judging import inference  # noqa: E402
from pose.machines import memory  # noqa: E402
from pose.networks.resnet import PoseResNet  # noqa: E402
from pose.stages import learn  # noqa: E402
from pose.telling import curves, history, showcase  # noqa: E402
from pose.telling.draw import LEFT, RIGHT  # noqa: E402
from pose.telling.history import Pace, Row  # noqa: E402

TRAIN = ("train", "--cfg", "small.yaml")
OUT = Path("coco") / "pose_resnet" / "small"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_finished_epoch_has_a_row_and_an_untested_one_has_no_metrics(workplace, pose):
    _, out, _ = pose(*TRAIN, "TRAIN.EVAL_EVERY", "2", "TRAIN.END_EPOCH", "3", "TRAIN.LR_STEP", "[2]")
    rows = rows_of(workplace / "output" / OUT / "history.csv")
    assert list(rows[0])[:7] == ["epoch", "loss", "accuracy", "lr", "samples_per_second", "seconds", "AP"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["lr"]) for row in rows] == pytest.approx([1e-3, 1e-3, 1e-4])
    assert [row["AR (L)"] != "" for row in rows] == [False, True, True]
    for row, line in zip(rows, out.splitlines()[1:], strict=True):  # the table shows the same numbers
        assert f"{float(row['loss']):.5f}" == line.split()[1]
        assert (f"{float(row['AP']):.3f}" if row["AP"] else "-") == line.split()[3]
        assert float(row["seconds"]) > 0


def test_a_resumed_run_continues_the_history_and_drops_what_is_done_again(workplace, pose):
    pose(*TRAIN, "--output", "whole")
    pose(*TRAIN, "--output", "parts", "TRAIN.END_EPOCH", "1")
    path = workplace / "parts" / OUT / "history.csv"
    first = path.read_text(encoding="utf-8")
    row = first.splitlines()[1].split(",")
    path.write_text(first + ",".join(["2", *row[1:]]) + "\n", encoding="utf-8")  # not in the checkpoint
    pose(*TRAIN, "--output", "parts")
    assert path.read_text(encoding="utf-8").startswith(first)
    told = [
        [(row["epoch"], row["loss"], row["lr"], row["AP"]) for row in rows_of(file)]
        for file in (path, workplace / "whole" / OUT / "history.csv")
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 2


def test_an_accuracy_that_means_nothing_is_a_dash_an_empty_cell_and_null(workplace, pose):
    """Maps of 2 by 4 cells: no joint lies beyond the second column, where counting begins."""
    maps = ("MODEL.HEATMAP_SIZE", "(2, 4)", "MODEL.EXTRA.NUM_DECONV_LAYERS", "1")
    deconvolution = ("MODEL.EXTRA.NUM_DECONV_FILTERS", "(8,)", "MODEL.EXTRA.NUM_DECONV_KERNELS", "(4,)")
    words = ("--cfg", "small.yaml", *maps, *deconvolution)
    code, out, err = pose("train", *words, "TRAIN.END_EPOCH", "1")
    assert code == 0, err
    assert out.splitlines()[1].split()[2] == "-"
    (row,) = rows_of(workplace / "output" / OUT / "history.csv")
    assert (row["accuracy"], float(row["loss"]) > 0) == ("", True)
    code, _, err = pose("--run-dir", "run", "test", *words)
    assert code == 0, err
    assert "   accuracy -   (boxes" in err
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert (result["accuracy"], result["loss"] > 0) == (None, True)


def test_a_run_that_starts_anew_forgets_the_former_history(workplace, pose):
    pose(*TRAIN)
    pose(*TRAIN, "AUTO_RESUME", "False", "TRAIN.END_EPOCH", "1")
    assert [row["epoch"] for row in rows_of(workplace / "output" / OUT / "history.csv")] == ["1"]


@pytest.mark.parametrize("damage", ["epoch,loss\n", "HEAD\n1,2\n", "HEAD\nx,1,1,1,1,1\n", "\x00\xff"])
def test_a_history_that_is_not_ours_is_refused_before_training(workplace, pose, damage):
    pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    path = workplace / "output" / OUT / "history.csv"
    path.write_bytes(damage.replace("HEAD", ",".join(history.COLUMNS)).encode("latin-1"))
    code, out, err = pose(*TRAIN)
    assert (code, out) == (2, "")
    assert "history.csv cannot be gone on with" in err
    assert "move it elsewhere" in err


def test_numbers_come_back_exactly(tmp_path):
    rows = [
        Row(1, 1 / 3, 0.1, 1e-05, 77.7, 2.5),
        Row(2, 2 / 7, None, 1e-06, 70.1, 9.5, {"AP": 1 / 9, "Ap .5": 0.5}),
    ]
    history.write(tmp_path / "history.csv", rows)
    assert history.read(tmp_path / "history.csv", 2) == rows
    assert history.read(tmp_path / "history.csv", 1) == rows[:1]
    assert history.read(tmp_path / "none.csv", 2) == []


def test_the_time_left_counts_epochs_and_tests_apart():
    assert Pace([10.0, 12.0, 50.0], [100.0]).left(3, 1) == "0:02:16"  # 3 * 12 + 100
    assert Pace([1800.0], []).left(2, 1) == ">1:00:00"  # no test was measured yet
    assert Pace([1800.0], []).left(2, 0) == "1:00:00"


def test_the_curves_run_as_the_numbers_do():
    falling = [Row(n, 0.010 - 0.001 * n, 0, 0, 0, 0, {"AP": 0.1 * n}) for n in range(1, 9)]
    picture = curves.draw(falling)
    for panel, colour, down in ((curves.PANELS[0], RIGHT, True), (curves.PANELS[1], LEFT, False)):
        drawn = (picture[panel[0] : panel[1]] == colour).all(axis=2)
        columns = np.flatnonzero(drawn.any(axis=0))
        height = [float(np.flatnonzero(drawn[:, x]).mean()) for x in columns[:: len(columns) // 8]]
        assert height == sorted(height, reverse=not down)
        assert len(columns) > 0.75 * (picture.shape[1] - curves.LEFT_EDGE)


@pytest.mark.parametrize("rows", [[], [Row(1, 0.5, 0, 0, 0, 0)], [Row(7, 0.0, 0, 0, 0, 0, {"AP": 0.0})]])
def test_few_and_flat_rows_are_drawn_as_well(rows):
    assert curves.draw(rows).shape == (*curves.SIZE, 3)


@pytest.mark.parametrize(
    ("extent", "step"), [(1, 0.2), (0.85, 0.2), (140, 50), (6, 1), (7, 2), (0.0079, 0.002)]
)
def test_ticks_are_round_numbers(extent, step):
    assert curves.tick_step(extent, 6) == pytest.approx(step)


def test_the_joints_on_the_sheet_lie_where_they_are_in_the_picture(tmp_path):
    """A person of one joint, on a white dot in a black picture: the drawn dot covers the white one."""
    picture = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(picture, (180, 90), 2, (255, 255, 255), cv2.FILLED)
    cv2.imwrite(str(tmp_path / "1.png"), picture)
    record = Record(
        1, tmp_path / "1.png", np.array([150, 60, 60, 60], np.float32), np.array([175, 95], np.float32),
        np.array([0.3, 0.4], np.float32), np.zeros((17, 2)), np.ones(17, np.float32), 1.0, None,
    )  # fmt: skip
    person = np.zeros((17, 3))
    person[5] = (180, 90, 0.9)
    plain = showcase._tile(record, np.zeros((17, 3)), COCO)  # noqa: SLF001
    drawn = showcase._tile(record, person, COCO)  # noqa: SLF001
    places = [
        np.argwhere(mask).mean(axis=0) for mask in ((plain > 128).all(axis=2), (drawn != plain).any(axis=2))
    ]
    assert places[0] == pytest.approx(places[1], abs=1)
    assert max(np.divide(drawn.shape[:2], showcase.TILE)) == pytest.approx(1, abs=0.01)


def test_the_sheet_has_at_most_twelve_people(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((40, 30, 3), np.uint8))
    record = Record(
        1, tmp_path / "1.png", np.array([0, 0, 30, 40], np.float32), np.array([15, 20], np.float32),
        np.array([0.15, 0.2], np.float32), np.zeros((16, 2)), np.ones(16, np.float32), 1.0, None,
    )  # fmt: skip
    sheets = [showcase.predictions([record] * n, np.ones((n, 16, 3)), MPII) for n in (12, 13)]
    assert sheets[0].shape == sheets[1].shape


class Small(PoseResNet):
    """A stand-in for a device whose memory holds two pictures: raises torch's words above that."""

    most = 2

    def forward(self, pictures):
        if len(pictures) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 4 GiB")
        return super().forward(pictures)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("most", "hint"),
    [(2, "TRAIN.BATCH_SIZE_PER_GPU 2 fits"), (0, "not even TRAIN.BATCH_SIZE_PER_GPU 1 fits")],
)
def test_training_that_does_not_fit_names_the_batch_that_does(pose, monkeypatch, most, hint):
    original = learn._step  # noqa: SLF001

    def step(learner, batch, share):
        learner.model.__class__, Small.most = Small, most
        return original(learner, batch, share)

    monkeypatch.setattr(learn, "_step", step)
    code, _, err = pose(*TRAIN)
    assert code == 1
    assert "error: CUDA out of memory" in err
    assert hint in err


@pytest.mark.usefixtures("workplace")
def test_testing_that_does_not_fit_names_the_batch_that_does(pose, monkeypatch):
    original = inference.find

    def find(model, *arguments, **more):
        model.__class__, Small.most = Small, 1
        return original(model, *arguments, **more)

    monkeypatch.setattr(inference, "find", find)
    code, _, err = pose("test", "--cfg", "small.yaml", "--untrained")
    assert code == 1
    assert "TEST.BATCH_SIZE_PER_GPU 1 fits" in err


def test_halves_are_tried_from_above_and_other_errors_pass():
    tried = []

    def trial(size):
        tried.append(size)
        if size > 3:
            raise RuntimeError("CUDA out of memory.")

    def fail():
        raise RuntimeError("CUDA out of memory.")

    with pytest.raises(PoseError, match="out of memory"):
        memory.within_memory(fail, trial, 25, "KEY")
    assert tried == [12, 6, 3]

    def other():
        raise RuntimeError("a shape is wrong")

    with pytest.raises(RuntimeError, match="a shape is wrong"):
        memory.within_memory(other, trial, 25, "KEY")
