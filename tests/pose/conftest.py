"""A handful of drawn people and a network small enough for tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

SMALL = """\
OUTPUT_DIR: output
AUTO_RESUME: true
WORKERS: 0
MODEL:
  NAME: pose_resnet
  INIT_WEIGHTS: false
  IMAGE_SIZE: [32, 64]
  HEATMAP_SIZE: [8, 16]
  SIGMA: 1
  EXTRA:
    NUM_LAYERS: 18
    NUM_DECONV_LAYERS: 3
    NUM_DECONV_FILTERS: [8, 8, 8]
    NUM_DECONV_KERNELS: [4, 4, 4]
    DECONV_WITH_BIAS: false
    FINAL_CONV_KERNEL: 1
DATASET:
  DATASET: coco
  ROOT: {root}
  TRAIN_SET: train2017
  TEST_SET: val2017
TRAIN:
  BATCH_SIZE_PER_GPU: 4
  END_EPOCH: 2
  LR_STEP: [1]
TEST:
  USE_GT_BBOX: true
  COCO_BBOX_FILE: {root}/person_detection_results/COCO_val2017_detections_drawn_person.json
"""


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """A dataset of ten drawn people to learn from and four to test on; not to be changed."""
    pytest.importorskip("torch", reason="needs the pose extra")
    from pose.stages.synth import write_dataset

    root = tmp_path_factory.mktemp("people") / "drawn"
    write_dataset(root, seed=3, train=10, val=4, size=(96, 128))
    return root


@pytest.fixture(scope="session")
def mpii_people(people, tmp_path_factory) -> Path:
    """The same people in MPII's layout; not to be changed."""
    pytest.importorskip("scipy", reason="needs the pose extra's scipy")
    from tests.pose import mpii_layout

    root = tmp_path_factory.mktemp("mpii") / "drawn"
    mpii_layout.write(root, people)
    return root


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """A folder for what a module trains: checkpoints are large, and not every machine's disk is."""
    folder = tmp_path_factory.mktemp("place")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def small() -> str:
    """The text of a config for a network that is small enough, its dataset left open."""
    return SMALL


@pytest.fixture
def workplace(people, tmp_path, monkeypatch) -> Path:
    """An empty working directory with small.yaml, for those people."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL.format(root=people), encoding="utf-8")
    return tmp_path


@pytest.fixture
def pose(capsys):
    """Runs a stage in this process: (exit code, stdout, stderr)."""
    from pose.__main__ import main

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run
