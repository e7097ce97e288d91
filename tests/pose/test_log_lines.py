"""The public implementation's lines in the log file (behaviour.md section 9), and nowhere else."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

from pose.average import Average
from pose.command import output
from pose.command.output import Log
from pose.errors import PoseError
from pose.telling.log_lines import LinesOfAnEpoch, LinesOfATest

TEST = ("test", "--cfg", "small.yaml", "--untrained", "TEST.BATCH_SIZE_PER_GPU", "1")
THREE = r"(\d+\.\d{3}|-) \((\d+\.\d{3}|-)\)"
FOUR = THREE.replace("3", "4")
FIVE = THREE.replace("3", "5")
SECONDS = r"(\d+\.\d{3})s \((\d+\.\d{3})s\)"
EPOCH_LINE = re.compile(
    rf"Epoch: \[(\d+)\]\[(\d+)/(\d+)\]\tTime {SECONDS}\tSpeed (\d+\.\d) samples/s\tData {SECONDS}"
    rf"\tLoss {FIVE}\tAccuracy {THREE}"
)
LINE = re.compile(rf"Test: \[(\d+)/(\d+)\]\tTime {THREE}\tLoss {FOUR}\tAccuracy {THREE}")


def lines_of(log):
    """Every line of a test: batch, batches, and the last value and mean of time, loss and accuracy."""
    text = log.read_text(encoding="utf-8")
    matches = [LINE.fullmatch(line) for line in text.splitlines() if line.startswith("Test:")]
    return [match.groups() for match in matches]


def the_log(kind):
    (log,) = Path("output/coco/pose_resnet/small").glob(f"small_*_{kind}.log")
    return log


@pytest.mark.usefixtures("workplace")
def test_every_batch_has_a_line_whose_means_are_those_of_the_lines_so_far(pose):
    code, out, err = pose(*TEST, "PRINT_FREQ", "1")
    assert code == 0, err
    lines = lines_of(the_log("valid"))
    assert [line[:2] for line in lines] == [(str(batch), "4") for batch in range(4)]
    for column in (2, 4):  # seconds and loss of batches of one person
        values = [float(line[column]) for line in lines]
        for so_far, line in enumerate(lines, start=1):
            mean = sum(values[:so_far]) / so_far
            assert float(line[column + 1]) == pytest.approx(mean, abs=1.1e-3 if column == 2 else 1.1e-4)
    (loss,) = re.findall(r"loss (\d\.\d+)", err)
    assert float(lines[-1][5]) == pytest.approx(float(loss), abs=1e-4)
    assert "Test:" not in out + err


@pytest.mark.usefixtures("workplace")
def test_print_freq_decides_which_batches_have_a_line_and_detected_boxes_have_no_loss(pose):
    code, _, err = pose(*TEST, "PRINT_FREQ", "3", "TEST.USE_GT_BBOX", "False")
    assert code == 0, err
    lines = lines_of(the_log("valid"))
    assert [int(line[0]) % 3 for line in lines] == [0] * len(lines)
    assert len(lines) == -(-int(lines[0][1]) // 3)
    assert {line[4:] for line in lines} == {("-", "-", "-", "-")}


@pytest.mark.usefixtures("workplace")
def test_the_tests_between_epochs_are_in_trainings_log(pose):
    pose("train", "--cfg", "small.yaml", "PRINT_FREQ", "1")
    assert [line[:2] for line in lines_of(the_log("train"))] == [("0", "1"), ("0", "1")]


def test_a_batch_s_time_begins_where_the_last_one_ended(monkeypatch):
    moments = iter((10.0, 11.0, 13.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    kept = []
    lines = LinesOfATest(kept.append, 2, 1)
    lines.tell(Average(), Average())
    lines.tell(Average(), Average())
    assert [LINE.fullmatch(line).groups()[2:4] for line in kept] == [("1.000", "1.000"), ("2.000", "1.500")]


def lines_of_epochs():
    text = the_log("train").read_text(encoding="utf-8")
    return [EPOCH_LINE.fullmatch(line).groups() for line in text.splitlines() if line.startswith("Epoch:")]


@pytest.mark.usefixtures("workplace")
def test_every_batch_of_an_epoch_has_a_line_and_its_means_are_the_epoch_s_so_far(pose):
    code, out, err = pose("train", "--cfg", "small.yaml", "PRINT_FREQ", "1")
    assert code == 0, err
    lines = lines_of_epochs()
    assert [line[:3] for line in lines] == [(epoch, batch, "3") for epoch in "01" for batch in "012"]
    rows = Path("output/coco/pose_resnet/small/history.csv").read_text(encoding="utf-8").splitlines()[1:]
    for epoch, row in enumerate(rows):
        own = lines[3 * epoch : 3 * epoch + 3]
        losses, people = [float(line[8]) for line in own], (4, 4, 2)  # ten people in batches of four
        for count in (1, 2, 3):
            mean = sum(map(float.__mul__, losses[:count], map(float, people))) / sum(people[:count])
            assert float(own[count - 1][9]) == pytest.approx(mean, abs=1.1e-5)
        assert float(own[-1][9]) == pytest.approx(float(row.split(",")[1]), abs=1e-5)
        assert float(own[-1][11]) == pytest.approx(float(row.split(",")[2]), abs=1e-3)
    assert "Epoch:" not in out + err


@pytest.mark.usefixtures("workplace")
def test_print_freq_decides_which_batches_of_an_epoch_have_a_line(pose):
    pose("train", "--cfg", "small.yaml", "PRINT_FREQ", "2", "TRAIN.END_EPOCH", "1")
    assert [line[1] for line in lines_of_epochs()] == ["0", "2"]


def test_times_are_of_the_batches_since_the_line_before_and_in_brackets_of_the_epoch(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    kept = []
    lines = LinesOfAnEpoch(kept.append, 4, 7)
    for waits, learns, told in ((1.0, 2.0, True), (0.0, 4.0, False), (2.0, 4.0, True)):
        clock[0] += waits
        lines.loaded()
        clock[0] += learns
        lines.learnt(8)
        if told:
            lines.tell(Average(), Average())
    first, second = (EPOCH_LINE.fullmatch(line).groups() for line in kept)
    assert first[:8] == ("4", "0", "7", "3.000", "3.000", "2.7", "1.000", "1.000")  # 8 people in 3 seconds
    # Then 4 and 6 seconds for two batches, 2 of them waited; 13 and 3 for the three of the epoch.
    assert second[:8] == ("4", "2", "7", "5.000", "4.333", "1.6", "1.000", "1.000")
    assert second[8:] == ("-", "-", "-", "-")


def test_a_log_on_a_full_disk_is_named_and_its_closing_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "_moment", lambda: "now")
    (tmp_path / "small_now_valid.log").symlink_to("/dev/full")
    with (
        pytest.raises(PoseError, match=r"small_now_valid\.log cannot be written: No space left on device"),
        Log(tmp_path, Path("small.yaml"), "valid") as log,
    ):
        log.keep("a line")
