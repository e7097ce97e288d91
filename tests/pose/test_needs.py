"""`--check`: what a command line reads and writes, worked out by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RES50 = "experiments/coco/resnet/res50_256x192_d256x3_adam_lr1e-3.yaml"
DRAWN = "experiments/drawn/res18_96x64.yaml"
IMAGENET = "models/pytorch/imagenet/resnet50-19c8e357.pth"
DETECTED = "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
RUN = "output/coco/pose_resnet/res50_256x192_d256x3_adam_lr1e-3"
NOTHING = ([], [], None)


@pytest.fixture
def check(pose, tmp_path, monkeypatch):
    """`check(*words)`: reads and writes, below the working directory without it, and the workers."""
    monkeypatch.chdir(tmp_path)

    def told(*words: str) -> tuple[list[str], list[str], int | None]:
        code, out, err = pose(*words) if "--check" in words else pose("--check", *words)
        assert (code, err) == (0, "")
        document = json.loads(out)
        assert list(document) == ["schema", "reads", "writes", "workers"]
        assert document["schema"] == "pose.paths/1"
        assert all(Path(path).is_absolute() for path in document["reads"] + document["writes"])
        here = f"{tmp_path}/"
        reads, writes = ([path.removeprefix(here) for path in document[key]] for key in ("reads", "writes"))
        return reads, writes, document["workers"]

    return told


@pytest.fixture
def mine(root, tmp_path):
    """A config of the user's own, in the working directory."""
    text = (root / "pose" / DRAWN).read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return "mine.yaml"


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        ((), ["data/coco", IMAGENET]),
        (("TEST.USE_GT_BBOX", "False"), ["data/coco", DETECTED, IMAGENET]),
        (("TEST.COCO_BBOX_FILE", "b.json", "TEST.USE_GT_BBOX", "False"), ["data/coco", "b.json", IMAGENET]),
        (("TEST.COCO_BBOX_FILE", "", "TEST.USE_GT_BBOX", "False"), ["data/coco", IMAGENET]),
        (("MODEL.INIT_WEIGHTS", "False"), ["data/coco"]),
        (("MODEL.PRETRAINED", ""), ["data/coco"]),
        (("TEST.MODEL_FILE", "w.pth"), ["data/coco", IMAGENET]),
        (("--data", "there/../coco"), ["coco", IMAGENET]),
        (("DATASET.ROOT", "/big/coco"), ["/big/coco", IMAGENET]),
        (("MODEL.PRETRAINED", "data/coco"), ["data/coco"]),
    ],
)
def test_training_reads_the_dataset_detected_boxes_and_pretrained_weights(check, words, reads):
    assert check("train", "--cfg", RES50, *words) == (reads, ["output", "log"], 24)


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        ((), ["data/coco", f"{RUN}/final_state.pth"]),
        (("TEST.MODEL_FILE", "w.pth"), ["data/coco", "w.pth"]),
        (("TEST.MODEL_FILE", "w.pth", "--untrained"), ["data/coco", "w.pth"]),
        (("TEST.MODEL_FILE", "w.pth", "TEST.USE_GT_BBOX", "False"), ["data/coco", DETECTED, "w.pth"]),
        (("TEST.MODEL_FILE", f"{RUN}/model_best.pth"), ["data/coco", f"{RUN}/model_best.pth"]),
    ],
)
def test_testing_reads_weights_and_no_pretrained_ones(check, words, reads):
    assert check("test", "--cfg", RES50, "WORKERS", "3", *words) == (reads, ["output"], 3)


@pytest.mark.parametrize(
    ("words", "reads", "writes"),
    [
        (("s.jpg",), ["s.jpg", f"{RUN}/final_state.pth"], None),
        (("s.jpg", "--untrained", "--data", "d"), ["s.jpg"], None),
        (("s.jpg", "TEST.MODEL_FILE", "w.pth", "--out", "drawn"), ["s.jpg", "w.pth"], "drawn"),
        (("/p/s.jpg", "OUTPUT_DIR", "o", "--out=../x"), None, "../x"),
    ],
)
def test_prediction_reads_a_picture_and_weights_and_writes_where_it_is_told(
    check, tmp_path, words, reads, writes
):
    found = check("pred", "--cfg", RES50, *words)
    reads = reads or ["/p/s.jpg", f"{RUN.replace('output', 'o', 1)}/final_state.pth"]
    where = {None: str(tmp_path), "../x": str(tmp_path.parent / "x")}.get(writes, writes)
    assert found == (reads, [where], None)


@pytest.mark.parametrize("source", ["folder", "film.mp4", "CLIP.MP4"])
def test_prediction_reads_a_folder_or_video_and_its_detection_file(check, source):
    found = check("pred", "--cfg", RES50, "--untrained", source, "--boxes", "b.json", "--heatmaps")
    assert found[0] == [source, "b.json"]


@pytest.mark.parametrize("leading", [("--run-dir", "run", "--check"), ("--check", "--run-dir", "run")])
def test_the_run_folder_is_not_told(check, tmp_path, leading):
    assert check(*leading, "pred", "--cfg", RES50, "--untrained", "s.jpg") == (["s.jpg"], [], None)
    assert check(*leading, "pred", "--cfg", RES50, "--untrained", "s.jpg", "--out", "o")[1] == ["o"]
    assert check(*leading, "demo") == ([], [], 0)
    assert check(*leading, "demo", "--output", "o") == ([], ["o"], 0)
    assert check(*leading, "train", "--cfg", RES50)[1] == ["output", "log"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("synth", "--out", "d"), ([], ["d"], None)),
        (("synth", "--output=/big/d"), ([], ["/big/d"], None)),
        (("demo",), ([], ["pose-demo"], 0)),
        (("demo", "--long", "--output", "o"), ([], ["o"], 0)),
        (("demo", "--out", "p", "--output", "o"), ([], ["p"], 0)),
        (("env", "--json"), NOTHING),
    ],
)
def test_stages_without_a_config_of_the_user_s(check, words, told):
    assert check(*words) == told


@pytest.mark.parametrize("stage", ["train", "test", "pred", "synth", "demo", "check-data", "env"])
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_reads_and_writes_nothing(check, stage, word):
    assert check(stage, word) == NOTHING


@pytest.mark.parametrize(
    ("words", "writes"),
    [
        (("--output", "o"), "o"),
        (("OUTPUT_DIR", "o"), "o"),
        (("--modelDir", "/big/o"), "/big/o"),
        (("OUTPUT_DIR", "", "DATASET.HYBRID_JOINTS_TYPE", "h"), f"coco_h{RUN.removeprefix('output/coco')}"),
    ],
)
@pytest.mark.parametrize("stage", ["train", "test"])
def test_the_output_folder_however_it_is_named(check, stage, words, writes):
    assert check(stage, "--cfg", RES50, *words)[1] == [writes, *(["log"] if stage == "train" else [])]


def test_training_writes_its_numbers_into_log_dir_and_a_test_does_not(check, tmp_path):
    words = ("--cfg", RES50, "--logDir", "log", "LOG_DIR", "elsewhere")
    assert check("train", *words)[1] == ["output", "log"]
    assert check("test", *words)[1] == ["output"]
    assert check("train", "--cfg", RES50, "LOG_DIR", "output/log")[1] == ["output"]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "coco").symlink_to("/big/logs")
    assert check("train", *words)[1] == ["output", "log", "log/coco"]


@pytest.mark.parametrize("words", [("--dataDir", "/d"), ("DATA_DIR", "/d")])
def test_data_dir_stands_before_root_and_weights_and_not_before_boxes(check, words):
    more = (*words, "TEST.USE_GT_BBOX", "False", "TEST.MODEL_FILE", "w.pth")
    assert check("train", "--cfg", RES50, *more)[0] == ["/d/data/coco", DETECTED, f"/d/{IMAGENET}"]
    assert check("test", "--cfg", RES50, *more)[0] == ["/d/data/coco", DETECTED, "/d/w.pth"]
    assert check("pred", "s.jpg", "--cfg", RES50, *more)[0] == ["s.jpg", "/d/w.pth"]


def test_a_config_of_one_s_own_is_read_and_a_bundled_one_travels_with_pose(check, mine, tmp_path):
    assert check("train", "--cfg", mine) == (["mine.yaml", "data/drawn"], ["output", "log"], 0)
    assert check("train", "--cfg", str(tmp_path / mine))[0] == ["mine.yaml", "data/drawn"]
    assert check("pred", "s.jpg", "--untrained", "--cfg", mine)[0] == ["mine.yaml", "s.jpg"]
    assert check("train", "--cfg", DRAWN)[0] == ["data/drawn"]


def test_an_own_config_of_a_bundled_one_s_name_goes_before_it_even_in_the_demo(check, mine, tmp_path):
    own = tmp_path / DRAWN
    own.parent.mkdir(parents=True)
    text = (tmp_path / mine).read_text(encoding="utf-8").replace("WORKERS: 0", "WORKERS: 6")
    own.write_text(f"{text}\n".replace("INIT_WEIGHTS: false", "INIT_WEIGHTS: true\n  PRETRAINED: w.pth", 1))
    text = own.read_text(encoding="utf-8").replace("  PRETRAINED: ''\n", "")
    own.write_text(text, encoding="utf-8")
    assert check("train", "--cfg", DRAWN)[0] == [DRAWN, "data/drawn", "w.pth"]
    assert check("demo") == ([DRAWN, "w.pth"], ["pose-demo"], 6)


def test_symbolic_links_stay_as_they_were_written(check, mine, tmp_path):
    big = tmp_path / "big"
    for name in ("coco", "out"):
        (big / name).mkdir(parents=True)
        (tmp_path / name).symlink_to(big / name)
    (tmp_path / "link.yaml").symlink_to(mine)
    (tmp_path / "s.jpg").symlink_to("nowhere.jpg")
    words = ("--cfg", "link.yaml", "--data", "coco", "--output", "out")
    assert check("train", *words) == (["link.yaml", "coco"], ["out", "log"], 0)
    assert check("pred", *words, "--untrained", "s.jpg", "--out", "out")[:2] == (
        ["link.yaml", "s.jpg"],
        ["out"],
    )
    assert check("synth", "--out", "coco")[1] == ["coco"]


def test_up_from_a_link_is_up_from_where_it_leads(check, tmp_path):
    (tmp_path / "big" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "big" / "deep")
    assert check("train", "--cfg", DRAWN, "DATASET.ROOT", "link/../coco")[0] == ["link/../coco"]
    assert check("train", "--cfg", DRAWN, "DATASET.ROOT", "big/../coco")[0] == ["coco"]


def test_what_a_link_takes_out_of_the_dataset_is_told_too(check, tmp_path):
    (tmp_path / "coco" / "images").mkdir(parents=True)
    (tmp_path / "coco" / "images" / "val2017").symlink_to("/big/val2017")
    (tmp_path / "coco" / "images" / "train2017").symlink_to("val2014")  # stays inside
    (tmp_path / "coco" / "annotations").symlink_to("/big/annotations")
    words = ("--cfg", DRAWN, "--data", "coco")
    assert check("train", *words)[0] == ["coco", "coco/annotations", "coco/images/val2017"]
    weights = "output/coco/pose_resnet/res18_96x64/final_state.pth"
    assert check("test", *words)[0] == ["coco", "coco/annotations", "coco/images/val2017", weights]
    assert check("test", *words, "DATASET.TEST_SET", "train2017")[0] == ["coco", "coco/annotations", weights]


def test_each_link_of_several_on_the_way_is_told(check, tmp_path):
    (tmp_path / "coco").mkdir()
    (tmp_path / "big").mkdir()
    (tmp_path / "coco" / "images").symlink_to(tmp_path / "big")
    (tmp_path / "big" / "train2017").symlink_to("/bigger/train2017")
    words = ("--cfg", DRAWN, "--data", "coco")
    assert check("train", *words)[0] == ["coco", "coco/images", "coco/images/train2017"]


MPII50 = "experiments/mpii/resnet/res50_256x256_d256x3_adam_lr1e-3.yaml"


def test_mpii_s_lists_pictures_and_truth_are_told_and_no_boxes(check, tmp_path):
    assert check("train", "--cfg", MPII50, "TEST.USE_GT_BBOX", "False")[0] == ["data/mpii", IMAGENET]
    (tmp_path / "mpii" / "annot").mkdir(parents=True)
    for name in ("train.json", "valid.json", "gt_train.mat", "gt_valid.mat"):
        (tmp_path / "mpii" / "annot" / name).symlink_to(f"/big/{name}")
    for name in ("images", "images.zip"):
        (tmp_path / "mpii" / name).symlink_to(f"/big/{name}")
    lists, truth = ["mpii/annot/train.json", "mpii/annot/valid.json"], "mpii/annot/gt_valid.mat"
    words = ("--cfg", MPII50, "--data", "mpii", "MODEL.INIT_WEIGHTS", "False")
    for stage in ("train", "check-data"):
        told = check(stage, *words)[0]
        assert sorted(told) == sorted(["mpii", *lists, truth, "mpii/images"])
    told = check("train", *words, "DATASET.DATA_FORMAT", "zip", "DATASET.TEST_SET", "test")[0]
    assert told == ["mpii", lists[0], "mpii/images.zip"]
    assert check("test", *words, "--untrained")[0] == ["mpii", lists[1], truth, "mpii/images"]


def test_a_zipped_set_on_another_disk_is_told(check, tmp_path):
    (tmp_path / "coco" / "images").mkdir(parents=True)
    (tmp_path / "coco" / "images" / "val2017.zip").symlink_to("/big/val2017.zip")
    words = ("--cfg", DRAWN, "--data", "coco", "--untrained", "DATASET.DATA_FORMAT", "zip")
    assert check("test", *words)[0] == ["coco", "coco/images/val2017.zip"]


def test_a_run_folder_and_a_checkpoint_on_another_disk_are_told(check, tmp_path):
    run = tmp_path / "output" / "coco" / "pose_resnet" / "res18_96x64"
    run.mkdir(parents=True)
    (run / "checkpoint.pth").symlink_to("/big/checkpoint.pth")
    words = ("--cfg", DRAWN)
    assert check("train", *words, "AUTO_RESUME", "True")[:2] == (
        ["data/drawn", "output/coco/pose_resnet/res18_96x64/checkpoint.pth"],
        ["output", "log"],
    )
    assert check("train", *words, "AUTO_RESUME", "False")[0] == ["data/drawn"]
    (run / "final_state.pth").symlink_to("/big/final_state.pth")
    assert check("test", *words)[0] == ["data/drawn", "output/coco/pose_resnet/res18_96x64/final_state.pth"]
    assert check("test", *words, "--untrained")[0] == ["data/drawn"]
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "coco").symlink_to("/big/runs")
    assert check("train", *words, "--output", "o", "AUTO_RESUME", "True") == (
        ["data/drawn"],
        ["o", "o/coco", "log"],
        0,
    )


def test_the_demo_s_people_on_another_disk_are_told(check, tmp_path):
    (tmp_path / "pose-demo").mkdir()
    (tmp_path / "pose-demo" / "people").symlink_to("/big/people")
    assert check("demo") == ([], ["pose-demo", "pose-demo/people"], 0)


@pytest.mark.parametrize("sets", ["/abs/../x", "../../up", "a/b"])
def test_odd_names_of_sets_end_in_no_traceback(check, sets):
    assert "data/drawn" in check("train", "--cfg", DRAWN, "DATASET.TRAIN_SET", sets)[0]


@pytest.mark.parametrize("key", ["OUTPUT_DIR: output", "ROOT: data/drawn/", "TRAIN_SET: train2017"])
def test_a_null_character_in_a_path_is_bad_input(pose, mine, tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    text = (tmp_path / mine).read_text(encoding="utf-8")
    assert key in text
    (tmp_path / mine).write_text(text.replace(key, f'{key.split(":")[0]}: "a\\0b"'), encoding="utf-8")
    code, out, err = pose("--check", "train", "--cfg", mine)
    assert (code, out) == (2, "")
    assert "is no path" in err


def test_names_that_are_not_utf_8_arrive_as_they_are(root, tmp_path):
    name = b"caf\xe9.jpg"
    env = {**os.environ, "PYTHONPATH": str(root), "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-m", "pose", "--check", "pred", "--cfg", DRAWN, "--untrained", name]
    done = subprocess.run(argv, capture_output=True, cwd=tmp_path, env=env, check=True)
    assert os.fsencode(json.loads(done.stdout)["reads"][0]) == os.fsencode(tmp_path) + b"/" + name


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("trian",),
        ("train",),
        ("train", "--cfg", "absent.yaml"),
        ("train", "--cfg", DRAWN, "GPUS", "0"),
        ("pred", "--cfg", DRAWN, "s.jpg", "t.jpg"),
        ("demo", "TRAIN.LR", "1.0"),
    ],
)
def test_an_error_leaves_stdout_empty(pose, words):
    code, out, err = pose("--check", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("words", [(), ("--out",), ("--out", "d", "--size", "2"), ("--hel",)])
def test_an_error_of_synth_leaves_stdout_empty(pose, capsys, words):
    with pytest.raises(SystemExit) as stopped:
        pose("--check", "synth", *words)
    assert stopped.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--cfg", RES50),
        ("test", "--cfg", RES50),
        ("pred", "--cfg", RES50, "s.jpg"),
        ("synth", "--out", "d"),
        ("demo",),
        ("check-data", "--cfg", RES50),
        ("env",),
    ],
)
def test_a_check_loads_nothing_that_only_an_environment_has(root, tmp_path, words):
    program = (
        "import sys; from pose.__main__ import main; code = main(sys.argv[1:]);"
        "print({'torch', 'cv2', 'numpy', 'pycocotools', 'rich'} & set(sys.modules)); sys.exit(code)"
    )
    env = {**os.environ, "PYTHONPATH": str(root)}
    argv = [sys.executable, "-c", program, "--check", *words]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, env=env, check=True)
    assert done.stdout.splitlines()[1:] == ["set()"]
    assert list(tmp_path.iterdir()) == []
