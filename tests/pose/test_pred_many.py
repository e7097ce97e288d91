"""Prediction on folders, videos and detection files: what is written, matched, said and refused.

Long because a folder, a video and a file of detections are read by the same few pictures.
"""

from __future__ import annotations

import csv
import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from pose.data.dataset import read_picture  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.judging import inference  # noqa: E402
from pose.predicting import film, sources  # noqa: E402
from pose.predicting.found import documents  # noqa: E402
from pose.stages import pred  # noqa: E402

PRED = ("pred", "--cfg", "small.yaml", "--untrained", "--out", "out")


def middle(_model, crops, _config, _pairs):
    """Heat maps (B, 17, 16, 8) that all peak in the crop's centre."""
    out = torch.zeros(len(crops), 17, 16, 8)
    out[:, :, 8, 4] = 0.75
    return out


@pytest.fixture
def folder(workplace, monkeypatch):
    """Three grey pictures of different sizes."""
    monkeypatch.setattr(inference, "heat_maps", middle)
    place = workplace / "in"
    place.mkdir()
    for number, side in ((7, 100), (8, 120), (30, 140)):
        cv2.imwrite(str(place / f"a_{number:06d}.png"), np.full((side, side, 3), 90, np.uint8))
    (place / "notes.txt").write_text("no picture")
    return place


@pytest.fixture
def video(workplace, monkeypatch):
    """Six frames of 64 x 48 at 10 a second, each a little brighter."""
    monkeypatch.setattr(inference, "heat_maps", middle)
    path = workplace / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    return path


def boxes(*entries):
    Path("b.json").write_text(json.dumps(list(entries)), encoding="utf-8")
    return "--boxes", "b.json"


def box(image_id, *bbox, **more):
    return {"image_id": image_id, "category_id": 1, "bbox": list(bbox), "score": 0.5, **more}


def found(name):
    return json.loads(Path(f"out/{name}-keypoints.json").read_text(encoding="utf-8"))


def names():
    return sorted(path.name for path in Path("out").iterdir())


@pytest.mark.usefixtures("folder")
def test_a_folder_gives_a_drawn_picture_each_and_two_documents(pose):
    code, out, err = pose(*PRED, "in")
    drawn = ["a_000007-pose.jpg", "a_000008-pose.jpg", "a_000030-pose.jpg"]
    assert (code, names()) == (0, [*drawn, "in-keypoints.csv", "in-keypoints.json"])
    assert sorted(out.split()) == [f"out/{name}" for name in names()]
    assert "3 people in 3 pictures" in err
    entries = found("in")
    assert [entry["image_id"] for entry in entries] == [7, 8, 30]
    assert [entry["box"] for entry in entries] == [[0, 0, side, side] for side in (100, 120, 140)]
    assert entries[1]["keypoints"][:3] == pytest.approx([60, 60, 0.75])
    table = Path("out/in-keypoints.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["file"] for row in rows] == ["a_000007.png", "a_000008.png", "a_000030.png"]
    assert [float(rows[2][f"right_ankle_{part}"]) for part in ("x", "y", "value")] == [70, 70, 0.75]
    assert len(rows[0]) == 8 + 3 * 17


def test_the_record_says_which_pictures_of_a_folder_were_read(folder, pose):
    def dataset(*words):
        assert pose("--run-dir", "run", *PRED, *words, "in")[0] == 0
        return json.loads(Path("run/result.json").read_text(encoding="utf-8"))["dataset"]

    first = dataset()
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.png"))}
    told = "".join(f"{name}\0{size}\n" for name, size in sizes.items())
    assert first == {"root": str(folder), "fingerprint": hashlib.sha256(told.encode()).hexdigest()}
    (folder / "notes.txt").write_text("another text, and no picture")
    (folder / "a_000007-pose.jpg").write_bytes(b"what pred drew")
    assert dataset() == first
    assert dataset(*boxes(box(8, 0, 0, 9, 9)))["fingerprint"] != first["fingerprint"]

    path = folder / "a_000030.png"
    path.write_bytes(path.read_bytes() + b"a")  # behind the picture's end
    whole = dataset("--fingerprint", "contents")
    path.write_bytes(path.read_bytes()[:-1] + b"b")
    other = dataset("--fingerprint", "contents")
    assert whole["fingerprint"] == other["fingerprint"] != first["fingerprint"]
    assert whole["contents"] != other["contents"]
    path.unlink()
    assert dataset()["fingerprint"] != first["fingerprint"]


def test_one_person_in_one_picture_is_told_so(folder, pose):
    for path in sorted(folder.glob("*.png"))[1:]:
        path.unlink()
    assert "1 person in 1 picture\n" in pose(*PRED, "in")[2]
    twice = boxes(box(7, 0, 0, 50, 60), box(7, 0, 0, 50, 60))
    said = pose(*PRED, "in", *twice)[2]
    assert "1 person in 1 picture\n" in said
    assert "1 person is left out" in said


@pytest.mark.usefixtures("folder")
def test_people_of_many_pictures_share_batches_and_come_back_in_order(pose, monkeypatch):
    sizes = []

    def counted(model, crops, config, pairs):
        sizes.append(len(crops))
        return middle(model, crops, config, pairs)

    monkeypatch.setattr(inference, "heat_maps", counted)
    given = [box(number, 10 * i, 0, 20, 40) for i in range(3) for number in (7, 8, 30)]
    assert pose(*PRED, "in", *boxes(*given), "TEST.BATCH_SIZE_PER_GPU", "4")[0] == 0
    assert sizes == [4, 4, 1]
    assert [(e["image_id"], e["box"][0]) for e in found("in")] == [
        (number, x) for number in (7, 8, 30) for x in (0, 10, 20)
    ]
    # The centre of each box, and COCO's score: the box's times the joints'.
    assert found("in")[4]["keypoints"][:2] == pytest.approx([20, 20])
    assert found("in")[4]["score"] == pytest.approx(0.375)


@pytest.mark.usefixtures("folder")
def test_boxes_go_by_number_or_file_name_and_those_of_other_pictures_are_passed_over(pose):
    named = {"file_name": "sub/a_000030.png", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 1}
    other = box(7, 0, 0, 9, 9, category_id=3)
    given = boxes(box(8, 0, 0, 50, 60), named, box(99, 0, 0, 5, 5), other)
    assert pose(*PRED, "in", *given)[0] == 0
    assert [(e["file_name"], e["box"]) for e in found("in")] == [
        ("a_000008.png", [0, 0, 50, 60]),
        ("a_000030.png", [1, 2, 30, 40]),
    ]
    code, out, err = pose(*PRED, "in", *boxes(box(99, 0, 0, 5, 5)))
    assert (code, out) == (2, "")
    assert "no person's box in b.json" in err


@pytest.mark.parametrize("soft", ["False", "True"])
def test_coco_s_evaluation_says_of_pred_s_results_what_it_says_of_test_s(
    workplace, people, pose, monkeypatch, soft
):
    """A stranger with the highest score in each picture, the person, and the person once more."""
    coco_tools = pytest.importorskip("pycocotools.coco", reason="needs the pose extra")
    evaluation_tools = pytest.importorskip("pycocotools.cocoeval", reason="needs the pose extra")
    monkeypatch.setattr(inference, "heat_maps", middle)
    own = workplace / "own"
    (own / "annotations").mkdir(parents=True)
    (own / "images").symlink_to(people / "images")
    name = "annotations/person_keypoints_val2017.json"
    document = json.loads((people / name).read_text(encoding="utf-8"))
    for entry in document["annotations"]:
        entry.update(keypoints=[30, 50, 2] * 17, num_keypoints=17, area=1200, bbox=[10, 20, 40, 60])
    (own / name).write_text(json.dumps(document), encoding="utf-8")
    given = [
        {"image_id": entry["id"], "category_id": 1, "bbox": bbox, "score": score}
        for entry in document["images"]
        for bbox, score in (([50, 70, 40, 50], 0.9), ([10, 20, 40, 60], 0.8), ([11, 20, 40, 60], 0.7))
    ]
    _, file = boxes(*given)
    same = (*PRED[1:4], "--data", "own", "TEST.SOFT_NMS", soft)
    assert pose("test", *same, "TEST.USE_GT_BBOX", "False", "TEST.COCO_BBOX_FILE", file)[0] == 0
    code, _, err = pose(*PRED[:1], *same, "--out", "out", "own/images/val2017", "--boxes", file)
    assert code == 0
    assert ("4 people are left out" in err) == (soft == "False")
    (tested,) = Path("output").rglob("keypoints_val2017_results_0.json")

    def scored(file):
        truth = coco_tools.COCO(str(own / name))
        evaluation = evaluation_tools.COCOeval(truth, truth.loadRes(str(file)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation.stats.tolist()

    expected = scored(tested)
    assert expected[0] > 0
    assert expected[3] > expected[0]  # strangers are of no size, their joints lying in one place
    assert scored("out/val2017-keypoints.json") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (box(7, 0, 0, 0, 5), 'b.json: [1] "bbox" has a side of 0'),
        (box(7, 0, 0, 5, -2), 'b.json: [1] "bbox" has a side of -2'),
        (box(7, 0, 0, 5, 1e-30), 'b.json: [1] "bbox" has a side of 1e-30 pixels; 0.01 is the least'),
        (box(7, 0, 0, 1e300, 5), 'b.json: [1] "bbox" has a side of 1e+300 pixels'),
        (box(7, float("nan"), 0, 5, 5), 'b.json: [1] "bbox" is not four finite numbers'),
        (box(7, 0, 0, 5), 'b.json: [1] "bbox" is not four finite numbers'),
        (box("7", 0, 0, 5, 5), 'b.json: [1] "image_id" is no whole number'),
        (box(7, 0, 0, 5, 5, score="x"), 'b.json: [1] "score" is no finite number'),
        (3, "b.json: [1] is no object"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_bad_entry_is_named_before_any_work(pose, bad, says):
    code, out, err = pose(*PRED, "in", *boxes(box(7, 0, 0, 5, 5), bad))
    assert (code, out) == (2, "")
    assert says in err
    assert not Path("out").exists()


@pytest.mark.usefixtures("folder")
def test_a_box_outside_its_picture_is_named_and_the_others_are_done(pose):
    code, _, err = pose(*PRED, "in", *boxes(box(7, 0, 0, 50, 60), box(8, 500, 0, 5, 5)))
    assert code == 1
    assert "b.json: [1] bbox lies outside the picture a_000008.png" in err
    assert [entry["image_id"] for entry in found("in")] == [7]


def test_a_picture_that_cannot_be_decoded_is_named_at_the_end(folder, pose):
    (folder / "a_000008.png").write_bytes(b"no picture at all")
    code, _, err = pose(*PRED, "in")
    assert code == 1
    assert "a_000008.png cannot be decoded" in err
    assert [entry["image_id"] for entry in found("in")] == [7, 30]


def test_an_empty_folder_and_one_of_broken_pictures_are_answered(folder, pose):
    (folder.parent / "none").mkdir()
    code, _, err = pose(*PRED, "none")
    assert code == 2
    assert "there is no picture in the folder none" in err
    for path in folder.glob("*.png"):
        path.write_bytes(b"")
    assert pose(*PRED, "in")[0] == 2
    assert not Path("out").exists()


def oriented(picture, orientation):
    """A JPEG with an EXIF block of one entry: tag 0x0112, a SHORT, big-endian as the EXIF standard has it."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM" + struct.pack(">HIH", 42, 8, 1) + entry + struct.pack(">I", 0)
    block = b"Exif\0\0" + tiff
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


# How the stored rows and columns become the upright picture's: the EXIF standard's table of eight.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_phone_s_picture_stands_upright(tmp_path, orientation):
    stored = np.zeros((40, 64, 3), np.uint8)
    stored[:20, :32], stored[20:, :32], stored[:20, 32:] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    path = tmp_path / "phone.jpg"
    path.write_bytes(oriented(stored, orientation))
    (frame,) = sources.frames(sources.open_source(path))
    wanted = UPRIGHT[orientation](stored)
    assert frame.picture.shape == wanted.shape
    assert np.abs(frame.picture.astype(int) - wanted).mean() < 8  # JPEG's own
    assert read_picture(path).shape == stored.shape  # annotations refer to what is stored


@pytest.mark.usefixtures("video")
def test_a_video_gives_a_video_of_the_same_size_rate_and_length(pose):
    code, _, err = pose(*PRED, "v.avi", "--box", "10,10,20,20")
    assert (code, names()) == (0, ["v-keypoints.csv", "v-keypoints.json", "v-pose.mp4"])
    made = cv2.VideoCapture("out/v-pose.mp4")
    assert [made.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)] == [64, 48]
    assert (made.get(cv2.CAP_PROP_FPS), made.get(cv2.CAP_PROP_FRAME_COUNT)) == (10, 6)
    brightness = [float(made.read()[1][:, 50:].mean()) for _ in range(6)]
    assert brightness == pytest.approx([0, 40, 80, 120, 160, 200], abs=6)
    assert [entry["image_id"] for entry in found("v")] == list(range(6))
    assert "6 people in 6 frames" in err


@pytest.mark.usefixtures("video")
def test_frames_without_a_box_stay_in_the_video_and_boxes_of_later_ones_are_passed_over(pose):
    given = boxes(box(1, 0, 0, 20, 20), box(4, 0, 0, 20, 20), box(70, 0, 0, 9, 9))
    assert pose(*PRED, "v.avi", *given, "TEST.BATCH_SIZE_PER_GPU", "2")[0] == 0
    assert [entry["image_id"] for entry in found("v")] == [1, 4]
    assert cv2.VideoCapture("out/v-pose.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == 6


@pytest.mark.usefixtures("video")
def test_no_more_frames_than_a_batch_wait_for_people(pose, monkeypatch):
    read, ahead = [], []

    def counted(*arguments):
        for frame in sources.frames(*arguments):
            read.append(frame.image_id)
            yield frame

    def drawn(picture, *_arguments, **_options):
        ahead.append(len(read) - len(ahead))
        return picture

    monkeypatch.setattr(pred, "frames", counted)
    monkeypatch.setattr(pred, "draw_people", drawn)
    given = boxes(box(0, 0, 0, 20, 20))  # alone: no full batch ever comes
    assert pose(*PRED, "v.avi", *given, "TEST.BATCH_SIZE_PER_GPU", "2")[0] == 0
    assert len(ahead) == 6
    assert max(ahead) <= 3


def test_a_name_that_a_spreadsheet_would_compute_is_text(tmp_path):
    person = {"category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [0] * 51, "score": 1}
    with documents(tmp_path / "r.json", tmp_path / "t.csv", ("=nose", *COCO.names[1:])) as both:
        both.add("=1+1.png", 5, 0, person)
    head, row = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("file,image_id,person,x,y,width,height,score,'=nose_x,'=nose_y,")
    assert row.startswith("'=1+1.png,5,0,1,2,3,4,1,0,")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))[0]["file_name"] == "=1+1.png"


def test_a_video_that_ends_early_says_how_many_frames_there_were(video, pose):
    whole = video.read_bytes()
    fourth = [at for at in range(len(whole)) if whole[at : at + 4] == b"00dc"][3]
    video.write_bytes(whole[:fourth])
    reader, there = cv2.VideoCapture("v.avi"), 0
    while reader.read()[0]:
        there += 1
    assert 0 < there < 6
    code, _, err = pose(*PRED, "v.avi")
    assert code == 1
    assert f"ends early: {there} of 6 frames were read" in err
    assert "some of v.avi could not be used" in err
    assert len(found("v")) == there
    assert cv2.VideoCapture("out/v-pose.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == there
    video.write_bytes(b"nothing")
    code, _, err = pose(*PRED, "v.avi")
    assert code == 2
    assert "v.avi cannot be opened" in err


@pytest.mark.parametrize(("promised", "code"), [(6, 0), (8, 0), (9, 1)])
@pytest.mark.usefixtures("video")
def test_a_header_may_count_two_frames_too_many(pose, monkeypatch, promised, code):
    opened = pred.open_source
    monkeypatch.setattr(pred, "open_source", lambda path: replace(opened(path), promised=promised))
    got, _, err = pose(*PRED, "v.avi")
    assert (got, f"6 of {promised} frames were read" in err) == (code, promised > 6)
    assert len(found("v")) == 6


@pytest.mark.usefixtures("video")
def test_without_mp4v_the_video_is_motion_jpeg_and_that_is_said(pose, monkeypatch):
    monkeypatch.setattr(film, "CODECS", ((".mp4", "zzzz"), (".avi", "MJPG")))
    code, _, err = pose(*PRED, "v.avi")
    assert code == 0
    assert "cannot write zzzz in .mp4" in err
    assert cv2.VideoCapture("out/v-pose.avi").get(cv2.CAP_PROP_FRAME_COUNT) == 6


@pytest.mark.usefixtures("folder")
def test_the_drawing_threshold_leaves_the_score_alone_and_heat_maps_show(pose):
    drawn = {}
    for name, more in {"all": (), "none": ("--threshold", "0.9"), "heat": ("--heatmaps",)}.items():
        assert pose(*PRED, "in", *more)[0] == 0
        drawn[name] = cv2.imread("out/a_000007-pose.jpg").astype(int), found("in")[0]["score"]
    assert [score for _, score in drawn.values()] == [0.75] * 3
    assert np.ptp(drawn["none"][0]) < 8  # the grey picture as it was
    assert np.ptp(drawn["all"][0]) > 100
    assert np.abs(drawn["heat"][0] - drawn["all"][0]).max() > 50
    code, _, err = pose(*PRED, "in", "--threshold", "nan")
    assert (code, "--threshold nan is no number" in err) == (2, True)


@pytest.mark.parametrize(
    ("name", "number"),
    [("COCO_val2014_000000000139.jpg", 139), ("000000000139.jpg", 139), ("me.jpg", None), ("a1_22b.png", 22)],
)
def test_a_pictures_number_is_the_last_in_its_name(name, number):
    assert sources.digits(name) == number
