"""Drawn people: their files, their truth, and that no single pose describes them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
cv2 = pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")

from pose.command import synth_options  # noqa: E402
from pose.data import coco  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.data.pictures import check_pictures  # noqa: E402
from pose.drawn.canvas import Canvas, Place  # noqa: E402
from pose.drawn.figure import POSES, REST, pose_figure, sample_angles, sample_build, sample_view  # noqa: E402
from pose.drawn.paint import paint_person, sample_look, visible_joints  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.judging.evaluate import coco_metrics, results_of  # noqa: E402
from pose.report import Result  # noqa: E402
from pose.stages import synth  # noqa: E402

NAMES = COCO.names
PARTS = ["annotations", "images", "person_detection_results"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("synth") / "drawn"
    synth.write_dataset(root, seed=5, train=160, val=80)
    return root


def annotations_of(root, image_set):
    return json.loads((root / "annotations" / f"person_keypoints_{image_set}.json").read_text())


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_pictures(tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        synth.write_dataset(tmp_path / name, seed=seed, train=12, val=6)
    one, two, three = (digests(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    first = "images/train2017/000000000001.jpg"
    assert one[first] != three[first]
    assert len(one) > 8


def test_a_longer_training_set_begins_with_the_shorter_one(tmp_path, drawn):
    synth.write_dataset(tmp_path / "short", seed=5, train=20, val=5)
    short, long = (annotations_of(root, "train2017")["annotations"] for root in (tmp_path / "short", drawn))
    assert short[:17] == long[:17]  # the last picture may hold fewer people, so that the number is met


@pytest.mark.parametrize(("image_set", "people"), [("train2017", 160), ("val2017", 80)])
def test_the_files_are_coco_s_and_hold_exactly_the_people_asked_for(drawn, image_set, people):
    loaded = coco.load_ground_truth(drawn, image_set, (256, 192))
    check_pictures(loaded.records)
    assert len(loaded.records) == people
    document = annotations_of(drawn, image_set)
    assert [entry["id"] for entry in document["annotations"]] == list(range(1, people + 1))
    for image in document["images"]:
        picture = cv2.imread(str(drawn / "images" / image_set / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3)
        assert image["file_name"] == f"{image['id']:012d}.jpg"


def test_training_and_validation_share_no_picture(drawn):
    ids = [
        {image["id"] for image in annotations_of(drawn, name)["images"]} for name in ("train2017", "val2017")
    ]
    assert not ids[0] & ids[1]


def test_every_annotation_agrees_with_itself(drawn):
    for entry in annotations_of(drawn, "train2017")["annotations"]:
        keypoints = np.array(entry["keypoints"]).reshape(17, 3)
        inside = keypoints[:, 2] > 0
        assert entry["num_keypoints"] == inside.sum() > 0
        assert not keypoints[~inside].any()
        assert (keypoints[inside, :2] > -0.51).all()
        assert (keypoints[inside, :2] < (319.51, 239.51)).all()
        x, y, width, height = entry["bbox"]
        assert 0 < entry["area"] <= width * height
        for polygon in entry["segmentation"]:
            corners = np.array(polygon).reshape(-1, 2)
            assert len(corners) > 2
            assert (corners >= (x, y)).all()
            assert (corners < (x + width, y + height)).all()


def test_every_joint_is_now_seen_now_hidden_and_heads_hands_and_feet_now_outside(drawn):
    entries = annotations_of(drawn, "train2017")["annotations"]
    flags = np.array([np.array(entry["keypoints"]).reshape(17, 3)[:, 2] for entry in entries])
    assert ((flags == 2).sum(axis=0) > 0).all()
    assert ((flags == 1).sum(axis=0) > 0).all()
    outside = (flags == 0).sum(axis=0) > 0
    ends = ("nose", "eye", "ear", "wrist", "ankle")
    assert all(there for there, name in zip(outside, NAMES, strict=True) if name.endswith(ends))
    assert 0.1 < (flags == 1).mean() < 0.45
    assert 0.02 < (flags == 0).mean() < 0.2


def test_people_overlap_in_many_pictures(drawn):
    document = annotations_of(drawn, "train2017")
    boxes = {}
    for entry in document["annotations"]:
        boxes.setdefault(entry["image_id"], []).append(entry["bbox"])
    overlapping = sum(
        any(synth.overlap(a, b) > 0.1 * min(a[2] * a[3], b[2] * b[3]) for a, b in pairwise(people))
        for people in boxes.values()
    )
    assert overlapping > 0.15 * len(boxes)


def mean_pose_ap(root):
    """COCO's AP of somebody who has learnt one pose: the mean, in the box's own frame, for every box."""
    train, val = (coco.load_ground_truth(root, name, (256, 192)).records for name in ("train2017", "val2017"))
    joints = np.stack([(r.joints - r.box_xywh[:2]) / r.box_xywh[2:] for r in train])
    labelled = np.stack([r.visible for r in train])[..., None]
    mean = (joints * labelled).sum(axis=0) / labelled.sum(axis=0)
    guesses = np.stack([r.box_xywh[:2] + mean * r.box_xywh[2:] for r in val])
    results = results_of(
        np.concatenate([guesses, np.ones((*guesses.shape[:2], 1))], axis=2),
        np.stack([r.center for r in val]),
        np.stack([r.scale for r in val]),
        np.ones(len(val)),
        [r.image_id for r in val],
        category_id=1,
        in_vis_threshold=0.2,
        oks_threshold=1.0,
    )
    return coco_metrics(coco.load_ground_truth(root, "val2017", (256, 192)), results)


def test_whoever_knows_only_the_mean_pose_scores_next_to_nothing(drawn):
    metrics = mean_pose_ap(drawn)
    assert metrics["AP"] < 0.05
    assert metrics["Ap .5"] < 0.15


def test_the_detector_is_good_and_not_perfect(drawn):
    truth = annotations_of(drawn, "val2017")["annotations"]
    found = json.loads((drawn / synth.DRAWN_DETECTIONS).read_text())

    def best_overlap(box, others):
        overlaps = [synth.overlap(box, b) for b in others]
        unions = [box[2] * box[3] + b[2] * b[3] - o for b, o in zip(others, overlaps, strict=True)]
        return max((o / u for o, u in zip(overlaps, unions, strict=True)), default=0)

    boxes_of = lambda entries, image: [e["bbox"] for e in entries if e["image_id"] == image]  # noqa: E731
    recall = np.mean([best_overlap(t["bbox"], boxes_of(found, t["image_id"])) > 0.5 for t in truth])
    assert 0.9 <= recall <= 1
    assert len(found) > len(truth)
    right = [best_overlap(f["bbox"], boxes_of(truth, f["image_id"])) > 0.5 for f in found]
    scores = np.array([f["score"] for f in found])
    assert not all(right)
    assert scores[right].mean() > scores[np.logical_not(right)].mean() + 0.3
    assert all(f["bbox"] not in [t["bbox"] for t in truth] for f in found)
    assert ((scores > 0) & (scores < 1)).all()


def one_person(yaw, size=(240, 320)):
    """A standing person, all angles zero, in the middle of an empty picture."""
    draw = np.random.default_rng(0)
    angles = dict.fromkeys(sample_angles(draw, "standing"), 0.0)
    turn = np.radians(yaw)
    view = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    figure = pose_figure(sample_build(draw), angles, view)
    canvas, place = Canvas(np.full((*size, 3), 128, dtype=np.uint8)), Place(160, 130, 180)
    paint_person(canvas, figure, sample_look(draw), place, 1)
    pixels, seen = visible_joints(canvas, figure, place, 1)
    return canvas, dict(zip(NAMES, pixels, strict=True)), dict(zip(NAMES, seen.tolist(), strict=True))


def test_from_the_front_the_left_side_is_at_the_right_of_the_picture_and_the_face_is_seen():
    _, pixels, seen = one_person(0)
    assert pixels["left_shoulder"][0] > pixels["right_shoulder"][0]
    assert pixels["left_ankle"][0] > pixels["right_ankle"][0]
    assert pixels["nose"][1] < pixels["left_shoulder"][1] < pixels["left_hip"][1] < pixels["left_ankle"][1]
    assert {name for name, flag in seen.items() if flag != 2} <= {"left_wrist", "right_wrist"}  # at the hips


def test_from_behind_the_sides_are_swapped_and_the_face_is_hidden_by_the_own_head():
    _, pixels, seen = one_person(180)
    assert pixels["left_shoulder"][0] < pixels["right_shoulder"][0]
    assert [seen[name] for name in ("nose", "left_eye", "right_eye")] == [1, 1, 1]
    assert seen["left_shoulder"] == seen["right_knee"] == 2


def test_facing_right_the_left_side_is_behind_the_body():
    _, pixels, seen = one_person(90)
    assert pixels["nose"][0] > pixels["right_ear"][0]
    assert seen["left_ear"] == seen["left_shoulder"] == seen["left_elbow"] == seen["left_knee"] == 1
    assert seen["right_ear"] == seen["right_shoulder"] == seen["right_elbow"] == seen["right_knee"] == 2


def test_a_mirrored_front_view_is_no_other_persons_back_view():
    # Left and right must be there to be told apart: front and back differ in more than the sides' names.
    front, _, _ = one_person(0)
    back, _, _ = one_person(180)
    head = (slice(30, 75), slice(140, 180))
    difference = cv2.absdiff(front.image[head], back.image[:, ::-1][head])
    assert (difference.max(axis=-1) > 40).mean() > 0.05


def test_somebody_in_front_hides_joints():
    draw = np.random.default_rng(3)
    canvas, pixels, _ = one_person(0)
    figure = pose_figure(sample_build(draw), dict.fromkeys(sample_angles(draw, "standing"), 0.0), np.eye(3))
    place = Place(160, 130, 180)
    paint_person(canvas, figure, sample_look(draw), Place(165, 135, 190), 2)
    _, seen = visible_joints(canvas, figure, place, 1)
    assert (seen == 1).sum() > 8
    assert pixels["nose"].shape == (2,)


def test_joints_outside_the_picture_count_as_outside():
    draw = np.random.default_rng(3)
    figure = pose_figure(sample_build(draw), dict.fromkeys(sample_angles(draw, "standing"), 0.0), np.eye(3))
    canvas, place = Canvas(np.zeros((240, 320, 3), dtype=np.uint8)), Place(160, 230, 200)
    paint_person(canvas, figure, sample_look(draw), place, 1)
    seen = dict(zip(NAMES, visible_joints(canvas, figure, place, 1)[1].tolist(), strict=True))
    assert seen["left_knee"] == seen["right_ankle"] == 0
    assert seen["nose"] == 2


def test_every_pose_changes_angles_that_exist_and_within_what_a_body_can():
    known = {name + suffix for name in REST for suffix in ("", "1", "2")}
    for changes in POSES.values():
        assert set(changes) <= known
        for name, (low, high) in changes.items():
            assert low < high
            if name.rstrip("12") in {"knee", "elbow"}:  # hinges: they bend one way only
                assert 0 <= low < high <= 140


def test_bones_keep_their_lengths_in_every_pose():
    draw = np.random.default_rng(9)
    for pose in POSES:
        build = sample_build(draw)
        points = pose_figure(build, sample_angles(draw, pose), sample_view(draw)).points
        for side in ("left", "right"):
            for a, b, length in (
                ("shoulder", "elbow", build.upper_arm),
                ("elbow", "wrist", build.forearm),
                ("hip", "knee", build.thigh),
                ("knee", "ankle", build.shin),
            ):
                distance = np.linalg.norm(points[f"{side}_{a}"] - points[f"{side}_{b}"])
                assert distance == pytest.approx(length)


def test_the_stage_prints_where_the_dataset_is_and_replaces_an_older_one_whole(tmp_path, capsys):
    out = tmp_path / "drawn"
    for train, val in (("4", "2"), ("2", "1")):
        words = ["--out", str(out), "--train", train, "--val", val, "--size", "128x96"]
        synth.run(synth_options.read(words), Result("synth"))
    assert capsys.readouterr().out.splitlines() == [str(out)] * 2
    document = annotations_of(out, "train2017")
    assert len(document["annotations"]) == 2
    assert len(list((out / "images" / "train2017").iterdir())) == len(document["images"])
    assert (document["images"][0]["width"], document["images"][0]["height"]) == (128, 96)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]
    assert sorted(path.name for path in out.iterdir()) == [
        "annotations",
        "images",
        "person_detection_results",
    ]


KILLED_AT_EACH_STEP = """
import os, shutil, sys
from pathlib import Path
from pose.stages import synth

def write(out, seed):
    synth.write_dataset(out, seed=seed, train=2, val=1, size=(64, 64))

def killed(out, step):
    "Draws another dataset in a process that ends at its step-th renaming or removal of a folder."
    made = []
    def counted(call):
        def act(*arguments, **options):
            made.append(0)
            if len(made) == step:
                os._exit(9)
            return call(*arguments, **options)
        return act
    if not (child := os.fork()):
        Path.rename, shutil.rmtree, Path.rmdir = map(counted, (Path.rename, shutil.rmtree, Path.rmdir))
        write(out, 2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def files(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

def seen(out):
    return {name: content for name, content in files(out).items() if not name.startswith(".")}

one, two = Path("one"), Path("two")
write(one, 1), write(two, 2)
step, left = 0, 9
while left == 9:
    step += 1
    out = Path(f"out{step}")
    shutil.copytree(one, out)
    left = killed(out, step)
    found = seen(out)
    if any(name.startswith("annotations/") for name in found):
        assert found in (files(one), files(two)), (step, sorted(found))
    synth.recover(out)
    assert seen(out) in (files(one), files(two)), (step, sorted(seen(out)))
    write(out, 1)
    assert files(out) == files(one), (step, sorted(files(out)))
assert left == 0, left
print(step)
"""


def test_wherever_drawing_is_killed_one_whole_dataset_is_there_and_never_a_mixture(tmp_path, root):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_STEP],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8  # each of six folders moves, and some are removed
    assert "the dataset that was drawn last is whole, and is put in place" in done.stderr


def test_the_working_directory_itself_may_become_the_dataset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synth.run(synth_options.read(["--out", ".", "--train", "1", "--val", "1"]), Result("synth"))
    assert sorted(path.name for path in tmp_path.iterdir()) == PARTS


@pytest.mark.parametrize(
    "wrong", [["--size", "320"], ["--size", "2x2"], ["--train", "0"], ["--seed", "-1"], ["--siz", "64x64"]]
)
def test_wrong_options_end_with_code_two(tmp_path, wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        synth_options.read(["--out", str(tmp_path / "drawn"), *wrong])
    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named_and_nothing_is_left_half_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PoseError, match="cannot write") as caught:
        synth.write_dataset(tmp_path / "file" / "drawn", seed=0, train=1, val=1)
    assert caught.value.exit_code == 1
    assert "--output DIR" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
