"""The network as an ONNX file: it computes what torch computes, says how to decode it, or is not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")
onnx = pytest.importorskip("onnx", reason="needs the pose extra")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from pose.command.config import Options, load  # noqa: E402
from pose.networks import models, onnx_file  # noqa: E402

EXPORT = ("export", "--cfg", "small.yaml", "TEST.MODEL_FILE", "weights.pth")


@pytest.fixture
def network(workplace):
    """The network of small.yaml, its batch norms as if it had learnt something; its weights lie there."""
    torch.manual_seed(5)
    model = models.build(load("small.yaml", (), Options())[0].MODEL).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    torch.save(model.state_dict(), workplace / "weights.pth")
    return model


def test_the_file_computes_what_torch_computes_for_any_number_of_crops(network, pose):
    code, out, _ = pose(*EXPORT, "--out", "there")
    assert code == 0
    assert "there/small.onnx" in out
    assert "4 people of val2017, 68 of 68 joints in the same cell" in out
    crops = torch.randn(5, 3, 64, 32)
    with torch.no_grad():
        expected = network(crops).numpy()
    (maps,) = ReferenceEvaluator("there/small.onnx").run(["heatmaps"], {"input": crops.numpy()})
    assert maps.shape == (5, 17, 16, 8)
    assert np.abs(maps - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.usefixtures("network")
def test_it_says_what_a_decoder_must_know(pose):
    assert pose(*EXPORT, "DATASET.COLOR_RGB", "True", "TEST.SHIFT_HEATMAP", "True")[0] == 0
    described = {entry.key: entry.value for entry in onnx.load("small.onnx").metadata_props}
    said = json.loads(described["pose"])
    assert (said["image_size"], said["heatmap_size"], said["channels"]) == ([32, 64], [8, 16], "rgb")
    assert (said["shift_heatmap"], said["flip_test"]) == (True, False)
    assert said["mean"] == [0.485, 0.456, 0.406]
    assert (len(said["joints"]), said["joints"][9]) == (17, "left_wrist")
    assert [9, 10] in said["flip_pairs"]


@pytest.mark.usefixtures("workplace")
def test_hrnet_too(pose):
    widths = [
        f"MODEL.EXTRA.STAGE{stage}.{key}"
        for stage in (2, 3, 4)
        for key in ("NUM_MODULES", "NUM_BLOCKS", "NUM_CHANNELS")
    ]
    values = [
        value
        for branches in (2, 3, 4)
        for value in ("1", str([1] * branches), str([2 * 2**branch for branch in range(branches)]))
    ]
    small = [word for pair in zip(widths, values, strict=True) for word in pair]
    sizes = ("MODEL.IMAGE_SIZE", "(32, 64)", "MODEL.HEATMAP_SIZE", "(8, 16)")
    cfg = "experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml"
    code, out, err = pose("export", "--cfg", cfg, "--untrained", *sizes, *small)
    assert code == 0, err
    assert Path("w32_256x192_adam_lr1e-3.onnx").is_file()
    assert "random numbers, a batch of 3" in out
    assert "data/coco has no val2017" in err


@pytest.mark.usefixtures("network")
def test_onnxs_own_evaluator_serves_where_onnxruntime_is_not(pose, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    code, out, _ = pose(*EXPORT)
    assert code == 0
    assert f"by onnx {onnx.__version__}'s own evaluator" in out


def test_a_file_that_computes_something_else_is_not_kept(network, pose, monkeypatch):
    Path("small.onnx").write_text("the one before", encoding="utf-8")
    honest = onnx_file.write

    def write(model, *rest):
        with torch.no_grad():
            model.final_layer.bias[3] += 0.01 * network(torch.randn(1, 3, 64, 32)).abs().max()
        honest(model, *rest)
        with torch.no_grad():
            model.final_layer.bias.copy_(network.final_layer.bias)

    monkeypatch.setattr(onnx_file, "write", write)
    code, out, err = pose(*EXPORT)
    assert (code, out) == (1, "")
    assert "on random numbers, a batch of 1," in err
    assert Path("small.onnx").read_text(encoding="utf-8") == "the one before"
    assert not [path for path in Path().iterdir() if path.name.startswith(".small")]


@pytest.mark.usefixtures("network")
def test_a_picture_is_looked_at_whole(pose):
    cv2.imwrite("s.png", np.random.default_rng(2).integers(0, 255, (90, 70, 3), np.uint8))
    code, out, _ = pose(*EXPORT, "s.png")
    assert code == 0
    assert "s.png, 17 of 17 joints in the same cell" in out


@pytest.mark.usefixtures("network")
def test_what_cannot_be_used_is_said_before_the_work(pose, monkeypatch):
    Path("folder").mkdir()
    cv2.imwrite("folder/s.png", np.zeros((9, 7, 3), np.uint8))
    code, _, err = pose(*EXPORT, "folder")
    assert (code, "folder: export looks at one picture" in err) == (2, True)
    assert pose(*EXPORT, "none.png")[0] == 2
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = pose(*EXPORT)
    assert (code, "needs the package onnx" in err) == (1, True)
    assert not Path("small.onnx").exists()
