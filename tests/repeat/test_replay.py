"""A run repeated from its record: what is restored, what is said that cannot be, and a real one's verdict."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from envcheck.environments.place import Image, Limits
from envcheck.environments.program import copy_of_pose, program_of_pose
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu
from envcheck.recipes import load_recipe, lock_hash
from envcheck.repeat.find import find_run
from envcheck.repeat.replay import plan, settle
from envcheck.report.steps import Steps
from envcheck.runs.book import Book, Job
from envcheck.runs.masked import masked, named_variables
from envcheck.runs.order import carry_out
from envcheck.runs.record import FileFacts, file_facts
from envcheck.situation import Situation
from tests.runs.records import finished


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A training in a virtual environment of the CPU recipe as it is now, by pose as it is now."""
    monkeypatch.setenv("ENVCHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    record = finished()
    (tmp_path / "a.yaml").write_text("A: 1")
    (tmp_path / "resnet18.pth").write_text("weights")
    read = (file_facts(tmp_path / "resnet18.pth"), file_facts(tmp_path / "a.yaml"))
    used = replace(
        record.environment,
        lock_hash=lock_hash(load_recipe("cpu").lock_for("3.11")),
        pose=program_of_pose().name,
    )
    return replace(
        record,
        working_directory=str(tmp_path),
        environment=used,
        inputs=read,
        command=(
            "python",
            "/pose",
            "--run-dir",
            "/r",
            "train",
            "--output",
            "out",
            "--cfg",
            "a.yaml",
            "TRAIN.LR",
            "1",
        ),
    )


def test_the_words_are_the_runs_own_with_a_fresh_folder_for_results(run, tmp_path):
    replay = plan(run, None, None)
    fresh = tmp_path / f"replay-{run.id}"
    words = ("train", "--cfg", "a.yaml", "TRAIN.LR", "1", "--output", str(fresh))
    assert (replay.order.arguments, replay.folder) == (words, fresh)
    assert (replay.order.kind, replay.order.recipe) == ("venv", "cpu")
    assert replay.lacking == ()
    assert replay.threads == 2
    fresh.mkdir()
    assert plan(run, None, None).folder == tmp_path / f"replay-{run.id}-2"


@pytest.mark.parametrize(
    "places",
    [("--output=out",), ("OUTPUT_DIR", "out", "LOG_DIR", "log"), ("--modelDir", "m", "--logDir", "l"), ()],
)
def test_however_the_run_was_told_where_to_write_the_repetition_writes_elsewhere(run, places):
    command = ("python", "/pose", "--run-dir", "/r", "train", *places, "--cfg", "a.yaml")
    replay = plan(replace(run, command=command), "docker", None)
    assert replay.order.arguments == ("train", "--cfg", "a.yaml", "--output", str(replay.folder))
    assert replay.order.kind == "docker"


def test_another_lock_and_another_pose_are_said_beforehand(run):
    used = replace(run.environment, lock_hash="0" * 64, pose="0" * 16)
    lacking = plan(replace(run, environment=used), None, None).lacking
    assert lacking == (
        f"pose itself is another one: {'0' * 16} is no longer kept",
        "the lock of cpu is another one now",
    )


@pytest.fixture
def own(run, tmp_path):
    """The same run by a recipe of one's own: its file, and the record."""
    shipped = load_recipe("cpu")
    file = tmp_path / "recipes" / "mine.yaml"
    (file.parent / "locks").mkdir(parents=True)
    file.write_text(shipped.file.read_text().replace("name: cpu\n", "name: mine\n"))
    shutil.copyfile(shipped.lock_for("3.11"), file.parent / "locks" / "mine-cp311.txt")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    used = replace(run.environment, recipe="mine", recipe_file=str(file), recipe_hash=digest)
    return file, replace(run, environment=used)


def test_a_recipe_of_ones_own_is_found_by_its_file(own):
    file, record = own
    replay = plan(record, None, None)
    assert (replay.order.recipe, replay.lacking, replay.notes) == (str(file), (), ())


def test_a_recipe_that_was_written_anew_is_said_and_one_that_is_gone_is_lacking(own):
    file, record = own
    file.write_text(f"# a word more\n{file.read_text()}")
    replay = plan(record, None, None)
    assert replay.lacking == ()
    assert replay.notes[0].startswith(f"the recipe {file} was written anew")
    file.unlink()
    assert str(file) in plan(record, None, None).lacking[0]


def test_a_recipe_that_is_gone_is_said_beforehand(run):
    used = replace(run.environment, recipe="torch0.4")
    assert "torch0.4" in plan(replace(run, environment=used), None, None).lacking[0]


def test_only_a_run_that_went_on_from_a_checkpoint_lacks_it(run):
    asked = replace(run, config={**run.config, "AUTO_RESUME": True})
    (said,) = plan(asked, None, None).lacking  # a record from before that was written down
    assert said.startswith("it may have gone on from a checkpoint (AUTO_RESUME)")
    assert plan(replace(asked, resumed_from=None), None, None).lacking == ()
    (said,) = plan(replace(asked, resumed_from=3), None, None).lacking
    assert said.startswith("it went on from a checkpoint of 3 epochs")


def test_inputs_are_held_against_their_digests_beforehand(run, tmp_path):
    (tmp_path / "a.yaml").write_text("A: 1  # a comment more")
    assert plan(run, None, None).lacking == ()
    (tmp_path / "resnet18.pth").write_text("others")
    assert plan(run, None, None).lacking == (f"{tmp_path / 'resnet18.pth'} is another one now",)
    (tmp_path / "resnet18.pth").unlink()
    assert plan(run, None, None).lacking == (f"{tmp_path / 'resnet18.pth'} is gone",)


def test_a_test_of_its_own_folders_weights_is_told_where_they_lie(run, tmp_path):
    weights = tmp_path / "final_state.pth"
    weights.write_text("weights")
    test = replace(run, stage="test", config={**run.config, "TEST": {"MODEL_FILE": ""}})
    named = ("TEST.MODEL_FILE", str(weights))
    replay = plan(replace(test, inputs=(file_facts(weights),)), None, None)
    assert (replay.order.arguments[-4:-2], replay.lacking) == (named, ())
    older = plan(replace(test, output_dir=str(tmp_path)), None, None)
    assert older.order.arguments[-4:-2] == named
    assert older.lacking == ("which weights it read is not recorded",)
    given = replace(test, config={"TEST": {"MODEL_FILE": "w.pth"}})
    assert "TEST.MODEL_FILE" not in plan(given, None, None).order.arguments
    assert "TEST.MODEL_FILE" not in plan(run, None, None).order.arguments


def test_what_a_record_names_and_is_no_file_is_gone_and_not_waited_for(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    named = tuple(FileFacts(name, 1, "0" * 64) for name in ("/dev/zero", str(tmp_path / "pipe"), "a\0b"))
    lacking = plan(replace(run, inputs=named), None, None).lacking
    assert [one for one in lacking if one.endswith(" is gone")] == [f"{one.path} is gone" for one in named]


def test_a_virtual_environment_gets_the_python_whose_lock_it_had(run):
    assert plan(run, None, None).order.python == "3.11"
    elsewhere = replace(run, environment=replace(run.environment, kind="current"))
    assert plan(elsewhere, None, None).order.python is None


def test_what_a_record_decides_on_beside_recipe_and_source_is_said_beforehand(run, monkeypatch):
    image = Image("docker 27", "sha256:1", "n", "evil:1", "sha256:2", is_recipes_base=False, base_digest=None)
    used = replace(run.environment, kind="docker", image=image, limits=Limits(network=True))
    record = replace(run, environment=used)
    notes = plan(record, None, None).notes
    assert any("starts from the image evil:1" in one for one in notes)
    assert any("--network" in one for one in notes)
    monkeypatch.setenv("ENVCHECK_BASE_IMAGE", "mine:1")
    own = replace(record, environment=replace(used, image=replace(image, is_recipes_base=True)))
    assert any("ENVCHECK_BASE_IMAGE" in one for one in plan(own, None, None).notes)


@pytest.mark.parametrize("threads", ["2", [2], 0, "\0"])
def test_threads_that_are_no_number_are_not_set(run, threads):
    assert plan(replace(run, computing={"threads": threads}), None, None).threads is None


def test_events_go_beside_the_results_where_the_config_names_a_place(run, tmp_path):
    record = replace(run, config={**run.config, "LOG_DIR": "log"})
    planned = plan(record, None, tmp_path / "again")
    assert ("LOG_DIR", str(tmp_path / "again" / "log")) in pairwise(planned.order.arguments)
    assert "LOG_DIR" not in plan(run, None, None).order.arguments


def test_as_many_gpus_are_given_as_the_run_had_and_at_their_places(run):
    gpus = tuple(Gpu(index=index, uuid=f"GPU-{index}") for index in range(4))
    record = replace(run, host=replace(run.host, gpus=gpus))
    choice = replace(run.choice, gpus=("GPU-1", "GPU-3"))
    assert plan(replace(record, choice=choice), None, None).order.gpus == "1,3"
    on_cpu = replace(record, choice=choice, computing={"device": "cpu"})
    assert plan(on_cpu, None, None).order.gpus == "none"


def test_variables_that_decide_are_set_as_they_were(run, monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("TORCH_HOME", "/kept")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY"):
        monkeypatch.setenv(name, "1")
    variables = {"ATEN_CPU_CAPABILITY": "avx2", "KMP_AFFINITY": "none", "OMP_X": "set"}
    replay = plan(replace(run, computing={**run.computing, "variables": variables}), None, None)
    settle(replay)
    assert "MKL_CBWR" not in os.environ
    assert (os.environ["ATEN_CPU_CAPABILITY"], os.environ["KMP_AFFINITY"]) == ("avx2", "none")
    assert (os.environ["TORCH_HOME"], os.environ["OMP_NUM_THREADS"]) == ("/kept", "2")
    assert replay.order.variables == {"ATEN_CPU_CAPABILITY": "avx2", "KMP_AFFINITY": "none"}
    assert replay.notes == ("OMP_X was set to what a record does not keep",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LD_PRELOAD", "evil.so"),
        ("PYTHONPATH", "evil"),
        ("OMP_TOOL_LIBRARIES", "evil.so"),
        ("TORCH_HOME", "evil"),
        ("OMP_PLACES", "/evil"),
        ("OMP_PLACES", 3),
    ],
)
def test_a_record_sets_no_variable_that_loads_anything(run, name, text):
    asked = replace(run, computing={**run.computing, "variables": {name: text}})
    assert plan(asked, None, None).variables == {}


def test_the_values_of_variables_are_in_no_record_and_said_to_be_missing(run, tmp_path, monkeypatch):
    typed = ("train", "--env", "TOKEN=secret", "--env=OTHER=secret", "--env", "HERE", "--x", "a=b")
    job = Job(typed=typed, name="train", arguments=(), situation=Situation(run.host, run.choice, (), None))
    argv = Book(job, tmp_path).record.argv
    assert argv == ("train", "--env", "TOKEN=***", "--env=OTHER=***", "--env", "HERE", "--x", "a=b")
    assert masked(("--", "docker", "--env", "A=b")) == ("--", "docker", "--env", "A=b")
    assert named_variables(argv) == ("TOKEN", "HERE", "OTHER")
    monkeypatch.setenv("HERE", "1")
    replay = plan(replace(run, argv=argv), None, None)
    assert replay.order.variables == {"HERE": "1"}
    assert replay.notes[0] == "--env TOKEN is not set here, and a record keeps no value"


def test_what_is_no_number_leaves_a_record_that_can_be_read(run, tmp_path):
    job = Job(typed=(), name="test", arguments=(), situation=Situation(run.host, run.choice, (), None))
    book = Book(job, tmp_path)
    (book.folder / "result.json").write_text('{"metrics": {"AP": NaN, "AR": -Infinity}}')
    book.close(0)
    assert find_run(str(book.folder))[1].metrics == {"AP": None, "AR": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "exec"},
        {"stage": "shell"},
        {"stage": "synth"},
        {"stage": "env"},
        {"stage": "check-data"},
        {"exit_code": 1},
        {"exit_code": None},
        {"outputs": (FileFacts("/out/curves.png", 4, "5" * 64),), "metrics": {}},
        {"environment": None},
        {"command": ()},
        {"working_directory": "/gone"},
    ],
)
def test_what_cannot_be_repeated_at_all_is_bad_input(run, changes):
    with pytest.raises(UsageError):
        plan(replace(run, **changes), None, None)


OLDER = """
import json, sys
from pathlib import Path
if "--check" in sys.argv:
    print(json.dumps({"schema": "pose.paths/1", "reads": [], "writes": []}))
else:
    Path(sys.argv[2], "result.json").write_text(json.dumps({"metrics": {"AP": 0.125}}))
"""


def kept(cache, tmp_path):
    """A copy of a pose that is another than today's."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "launch.py").write_text(OLDER, encoding="utf-8")
    return copy_of_pose(source, cache)


def test_the_pose_that_is_kept_is_the_one_that_runs_and_that_the_record_names(run, tmp_path):
    home = kept(tmp_path / "cache", tmp_path)
    used = replace(run.environment, pose=home.name)
    replay = plan(replace(run, environment=used), "current", None)
    finished = carry_out(replay.order, Steps(), lambda *_: None)
    assert replay.lacking == ()
    assert finished.record.metrics == {"AP": 0.125}
    assert finished.record.environment.pose == home.name


def test_a_record_names_no_other_code_than_a_copy_that_is_what_its_name_says(run, tmp_path):
    def lacking(name):
        replay = plan(replace(run, environment=replace(run.environment, pose=name)), None, None)
        assert replay.order.program == program_of_pose()
        return replay.lacking

    home = kept(tmp_path / "cache", tmp_path)
    evil = tmp_path / "evil"
    shutil.copytree(home, evil)
    assert lacking("../../evil")
    assert lacking(str(evil))
    (home / "pose" / "launch.py").write_text("print('other')", encoding="utf-8")
    assert lacking(home.name) == (f"pose itself is another one: {home.name} is no longer kept",)


@pytest.mark.slow
def test_a_training_repeated_is_bitwise_until_something_is_another(root, tmp_path):
    def envcheck(*words):
        argv = [sys.executable, "-c", "from envcheck.cli import main; main()", *words]
        environ = {**os.environ, "PYTHONPATH": str(root), "ENVCHECK_CACHE": str(tmp_path / "cache")}
        return subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    def replayed(*words):
        said = envcheck("replay", "train", "--format", "json", *words)
        return json.loads(said.stdout)["verdict"], said.returncode

    envcheck("run", "synth", "--in", "current", "--out", "people", "--train", "16", "--val", "4")
    config = ("--cfg", "experiments/drawn/res18_96x64.yaml", "TRAIN.END_EPOCH", "1", "WORKERS", "1")
    where = ("--in", "current", "--data", "people", "--output", "out")
    assert envcheck("run", "train", *where, *config).returncode == 0
    assert replayed("--output", str(tmp_path / "first")) == ("bitwise", 0)
    assert envcheck("run", "test", *where, *config[:2], "WORKERS", "1").returncode == 0
    (tested,) = tmp_path.glob("out/runs/*-test-*")
    said = envcheck("replay", str(tested), "--format", "json", "--output", str(tmp_path / "second test"))
    assert json.loads(said.stdout)["verdict"] == "bitwise", said.stderr
    shutil.rmtree(tmp_path / "first")
    annotations = tmp_path / "people" / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(annotations.read_text())
    content["annotations"][0]["keypoints"][0] += 1
    annotations.write_text(json.dumps(content))
    assert replayed("--output", str(tmp_path / "second")) == ("not comparable", 3)
    shutil.rmtree(tmp_path / "second")
    shutil.rmtree(tmp_path / "out")
