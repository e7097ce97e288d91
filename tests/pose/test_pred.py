"""Prediction on one picture, and testing weights: where the joints land, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from pose.errors import PoseError  # noqa: E402
from pose.judging import inference  # noqa: E402
from pose.stages.pred import parse_box  # noqa: E402

PRED = ("pred", "--cfg", "small.yaml", "--untrained")


@pytest.fixture
def picture(workplace):
    cv2.imwrite("s.jpg", np.full((200, 160, 3), 90, np.uint8))
    return workplace / "s.jpg"


def sure_of(x, y, value=0.75):
    """A network's heat maps (B, 17, 16, 8) that all peak in one cell."""

    def maps(_model, crops, _config, _pairs):
        out = torch.zeros(len(crops), 17, 16, 8)
        out[:, :, y, x] = value
        return out

    return maps


def test_the_joints_land_where_the_heat_maps_middle_cell_lies_in_the_box(picture, pose, monkeypatch):
    monkeypatch.setattr(inference, "heat_maps", sure_of(4, 8))
    code, out, _ = pose(*PRED, str(picture), "--box", "40,60,50,100")
    assert code == 0
    person = json.loads(Path("s-pose.json").read_text(encoding="utf-8"))["people"][0]
    # Cell (4, 8) of 8 x 16 is the crop's centre, and that is the box's.
    assert np.array(person["keypoints"]).reshape(17, 3) == pytest.approx(np.tile([65, 110, 0.75], (17, 1)))
    assert (person["bbox"], person["score"], person["category_id"]) == ([40, 60, 50, 100], 0.75, 1)
    assert "s-pose.jpg" in out


def test_without_a_box_the_whole_picture_is_one_and_each_box_is_a_person(picture, pose):
    pose(*PRED, str(picture))
    people = json.loads(Path("s-pose.json").read_text(encoding="utf-8"))["people"]
    assert [person["bbox"] for person in people] == [[0, 0, 160, 200]]
    code, _, _ = pose(
        *PRED, "--box", "-3,-5,60,90", str(picture), "--box", "80,20,50,90", "TEST.FLIP_TEST", "True"
    )
    people = json.loads(Path("s-pose.json").read_text(encoding="utf-8"))["people"]
    assert (code, [person["bbox"] for person in people]) == (0, [[-3, -5, 60, 90], [80, 20, 50, 90]])


def test_the_drawn_picture_shows_the_skeleton_and_goes_where_it_is_told(picture, pose, monkeypatch):
    monkeypatch.setattr(inference, "heat_maps", sure_of(4, 8))
    assert pose(*PRED, str(picture), "--out", "drawn")[0] == 0
    drawn = cv2.imread("drawn/s-pose.jpg")
    assert drawn.shape[0] % 200 == 0
    assert np.ptp(drawn) > 100  # the picture itself is one grey
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["s-pose.jpg", "s-pose.json"]


def test_in_a_run_folder_everything_lies_there_and_is_listed(picture, pose):
    assert pose("--run-dir", "run", *PRED, str(picture))[0] == 0
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert [Path(path).name for path in result["outputs"]] == ["s-pose.jpg", "s-pose.json"]
    assert all(Path(path).is_file() for path in result["outputs"])
    assert (result["schema"], result["stage"], result["seed"]) == ("pose.result/1", "pred", 0)
    assert result["config"]["MODEL"]["EXTRA"]["NUM_LAYERS"] == 18


@pytest.mark.parametrize(
    "text",
    [
        *("1,2,3", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,0,1,1", "", "inf,0,1,1"),
        *("0,0,1e300,1e300", "10,10,0.001,0.001", "-1e9,0,2e9,5"),
    ],
)
def test_a_box_that_is_none_is_refused(text):
    with pytest.raises(PoseError, match="is no box"):
        parse_box(text)
    assert parse_box("-5,0,0.01,1000") == (-5, 0, 0.01, 1000)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no picture was named"),
        (("none.jpg",), "there is no picture none.jpg"),
        (("s.jpg", "--box", "500,0,10,10"), "lies outside the picture"),
        (("small.yaml",), "small.yaml"),
        (("s.jpg", "t.jpg"), "one picture at a time"),
        (("s.jpg", "TEST.MODEL_FIL", "m.pth"), "did you mean TEST.MODEL_FILE?"),
        (("s.jpg", "TEST.MODEL_FILE", "small.yaml"), "small.yaml is not a weights file"),
    ],
)
def test_what_cannot_be_predicted_on_is_answered_in_a_sentence(picture, pose, arguments, says):
    code, out, err = pose(*PRED, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
    assert sorted(path.name for path in picture.parent.iterdir()) == ["s.jpg", "small.yaml"]


@pytest.mark.parametrize("stage", [("pred", "--out", "drawn"), ("export",)])
def test_opencv_5_which_crops_differently_is_refused(picture, pose, monkeypatch, stage):
    pytest.importorskip("onnx", reason="needs the pose extra's onnx")
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    code, out, err = pose(*stage, *PRED[1:], str(picture))
    assert (code, out) == (2, "")
    assert "OpenCV 5.0.0 warps pictures differently" in err
    assert sorted(path.name for path in picture.parent.iterdir()) == ["s.jpg", "small.yaml"]


@pytest.mark.usefixtures("workplace")
def test_weights_are_needed_unless_random_ones_are_asked_for(pose):
    code, _, err = pose("test", "--cfg", "small.yaml")
    assert code == 2
    assert "--untrained" in err
    code, out, _ = pose("test", "--cfg", "small.yaml", "--untrained")
    assert code == 0
    assert out.startswith(
        "| Arch | AP | Ap .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |"
    )


@pytest.mark.usefixtures("workplace")
def test_loss_and_accuracy_are_figures_with_annotated_boxes_and_dashes_with_detected_ones(pose):
    test = ("test", "--cfg", "small.yaml", "--untrained")
    _, _, err = pose(*test)
    assert "loss 0." in err
    assert "4 annotated ones" in err
    _, _, err = pose(*test, "TEST.USE_GT_BBOX", "False")
    assert "loss -   accuracy -" in err
    assert "detected ones (COCO_val2017_detections_drawn_person.json" in err


def test_boxes_of_other_pictures_are_counted_where_the_boxes_are_told(workplace, people, pose):
    entries = json.loads(
        (people / "person_detection_results" / "COCO_val2017_detections_drawn_person.json").read_text()
    )
    for entry in entries[1:]:
        entry["image_id"] += 10**6
    (workplace / "part.json").write_text(json.dumps(entries))
    words = ("test", "--cfg", "small.yaml", "--untrained", "TEST.USE_GT_BBOX", "False")
    _, _, err = pose(*words, "TEST.COCO_BBOX_FILE", "part.json")
    told = "boxes: 1 detected ones (part.json, TEST.USE_GT_BBOX False)"
    assert f"{told}, {len(entries) - 1} more are of other pictures" in err
    _, _, err = pose(*words)
    assert "of other pictures" not in err


def test_a_crowd_that_cannot_be_judged_by_stops_a_test_before_its_work(workplace, people, pose):
    (workplace / "own" / "annotations").mkdir(parents=True)
    (workplace / "own" / "images").symlink_to(people / "images")
    document = json.loads((people / "annotations" / "person_keypoints_val2017.json").read_text())
    crowd = {**document["annotations"][0], "id": 9999, "iscrowd": 1}
    del crowd["area"]
    document["annotations"].insert(0, crowd)
    (workplace / "own" / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(document))
    code, out, err = pose("test", "--cfg", "small.yaml", "--untrained", "--data", "own")
    assert (code, out) == (2, "")
    assert 'person_keypoints_val2017.json: annotations[0] has no field "area"' in err
    assert not list(workplace.rglob("keypoints_val2017_results_0.json"))


@pytest.mark.usefixtures("workplace")
def test_weights_of_another_network_are_refused_by_name(pose):
    pose("train", "--cfg", "small.yaml", "TRAIN.END_EPOCH", "0")
    code, _, err = pose("test", "--cfg", "small.yaml", "MODEL.EXTRA.NUM_LAYERS", "34")
    assert code == 2
    assert "96 missing (layer1.2.conv1.weight" in err  # 236 entries against 140
