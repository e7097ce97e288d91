"""The demo, with a few people and two epochs: its four steps and what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

from pose.command import demo_options
from pose.stages import demo


def test_the_demo_draws_learns_tests_and_shows(workplace, monkeypatch, pose):
    import cv2

    monkeypatch.setattr(demo_options, "SHORT", "small.yaml")
    monkeypatch.setattr(demo, "SHORT_PEOPLE", (6, 20))
    code, out, err = pose("demo", "--out", "shown", "--seed", "4")
    assert code == 0, err
    assert [line[:5] for line in out.splitlines() if line.startswith("[")] == [
        "[1/4]",
        "[2/4]",
        "[3/4]",
        "[4/4]",
    ]
    assert "| Arch | AP |" in out
    assert "annotated ones" in err  # which boxes were used is said
    sheet = cv2.imread("shown/skeletons.png")
    assert sheet.shape[1] > 4 * 320  # four columns of pictures 320 wide, enlarged
    named = [
        line.split()[1] for line in out.splitlines() if line.startswith(("picture", "results", "weights"))
    ]
    assert len(named) == 3
    assert all(Path(path).is_file() for path in named)
    assert (workplace / "shown").is_dir()
