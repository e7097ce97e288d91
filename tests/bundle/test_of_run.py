"""A run into a bundle, and from it to the words that mean the same on a machine that has none of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from envcheck.bundle import words
from envcheck.bundle.gather import of_recipe, of_run
from envcheck.bundle.pack import bundle
from envcheck.bundle.unpack import unpack
from envcheck.bundle.use import with_bundle
from envcheck.documents import write_json
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import load_recipe, lock_hash
from envcheck.repeat.find import find_record, find_repeatable
from envcheck.repeat.replay import plan
from envcheck.runs.record import file_facts
from tests.bundle.test_bundle import an_order
from tests.runs.records import finished
from tests.small import MINE


@pytest.fixture
def run(file, elsewhere, listener, tmp_path, monkeypatch):
    """A finished training out of the small bundle: its record, and the files that it read."""
    here = unpack(file, elsewhere, listener)
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("weights.pth", "boxes of people.json", "a.yaml"):
        (there / name).write_text(name, encoding="utf-8")
    read = tuple(file_facts(there / name) for name in ("weights.pth", "boxes of people.json", "a.yaml"))
    record = finished()
    used = replace(
        record.environment,
        recipe=here.manifest.recipe,
        lock_hash=lock_hash(load_recipe(str(here.recipe)).lock_for(MINE)),
        python=f"{MINE}.1",
        pose=here.program.name,
        bundle=here.digest,
    )
    return replace(
        record,
        host=replace(record.host, os=replace(record.host.os, machine=os.uname().machine)),
        environment=used,
        inputs=read,
        working_directory=str(there),
        config={
            "TRAIN": {"LR": 0.00001},
            "MODEL": {"PRETRAINED": "weights.pth"},
            "TEST": {"COCO_BBOX_FILE": str(there / "boxes of people.json"), "MODEL_FILE": ""},
            "OUTPUT_DIR": "out",
            "LOG_DIR": "log",
            "DATA_DIR": "",
        },
        command=(
            *("python", "/pose", "--run-dir", "/r", "train", "--output", "out", "--cfg", "a.yaml"),
            *("--data", "people", "MODEL.PRETRAINED", "weights.pth", "TRAIN.LR", "0.00001"),
        ),
    )


def packed_run(record, listener, name="run.tar"):
    folder = Path("runs", record.id)
    write_json(folder / "record.json", record)
    done = bundle(of_run(folder, record, ()), Path(name), listener, image=False)
    return done, unpack(Path(name), Path(os.environ["ENVCHECK_CACHE"]), listener)


def test_a_runs_bundle_has_its_record_its_config_and_the_single_files_that_it_read(run, listener):
    done, here = packed_run(run, listener)
    assert here.record == run
    assert (done.run, done.stage) == (run.id, "train")
    config = yaml.safe_load(here.config.read_text())
    assert config == {
        name: value for name, value in run.config.items() if name not in ("OUTPUT_DIR", "LOG_DIR", "DATA_DIR")
    }
    assert here.config.name == "a.yaml"
    weights, boxes, cfg = run.inputs
    assert {path.read_text() for path in here.inputs().values()} == {"weights.pth", "boxes of people.json"}
    assert here.inputs().keys() == {weights.sha256, boxes.sha256}
    (original,) = here.folder.glob("original/*/a.yaml")
    assert hashlib.sha256(original.read_bytes()).hexdigest() == cfg.sha256
    assert done.inputs_bytes == weights.bytes + boxes.bytes
    assert done.left_out == ("the data set in /data: --data DIR says where it lies",)
    done, _ = packed_run(replace(run, stage="pred"), listener, "pred.tar")
    assert done.left_out == ("the pictures in /data: they are looked for there",)


def test_what_the_run_read_and_is_another_now_is_left_out_and_said(run, listener):
    weights, boxes, cfg = run.inputs
    Path(weights.path).write_text("others")
    Path(boxes.path).unlink()
    Path(cfg.path).unlink()
    done, here = packed_run(run, listener)
    assert here.inputs() == {}
    assert not list(here.folder.glob("original/*"))
    assert done.left_out[:2] == (
        f"{weights.path} is gone, or another one now",
        f"{boxes.path} is gone, or another one now",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "current"}, "it ran in what was there"),
        ({"lock_hash": "0" * 64}, "the lock of .* is another one now"),
        ({"pose": "0" * 16}, "its copy of pose, 0000000000000000, is no longer kept"),
        ({"python": "2.7.1"}, "the lock of .* is another one now"),
        ({"bundle": "0" * 64}, "The bundle that .* ran from is no longer kept"),
        ({"bundle": "../evil"}, "which is no digest"),
        ({"recipe": "../evil"}, "is no longer kept"),
        ({"bundle": None, "recipe": "torch0.4"}, "There is no recipe"),
    ],
)
def test_a_run_whose_parts_are_gone_is_refused_by_what_is_gone(run, changes, said):
    gone = replace(run, environment=replace(run.environment, **changes))
    with pytest.raises(UsageError, match=said):
        of_run(Path("runs"), gone, ())


def test_a_run_that_never_started_is_refused(run):
    with pytest.raises(UsageError, match="it never started"):
        of_run(Path("runs"), replace(run, environment=None), ())


def test_a_stage_that_is_told_no_config_gets_the_runs_and_its_files(run, listener):
    _, here = packed_run(run, listener)
    weights, boxes, _ = run.inputs
    files = here.inputs()

    def words(*typed):
        return with_bundle(an_order(*typed, is_stage=True), Path("run.tar"), listener).arguments

    theirs = ("--cfg", str(here.config), "MODEL.PRETRAINED", str(files[weights.sha256]))
    theirs += ("TEST.COCO_BBOX_FILE", str(files[boxes.sha256]))
    assert words("train", "--data", "d", "TRAIN.LR", "1") == (
        "train",
        *theirs,
        "--data",
        "d",
        "TRAIN.LR",
        "1",
    )
    assert words("train", "--cfg", "mine.yaml") == ("train", "--cfg", "mine.yaml")
    assert words("train", "--cfg=mine.yaml") == ("train", "--cfg=mine.yaml")
    assert words("demo") == ("demo",)
    assert words("env", "--json") == ("env", "--json")
    order = with_bundle(an_order("python", "train"), Path("run.tar"), listener)
    assert order.arguments == ("python", "train")


def test_a_test_of_its_own_folders_weights_finds_them_in_the_bundle(run, listener, tmp_path):
    weights = tmp_path / "there" / "final_state.pth"
    weights.write_text("learnt")
    test = replace(run, stage="test", inputs=(*run.inputs, file_facts(weights)))
    _, here = packed_run(test, listener)
    order = with_bundle(an_order("test", is_stage=True), Path("run.tar"), listener)
    brought = here.inputs()[file_facts(weights).sha256]
    assert brought.read_text() == "learnt"
    assert ("TEST.MODEL_FILE", str(brought)) in pairwise(order.arguments)
    asked = plan(test, None, None, here).order.arguments
    assert [value for key, value in pairwise(asked) if key == "TEST.MODEL_FILE"] == [str(brought)]


def test_a_file_behind_an_options_sign_is_led_to_the_bundles(run, listener):
    _, here = packed_run(run, listener)
    boxes = run.inputs[1]
    said = words.of_run(("pred", f"--boxes={boxes.path}", "--boxes", boxes.path), here, run)
    assert said[-3:] == (
        f"--boxes={here.inputs()[boxes.sha256]}",
        "--boxes",
        str(here.inputs()[boxes.sha256]),
    )


def test_of_a_run_whose_envcheck_was_killed_the_bundle_has_what_its_stage_said(run, listener):
    killed = replace(run, ended=None, exit_code=None)
    folder = Path("runs", run.id)
    write_json(folder / "record.json", replace(killed, config=None))  # as it was written at the start
    bundle(of_run(folder, killed, ()), Path("run.tar"), listener, image=False)
    assert find_record("run.tar") == killed


def test_a_bundle_is_repeated_here_with_what_it_brings(run, listener, tmp_path):
    _, here = packed_run(run, listener)
    weights, boxes, _ = run.inputs
    shutil.rmtree(run.working_directory)
    shutil.rmtree(Path(os.environ["ENVCHECK_CACHE"], "bundles", run.environment.bundle))  # it came from one
    record, opened = find_repeatable("run.tar", listener)
    assert record == run
    replay = plan(record, None, None, opened, Path("data"))
    files = here.inputs()
    assert replay.order.arguments == (
        *("train", "--cfg", str(here.config), "MODEL.PRETRAINED", str(files[weights.sha256])),
        *("TEST.COCO_BBOX_FILE", str(files[boxes.sha256])),
        *("MODEL.PRETRAINED", str(files[weights.sha256]), "TRAIN.LR", "0.00001"),
        *("--data", str(tmp_path / "data"), "LOG_DIR", str(tmp_path / f"replay-{run.id}" / "log")),
        *("--output", str(tmp_path / f"replay-{run.id}")),
    )
    assert (replay.order.bundle, replay.order.program) == (here.digest, here.program)
    assert replay.order.recipe == str(here.recipe)
    assert (replay.directory, replay.lacking) == (tmp_path, ())


def test_what_is_not_in_the_bundle_is_said_before_it_is_repeated(run, listener):
    weights = run.inputs[0]
    Path(weights.path).unlink()
    _, here = packed_run(run, listener)
    assert plan(run, None, None, here).lacking == (f"{weights.path} is not in the bundle",)


def test_a_run_from_a_bundle_is_repeated_with_that_bundles_recipe(run):
    planned = plan(run, None, None)
    assert planned.lacking == ()
    assert planned.order.bundle == run.environment.bundle
    assert f"bundles/{run.environment.bundle}/recipe/" in planned.order.recipe


def test_the_image_of_a_bundle_has_a_python_and_that_ones_lock_goes_with_it():
    recipe = load_recipe("cpu")
    other = next(one for one in recipe.pythons if one != recipe.container_python)
    asked = of_recipe(recipe, (other,))
    assert (asked.pythons, asked.with_image().pythons) == ((other,), (other, recipe.container_python))


def test_data_can_lie_elsewhere_without_a_bundle_too(run, tmp_path):
    words = plan(run, None, None, None, Path("d")).order.arguments
    assert "people" not in words
    assert ("--data", str(tmp_path / "d")) in pairwise(words)


def test_diff_reads_the_record_out_of_a_bundle_and_of_a_recipes_says_there_is_none(run, listener, file):
    packed_run(run, listener)
    assert find_record("run.tar") == run
    with pytest.raises(UsageError, match="is the bundle of a recipe, and of no run"):
        find_record(str(file))


def test_a_file_that_changes_while_it_is_bundled_leaves_no_bundle(run, listener):
    folder = Path("runs", run.id)
    write_json(folder / "record.json", run)
    weights = run.inputs[0]

    class Meddler(type(listener)):
        def step(self, title):
            if title.startswith("write"):
                Path(weights.path).write_text("weights.PTH")
            return super().step(title)

    with pytest.raises(EnvcheckError, match=r"weights\.pth changed while it was bundled"):
        bundle(of_run(folder, run, ()), Path("run.tar"), Meddler(), image=False)
    assert not [one.name for one in Path().iterdir() if "run.tar" in one.name]


STOPPED = """
import sys, time
from pathlib import Path
from envcheck.bundle import pack
from tests.bundle.conftest import pack as pack_world
from tests.small import load
whole = pack._put
def slowly(sink, path, *rest):
    print(path, flush=True)
    time.sleep(0.2)
    whole(sink, path, *rest)
pack._put = slowly
pack_world(load(sys.argv[1]), Path(sys.argv[2]))
"""


def test_ctrl_c_leaves_no_bundle_and_nothing_beside_it(packed, tmp_path, root):
    target = tmp_path / "out" / "b.tar"
    target.parent.mkdir()
    argv = [sys.executable, "-c", STOPPED, packed.dump(), str(target)]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ) as process:
        assert process.stdout.readline() == b"bundle.json\n"
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(target.parent.iterdir()) == []


@pytest.mark.slow
def test_a_real_training_is_the_same_on_a_machine_that_has_nothing_but_its_bundle(root, tmp_path):
    """The CPU recipe: 315 MiB are bundled, unpacked and installed again."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()

    def envcheck(folder, *words, **environ):
        argv = [sys.executable, "-c", "from envcheck.cli import main; main()", *words]
        environ = {**os.environ, "PYTHONPATH": str(root), "ENVCHECK_CACHE": str(folder / "cache"), **environ}
        done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    envcheck(here, "run", "synth", "--in", "current", "--out", "people", "--train", "16", "--val", "4")
    cfg = ("--cfg", "experiments/drawn/res18_96x64.yaml", "TRAIN.END_EPOCH", "1", "WORKERS", "1")
    where = ("--in", "venv", "--gpus", "none", "--output", "out")
    envcheck(here, "run", "train", *where, "--data", "people", *cfg)
    envcheck(here, "bundle", "train", "--output", str(there / "run.tar"))
    (here / "people").rename(there / "data")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
    envcheck(there, "run", "train", "--bundle", "run.tar", *where, "--data", "data", **offline)
    first, second = (next(folder.glob("out/*/*/*/final_state.pth")) for folder in (here, there))
    assert first.read_bytes() == second.read_bytes()
    shutil.rmtree(here)
    said = envcheck(there, "replay", "run.tar", "--data", "data", "--format", "json", **offline)
    assert json.loads(said)["verdict"] == "bitwise"
