"""Files of microsoft/human-pose-estimation.pytorch (behaviour.md, 1 to 3): read as they mean, or refused."""

from __future__ import annotations

import pytest

from pose.command.config import Options, as_dict, load
from pose.command.config_file import read_yaml
from pose.command.config_older import converted, is_older, layout_notes
from pose.command.published import known
from pose.errors import PoseError
from tests.pose.test_config import flat

OLDER = "microsoft/human-pose-estimation.pytorch"
RES50 = "experiments/coco/resnet/res50_256x192_d256x3_adam_lr1e-3.yaml"
BOXES = "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
COCO = """\
GPUS: '0'
DATA_DIR: ''
OUTPUT_DIR: 'output'
LOG_DIR: 'log'
WORKERS: 4
PRINT_FREQ: 100

DATASET:
  DATASET: 'coco'
  ROOT: 'data/coco/'
  TEST_SET: 'val2017'
  TRAIN_SET: 'train2017'
  FLIP: true
  ROT_FACTOR: 40
  SCALE_FACTOR: 0.3
MODEL:
  NAME: 'pose_resnet'
  PRETRAINED: 'models/pytorch/imagenet/resnet50-19c8e357.pth'
  IMAGE_SIZE:
  - 192
  - 256
  NUM_JOINTS: 17
  EXTRA:
    TARGET_TYPE: 'gaussian'
    HEATMAP_SIZE:
    - 48
    - 64
    SIGMA: 2
    FINAL_CONV_KERNEL: 1
    DECONV_WITH_BIAS: false
    NUM_DECONV_LAYERS: 3
    NUM_DECONV_FILTERS: [256, 256, 256]
    NUM_DECONV_KERNELS: [4, 4, 4]
    NUM_LAYERS: 50
LOSS:
  USE_TARGET_WEIGHT: true
TRAIN:
  BATCH_SIZE: 32
  SHUFFLE: true
  BEGIN_EPOCH: 0
  END_EPOCH: 140
  RESUME: false
  OPTIMIZER: 'adam'
  LR: 0.001
  LR_FACTOR: 0.1
  LR_STEP: [90, 120]
  WD: 0.0001
  GAMMA1: 0.99
  GAMMA2: 0.0
  MOMENTUM: 0.9
  NESTEROV: false
TEST:
  BATCH_SIZE: 24
  COCO_BBOX_FILE: 'data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
  BBOX_THRE: 1.0
  FLIP_TEST: false
  IMAGE_THRE: 0.0
  IN_VIS_THRE: 0.2
  MODEL_FILE: 'm.pth'
  NMS_THRE: 1.0
  OKS_THRE: 0.9
  USE_GT_BBOX: true
DEBUG:
  DEBUG: false
"""
MPII = """\
GPUS: '0,1'
DATASET: {DATASET: mpii, ROOT: data/mpii/, TRAIN_SET: train, TEST_SET: valid}
MODEL:
  NAME: pose_resnet
  IMAGE_SIZE: 384
  NUM_JOINTS: 16
  EXTRA:
    TARGET_TYPE: gaussian
    HEATMAP_SIZE: 96
    SIGMA: 3
    FINAL_CONV_KERNEL: 1
    DECONV_WITH_BIAS: false
    NUM_DECONV_LAYERS: 3
    NUM_DECONV_FILTERS: [256, 256, 256]
    NUM_DECONV_KERNELS: [4, 4, 4]
    NUM_LAYERS: 152
  STYLE: pytorch
TEST: {BATCH_SIZE: 32, SHIFT_HEATMAP: false}
"""


@pytest.fixture
def file(tmp_path):
    """`file(text)`: a config of that text."""

    def write(text):
        path = tmp_path / "256x192_d256x3_adam_lr1e-3.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def at(text, line):
    """The line's number."""
    return f"(line {text.split(line)[0].count(chr(10)) + 1})"


def meaning(path):
    """Key -> value of the converted file, the last one counting."""
    return {setting.key: setting.value for setting in converted(read_yaml(path), path)}


def test_the_older_coco_file_is_the_newer_one_in_other_words(file):
    """What is left are the two files' own values: section 3 and the note below its tables."""
    older, newer = (dict(flat(as_dict(load(cfg)[0]))) for cfg in (str(file(COCO)), RES50))
    assert {key: (older[key], newer[key]) for key in older if older[key] != newer[key]} == {
        "GPUS": ((0,), (0, 1, 2, 3)),
        "WORKERS": (4, 24),
        "AUTO_RESUME": (False, True),
        "TEST.BATCH_SIZE_PER_GPU": (24, 32),
        "TEST.FLIP_TEST": (False, True),
        "TEST.MODEL_FILE": ("m.pth", ""),
    }
    assert older.keys() == newer.keys()


def test_the_older_files_have_the_same_published_figures(file):
    """Section 15: either README gives them, with detected boxes and the flip test."""
    config, _ = load(str(file(COCO)), ("TEST.FLIP_TEST", "True", "TEST.USE_GT_BBOX", "False"))
    found = known(config, 5000)
    assert (found.row.metrics["AP"], found.differences) == (0.704, ())


def test_a_square_may_be_one_number_and_several_gpus_a_text(file):
    here = meaning(file(MPII))
    assert (here["MODEL.IMAGE_SIZE"], here["MODEL.HEATMAP_SIZE"]) == ((384, 384), (96, 96))
    assert (here["GPUS"], here["MODEL.SIGMA"], here["TEST.BATCH_SIZE_PER_GPU"]) == ((0, 1), 3, 32)
    assert not any("STYLE" in key or key.startswith("MODEL.EXTRA.S") for key in here)


def test_what_the_file_leaves_out_has_that_implementations_defaults(file):
    here = meaning(file(MPII))
    assert (here["TEST.POST_PROCESS"], here["TEST.SHIFT_HEATMAP"]) == (True, False)  # the file's own wins
    assert (here["TEST.IMAGE_THRE"], here["TEST.NMS_THRE"]) == (0.0, 1.0)
    bare = meaning(file("TRAIN: {BATCH_SIZE: 8}\n"))
    assert (bare["MODEL.NAME"], bare["MODEL.NUM_JOINTS"], bare["TRAIN.BATCH_SIZE_PER_GPU"]) == (
        "pose_resnet",
        16,
        8,
    )
    assert (bare["MODEL.EXTRA.NUM_LAYERS"], bare["MODEL.EXTRA.NUM_DECONV_KERNELS"]) == (50, (4, 4, 4))


def test_an_extra_of_the_files_own_is_not_filled_up(file):
    """There the file's EXTRA replaces the default one; its lack is ours to name."""
    with pytest.raises(PoseError, match=r"MODEL\.EXTRA lacks NUM_LAYERS"):
        load(str(file(COCO.replace("    NUM_LAYERS: 50\n", ""))))


def test_data_dir_goes_before_the_boxes_and_not_before_the_weights(file):
    config, _ = load(str(file(COCO)), (), Options(data_dir="/d"))
    assert f"/d/{BOXES}" == config.TEST.COCO_BBOX_FILE
    assert config.TEST.MODEL_FILE == "m.pth"
    assert (config.DATASET.ROOT, config.MODEL.PRETRAINED[:3]) == ("/d/data/coco/", "/d/")


@pytest.mark.parametrize("style", ["caffe", "CAFFE"])
def test_the_caffe_style_is_another_network_and_refused(file, style):
    text = COCO.replace("  EXTRA:", f"  STYLE: {style}\n  EXTRA:")
    path = file(text)
    with pytest.raises(PoseError, match=r"MODEL\.STYLE: the Caffe style is another network") as caught:
        load(str(path))
    assert at(text, "  STYLE")[1:] in caught.value.message
    assert caught.value.exit_code == 2


def test_a_file_that_mixes_the_layouts_is_refused_with_every_change_that_makes_it_ours(file):
    twice = "  BATCH_SIZE: 24\n  BATCH_SIZE_PER_GPU: 24"
    text = "AUTO_RESUME: true\n" + COCO.replace("  BATCH_SIZE: 24", twice)
    path = file(text)
    with pytest.raises(PoseError) as caught:
        load(str(path))
    assert f"mixes two layouts: MODEL.EXTRA.TARGET_TYPE {at(text, '    TARGET')}" in caught.value.message
    assert "AUTO_RESUME (line 1) is not" in caught.value.message
    assert caught.value.hint.split("; ") == [
        "GPUS: (0,) instead of GPUS (line 2)",
        f"MODEL.TARGET_TYPE: 'gaussian' instead of MODEL.EXTRA.TARGET_TYPE {at(text, '    TARGET')}",
        f"MODEL.HEATMAP_SIZE: [48, 64] instead of MODEL.EXTRA.HEATMAP_SIZE {at(text, '    HEATMAP')}",
        f"MODEL.SIGMA: 2 instead of MODEL.EXTRA.SIGMA {at(text, '    SIGMA')}",
        f"TRAIN.BATCH_SIZE_PER_GPU: 32 instead of TRAIN.BATCH_SIZE {at(text, '  BATCH_SIZE: 32')}",
        f"leave out TEST.BATCH_SIZE {at(text, '  BATCH_SIZE: 24')}",
        "where its defaults are meant, TEST.POST_PROCESS: True, TEST.SHIFT_HEATMAP: True",
    ]


def test_what_was_read_as_what_is_said_and_nothing_of_a_file_of_ours(file):
    path = file(COCO.replace("  EXTRA:", "  STYLE: pytorch\n  EXTRA:"))
    config, _ = load(str(path), (), Options(data_dir="/d"))
    head, *lines, defaults, joined, folder = layout_notes(config, path)
    assert OLDER in head
    assert lines == [
        "  GPUS: '0' is GPUS: (0,)",
        "  MODEL.STYLE: 'pytorch' is left out: that is the style built here",
        "  MODEL.EXTRA.TARGET_TYPE: 'gaussian' is MODEL.TARGET_TYPE: 'gaussian'",
        "  MODEL.EXTRA.HEATMAP_SIZE: [48, 64] is MODEL.HEATMAP_SIZE: [48, 64]",
        "  MODEL.EXTRA.SIGMA: 2 is MODEL.SIGMA: 2",
        "  TRAIN.BATCH_SIZE: 32 is TRAIN.BATCH_SIZE_PER_GPU: 32",
        "  TEST.BATCH_SIZE: 24 is TEST.BATCH_SIZE_PER_GPU: 24",
    ]
    assert defaults == "  its defaults hold: TEST.POST_PROCESS: True, TEST.SHIFT_HEATMAP: True"
    assert "TEST.COCO_BBOX_FILE" in joined
    assert "pose_resnet/256x192_d256x3_adam_lr1e-3" in folder
    ours, bundled = load(RES50)
    assert not is_older(read_yaml(bundled))
    assert list(layout_notes(ours, bundled)) == []


def test_the_notes_are_the_stages_and_not_the_checks(file, pose, monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="needs the pose extra")
    monkeypatch.chdir(tmp_path)
    words = ("check-data", "--cfg", file(COCO).name)
    code, _, err = pose("--check", *words)
    assert (code, err) == (0, "")
    _, _, err = pose(*words)
    assert f"has {OLDER}'s layout" in err
    assert "TRAIN.BATCH_SIZE: 32 is TRAIN.BATCH_SIZE_PER_GPU: 32" in err
