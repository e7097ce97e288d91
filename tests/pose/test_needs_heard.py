"""What `--check` tells of a command line, held against the files that the stage then really opens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Each command line is checked, then run, in one process that hears of every file that is opened.
LISTENING = """
import contextlib, io, json, os, shutil, sys

sys.path = [path for path in sys.path if path]  # an import would list the working directory
shutil._use_fd_functions = False  # so that what rmtree opens has a whole name
CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link"}
heard = {"read": [], "written": []}

def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        changes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        heard["written" if changes else "read"].append(os.path.abspath(os.fsdecode(arguments[0])))
    elif event in CHANGING or event in {"os.listdir", "os.scandir"}:
        paths = arguments[:2] if event == "os.rename" else arguments[:1]
        named = [path for path in paths if isinstance(path, (str, bytes))]
        kind = "written" if event in CHANGING else "read"
        heard[kind] += [os.path.abspath(os.fsdecode(path)) for path in named]

sys.addaudithook(hear)
from pose.command import demo_options
from pose.stages import demo
from pose.__main__ import main

demo.SHORT_PEOPLE, demo_options.SHORT = (6, 8), "small.yaml"
told = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["--check", *words]) == 0
        heard["read"].clear(), heard["written"].clear()
        assert main(words) == 0, words
    document = json.loads(out.getvalue().splitlines()[0])
    told.append({**document, **{kind: sorted(set(paths)) for kind, paths in heard.items()}})
print(json.dumps(told))
"""
BOXES = "person_detection_results/COCO_val2017_detections_drawn_person.json"
MPII = (
    *("DATASET.DATASET", "mpii", "DATASET.ROOT", "data/mpii", "MODEL.NUM_JOINTS", "16"),
    *("DATASET.TRAIN_SET", "train", "DATASET.TEST_SET", "valid"),
)
COMMANDS = {
    "synth": ["synth", "--out", "data/drawn", "--train", "10", "--val", "4", "--size", "128x96"],
    "train": ["train", "TRAIN.END_EPOCH", "1"],
    "a training that resumes": ["train"],
    "a training from weights": [
        *("train", "OUTPUT_DIR", "", "MODEL.INIT_WEIGHTS", "True", "TRAIN.END_EPOCH", "1"),
        *("MODEL.PRETRAINED", "output/coco/pose_resnet/small/final_state.pth", "LOG_DIR", "log"),
    ],
    "test": ["test"],
    "a test of weights in detected boxes": [
        *("test", "TEST.MODEL_FILE", "output/coco/pose_resnet/small/model_best.pth", "--output", "other"),
        *("TEST.USE_GT_BBOX", "False", "TEST.COCO_BBOX_FILE", f"data/drawn/{BOXES}"),
    ],
    "pred": ["pred", "data/drawn/images/val2017/000000500001.jpg", "--out", "shown"],
    "a prediction by weights, here": [
        *("pred", "data/drawn/images/val2017/000000500001.jpg"),
        *("TEST.MODEL_FILE", "output/coco/pose_resnet/small/model_best.pth"),
    ],
    "a prediction in a run folder": [
        *("--run-dir", "run", "pred", "data/drawn/images/val2017/000000500001.jpg", "--untrained"),
    ],
    "a prediction where TRAIN_SET alone names joints": [
        *("pred", "data/drawn/images/val2017/000000500001.jpg", "DATASET.TEST_SET", "absent"),
    ],
    "export": ["export", "--out", "exported"],
    "an export that looks at a picture, in a run folder": [
        *("--run-dir", "run", "export", "data/drawn/images/val2017/000000500001.jpg"),
        *("TEST.MODEL_FILE", "output/coco/pose_resnet/small/model_best.pth"),
    ],
    "check-data in a run folder": ["--run-dir", "run", "check-data"],
    "a training on MPII": ["train", *MPII, "TRAIN.END_EPOCH", "1"],
    "a test on MPII": ["test", *MPII],
    "check-data of MPII": ["--run-dir", "run", "check-data", *MPII],
    "demo": ["demo"],
}


@pytest.fixture(scope="module")
def runs(root, place, small, mpii_people):
    """What was told beforehand and what was opened, of each of COMMANDS."""
    pytest.importorskip("torch", reason="needs the pose extra")
    here = place
    (here / "small.yaml").write_text(small.format(root="data/drawn"), encoding="utf-8")
    shutil.copytree(mpii_people, here / "data" / "mpii")
    cfg = ("--cfg", "small.yaml")
    lines = [[*words, *(() if words[0] in {"synth", "demo"} else cfg)] for words in COMMANDS.values()]
    env = {**os.environ, "PYTHONPATH": str(root)}
    argv = [sys.executable, "-c", LISTENING, json.dumps(lines)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=here, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return here, dict(zip(COMMANDS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_stage_opens_is_what_was_told_no_more_and_no_less(runs, name):
    here, each = runs
    run = each[name]

    def covered(path: str, by: list[str]) -> bool:
        return any(Path(path).is_relative_to(folder) for folder in by)

    def inside(paths: list[str]) -> list[str]:
        return [path for path in paths if Path(path).is_relative_to(here)]

    read, written = inside(run["read"]), inside(run["written"])
    assert written, "the listener is deaf"
    above = {str(parent) for folder in run["writes"] for parent in Path(folder).parents}  # made where missing
    told = [*run["writes"], str(here / "run")]  # whoever makes the run folder knows it
    assert [path for path in written if not covered(path, told) and path not in above] == []
    assert [path for path in read if not covered(path, run["reads"] + told)] == []
    assert [path for path in run["reads"] if not any(covered(opened, [path]) for opened in read)] == []
    assert [path for path in run["writes"] if not any(covered(opened, [path]) for opened in written)] == []
