"""DEBUG's pictures: which there are, what is where in them, and that drawing changes nothing it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from pose.command.config import Config, Debug  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.telling.debug_pictures import DebugPictures  # noqa: E402

OUT = Path("output/coco/pose_resnet/small")
SWITCHES = {
    "DEBUG.SAVE_BATCH_IMAGES_GT": "gt",
    "DEBUG.SAVE_BATCH_IMAGES_PRED": "pred",
    "DEBUG.SAVE_HEATMAPS_GT": "hm_gt",
    "DEBUG.SAVE_HEATMAPS_PRED": "hm_pred",
}
ALL = ("DEBUG.DEBUG", "True", *(word for key in SWITCHES for word in (key, "True")))


def drawn():
    return {path.stem for path in OUT.glob("*_*.jpg")}


@pytest.mark.usefixtures("workplace")
def test_every_shown_batch_of_training_and_test_has_its_four_pictures(pose):
    code, _, err = pose("train", "--cfg", "small.yaml", "PRINT_FREQ", "2", "TEST.BATCH_SIZE_PER_GPU", "1",
                        "TRAIN.END_EPOCH", "1", *ALL)  # fmt: skip
    assert code == 0, err
    batches = ("train_0", "train_2", "val_0", "val_2")  # three batches of ten people, four of four
    assert drawn() == {f"{batch}_{name}" for batch in batches for name in SWITCHES.values()}


@pytest.mark.parametrize("key", SWITCHES)
@pytest.mark.usefixtures("workplace")
def test_each_switch_is_for_one_picture_and_debug_for_all(pose, key):
    words = ("test", "--cfg", "small.yaml", "--untrained", key, "True")
    pose(*words)
    assert drawn() == set()
    pose(*words, "DEBUG.DEBUG", "True")
    assert drawn() == {f"val_0_{SWITCHES[key]}"}


@pytest.mark.usefixtures("workplace")
def test_detected_boxes_have_no_truth_to_draw(pose):
    pose("test", "--cfg", "small.yaml", "--untrained", "TEST.USE_GT_BBOX", "False", *ALL)
    assert drawn() == {"val_0_pred", "val_0_hm_pred"}


def test_a_map_without_a_positive_value_has_no_joint(tmp_path):
    maps = torch.zeros((1, 17, 16, 8))
    batch = {"image": torch.zeros((1, 64, 32, 3), dtype=torch.uint8), "joints": torch.ones((1, 17, 2)),
             "visible": torch.ones((1, 17))}  # fmt: skip
    debug = Debug(DEBUG=True, SAVE_BATCH_IMAGES_PRED=True, SAVE_HEATMAPS_PRED=True)
    DebugPictures(tmp_path, Config(DEBUG=debug), COCO).write("val", 0, batch, maps, maps)
    # The corner, where a maximum that is not positive has its cell by convention.
    assert cv2.imread(str(tmp_path / "val_0_pred.jpg"))[10:60, 10:60].max() < 40
    assert cv2.imread(str(tmp_path / "val_0_hm_pred.jpg"))[10:60, 76:130].max() < 40


@pytest.fixture
def pictures(tmp_path):
    """Two black crops of 128 x 256 with one known joint, at (100, 40), of 17; maps of a quarter of that size.

    The map that was found has its maximum in cell (column 8, row 50), the wanted one in (25, 10).
    """
    crops = torch.zeros((2, 256, 128, 3), dtype=torch.uint8)
    joints, visible = torch.zeros((2, 17, 2), dtype=torch.float64), torch.zeros((2, 17))
    joints[1, 5], visible[1, 5] = torch.tensor([100.0, 40.0]), 1
    joints[1, 6] = torch.tensor([60.0, 200.0])  # not known
    output, target = torch.zeros((2, 2, 17, 64, 32)).unbind()
    output[1, 5, 50, 8], target[1, 5, 10, 25] = 0.9, 1.0
    batch = {"image": crops, "joints": joints, "visible": visible}
    before = [value.clone() for value in (*batch.values(), output, target)]
    DebugPictures(tmp_path, Config(DEBUG=Debug(True, True, True, True, True)), COCO).write(  # noqa: FBT003
        "train", 3, batch, output, target
    )
    assert all(map(torch.equal, before, (*batch.values(), output, target))), "drawing changed what it drew"
    return {path.stem: cv2.imread(str(path)).max(axis=2) for path in tmp_path.iterdir()}


@pytest.mark.parametrize(("name", "place"), [("gt", (100, 40)), ("pred", (32, 200))])
def test_a_joint_is_drawn_at_its_own_place_and_an_unknown_one_nowhere(pictures, name, place):
    page = pictures[f"train_3_{name}"]
    # Tiles begin 10 pixels from the border and from each other; 22 of a tile's height are for its number.
    first, second = page[10:266, 10:138], page[10:266, 148:276]
    assert first.max() < 40
    ys, xs = np.nonzero(second > 128)
    assert (xs.mean(), ys.mean()) == pytest.approx(place, abs=1)
    assert (np.ptp(xs), np.ptp(ys)) < (12, 12)


@pytest.mark.parametrize(("name", "cell"), [("hm_gt", (25, 10)), ("hm_pred", (8, 50))])
def test_a_map_is_drawn_in_its_joint_s_column_and_its_maximum_marked(pictures, name, cell):
    page = pictures[f"train_3_{name}"]
    # Maps of 64 rows are doubled to 128 to be read; columns are the crop's and one for each joint.
    row, step = 10 + (128 + 22 + 10), 64 + 10
    tiles = [page[row : row + 128, 10 + k * step : 10 + k * step + 64] for k in range(18)]
    bright = [k for k, tile in enumerate(tiles) if tile.max() > 128]
    assert bright == [6]  # the left shoulder is joint 5
    ys, xs = np.nonzero(tiles[6] > 128)
    assert (xs.mean(), ys.mean()) == pytest.approx((2 * cell[0] + 0.5, 2 * cell[1] + 0.5), abs=1)
