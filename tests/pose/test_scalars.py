"""TensorBoard's numbers: read back by tensorboardX's own records and held against what the run kept."""

from __future__ import annotations

import csv
import struct
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the pose extra")
pytest.importorskip("tensorboardX", reason="needs the pose extra")

TRAIN = ("train", "--cfg", "small.yaml", "LOG_DIR", "log", "PRINT_FREQ", "2")


def numbers(folder):
    """(step, value) by name: a file is a row of records, each a length, a checksum, an event, a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


@pytest.fixture(scope="module")
def trained(people, small, place):
    """A training of two epochs and one more, each of three batches of which two are shown."""
    from pose.__main__ import main

    here = place
    (here / "small.yaml").write_text(small.format(root=people), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        assert main(TRAIN) == 0
        (first,) = (here / "log/coco/pose_resnet").iterdir()
        first = first.rename(here / "first")  # a second one in the same minute
        assert main((*TRAIN, "TRAIN.END_EPOCH", "3")) == 0
    (second,) = (here / "log/coco/pose_resnet").iterdir()
    return here, first, second


def test_every_line_of_the_log_has_its_numbers_and_every_epoch_what_its_test_found(trained):
    here, first, second = trained
    assert second.name.startswith("small_20")
    lines = [
        line.split("\t")
        for path in sorted((here / "output/coco/pose_resnet/small").glob("*_train.log"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("Epoch:")
    ]
    learnt = [(float(cells[4].split()[1]), float(cells[5].split()[1])) for cells in lines]
    assert len(learnt) == 6
    for folder, steps in ((first, range(4)), (second, range(4, 6))):  # a resumed run counts on
        own = numbers(folder)
        for name, column in (("train_loss", 0), ("train_acc", 1)):
            assert [step for step, _ in own[name]] == list(steps)
            values = [learnt[step][column] for step in steps]
            assert [value for _, value in own[name]] == pytest.approx(values, abs=1e-3 if column else 1e-5)


def test_metrics_are_one_group_per_epoch(trained):
    here, first, second = trained
    text = (here / "output/coco/pose_resnet/small/history.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for folder, epochs in ((first, (0, 1)), (second, (2,))):
        own = numbers(folder)
        assert [step for step, _ in own["valid_loss"]] == list(epochs)
        assert all(value > 0 for _, value in own["valid_loss"])
        for name in ("AP", "AR", "AP (M)"):
            (tag,) = numbers(folder / "valid" / name).values()
            assert tag == [(epoch, pytest.approx(float(rows[epoch][name]))) for epoch in epochs]


@pytest.mark.usefixtures("workplace")
def test_without_the_package_there_is_a_note_and_no_folder(pose, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    code, _, err = pose(*TRAIN, "TRAIN.END_EPOCH", "1")
    assert code == 0
    assert err.count("LOG_DIR stays empty, tensorboardX cannot be loaded") == 1
    assert not Path("log").exists()


@pytest.mark.usefixtures("workplace")
def test_a_log_folder_that_cannot_be_made_is_named_before_training(pose):
    Path("log").write_text("a file", encoding="utf-8")
    code, out, err = pose(*TRAIN)
    assert (code, out) == (1, "")
    assert "--logDir DIR (or LOG_DIR) names another one" in err
