"""The command line: where options and overrides may stand, and which exit code each way to end has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pose.command import arguments
from pose.command.arguments import parse, stage_named
from pose.errors import PoseError, known_failure


def parsed(*argv):
    return parse(stage_named(argv[0]), argv[1:])


def run(root, *argv, **more):
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, env=env, check=False, **more
    )


def test_a_check_reads_everything_and_does_nothing(root, tmp_path):
    pose = ("-m", "pose", "--check", "train", "--cfg", "experiments/drawn/res18_96x64.yaml")
    done = run(root, *pose, "GPUS", "(0,)", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["schema"] == "pose.paths/1"  # test_needs.py reads the rest
    assert run(root, *pose, "GPUS", "0", cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_options_may_stand_before_between_and_after_overrides():
    words = ("train", "TRAIN.LR", "0.1", "--cfg", "a.yaml", "GPUS", "(0,)", "--seed=7", "--deterministic")
    found = parsed(*words)
    assert found.overrides == ("TRAIN.LR", "0.1", "GPUS", "(0,)")
    assert (found.one("--cfg"), found.seed(), found.deterministic) == ("a.yaml", 7, True)


def test_values_that_look_like_options_are_values():
    found = parsed("pred", "s.jpg", "DATASET.PROB_HALF_BODY", "-1.0", "--box", "-3,-4,5,6", "--box=-1,0,2,2")
    assert found.overrides == ("DATASET.PROB_HALF_BODY", "-1.0")
    assert found.values["--box"] == ("-3,-4,5,6", "-1,0,2,2")


@pytest.mark.parametrize(
    "words",
    [
        ("s.jpg", "TEST.MODEL_FILE", "m.pth"),
        ("TEST.MODEL_FILE", "m.pth", "s.jpg"),
        ("--cfg", "a.yaml", "s.jpg", "--seed", "1", "TEST.MODEL_FILE", "m.pth"),
    ],
)
def test_preds_picture_is_what_is_neither_option_nor_override(words):
    found = parsed("pred", *words)
    assert (found.pictures, found.overrides) == (("s.jpg",), ("TEST.MODEL_FILE", "m.pth"))


def test_a_picture_with_a_shouted_name_is_still_a_picture():
    assert parsed("pred", "IMG_001.JPG", "GPUS", "(0,)").pictures == ("IMG_001.JPG",)


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (("train", "--sed", "1"), "no option --sed", "--seed"),
        (("train", "--seed"), "a value is missing", "--seed N"),
        (("train", "--fingerprint"), "a value is missing", "--fingerprint WHAT"),
        (("train", "--deterministic=1"), "takes no value", "--deterministic"),
        (("train", "GPUS"), "GPUS: a value is missing", "GPUS VALUE"),
        (("train", "GPUS", "--seed", "3"), "GPUS: a value is missing", "GPUS VALUE"),
        (("demo", "TRAIN.LR", "1.0"), "demo does not take TRAIN.LR", "--help"),
    ],
)
def test_a_wrong_command_line_is_answered_with_what_would_be_right(words, says, hint):
    with pytest.raises(PoseError) as caught:
        parsed(*words)
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", "99999999999"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(PoseError, match="is no seed"):
        parsed("train", "--seed", seed).seed()


def test_a_fingerprint_is_of_names_or_of_contents():
    assert parsed("test", "--fingerprint", "contents").reads_contents
    assert not parsed("test").reads_contents
    with pytest.raises(PoseError, match="--fingerprint all is neither names nor contents"):
        _ = parsed("test", "--fingerprint", "all").reads_contents


def test_a_mistyped_stage_is_answered_with_the_one_that_was_meant():
    with pytest.raises(PoseError, match="no stage trian") as caught:
        stage_named("trian")
    assert caught.value.hint == "did you mean train?"


def test_help_and_wrong_keys_are_answered_without_loading_torch(root, tmp_path):
    program = (
        "import sys; from pose.__main__ import main; code = main(sys.argv[1:]);"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules; sys.exit(code)"
    )
    wrong_key = ("train", "--cfg", "experiments/drawn/res18_96x64.yaml", "GPUS", "0")
    for argv, code in ((["--help"], 0), (["pred", "--help"], 0), ([], 2), (wrong_key, 2)):
        done = run(root, "-c", program, *argv, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert "hint:  GPUS '(0,)'" in done.stderr


@pytest.mark.parametrize("stage", [stage for stage in arguments.STAGES if not stage.own_parser])
def test_every_stages_help_names_its_options(pose, stage):
    code, out, _ = pose(stage.name, "--help")
    assert code == 0
    assert all(option.name in out for option in stage.options)


@pytest.mark.parametrize("stage", [stage.name for stage in arguments.STAGES])
@pytest.mark.parametrize("words", [("{stage}", "--help"), ("--check", "{stage}", "--help")])
def test_help_and_check_need_nothing_that_only_an_environment_has(root, stage, words):
    bare = "import sys; sys.modules.update(dict.fromkeys(('torch', 'numpy', 'cv2', 'pycocotools')))"
    start = f"{bare}; from pose.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = run(root, "-c", start, *(word.format(stage=stage) for word in words))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_option_of_synth_is_refused_by_a_check(root):
    done = run(root, "-m", "pose", "--check", "synth", "--size", "320")
    assert done.returncode == 2
    assert "--size" in done.stderr


def test_a_reader_who_leaves_is_no_error_to_report(root, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(root)}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pose", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=env,
        cwd=tmp_path,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyError("x"), 70, "this is a bug in pose"),
        (RuntimeError("shape mismatch"), 70, "this is a bug in pose"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, "smaller TRAIN.BATCH_SIZE_PER_GPU"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."), 1, "WORKERS 0"),
        (OSError(28, "No space left on device", "/x/log"), 1, "/x/log: No space left on device"),
        (OSError(28, "No space left on device"), 1, "--output DIR names another place"),
        (ImportError("libGL.so.1: cannot open shared object file", name="cv2"), 1, "cv2 cannot be loaded"),
        (KeyboardInterrupt(), 130, "stopped"),
        (PoseError("no", "yes"), 2, "hint:  yes"),
    ],
)
def test_every_way_to_end_has_its_exit_code_and_only_bugs_a_traceback(
    pose, monkeypatch, tmp_path, error, code, says
):
    pytest.importorskip("torch", reason="needs the pose extra")
    from pose.stages import env

    def fail(*_arguments):
        raise error

    monkeypatch.setattr(env, "run", fail)
    monkeypatch.chdir(tmp_path)
    found, _, err = pose("--run-dir", "run", "env")
    assert found == code
    assert says in err
    assert ("Traceback" in err) == (code == 70)
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert result["stage"] == "env"


def test_an_import_error_of_our_own_module_is_a_bug():
    assert known_failure(ImportError("no such name", name="pose.stages.train")) is None


def test_names_out_of_files_cannot_move_the_cursor(capsys):
    from pose.report import note

    note("weights \x1b[2J\x07of\nanother")
    assert capsys.readouterr().err == "weights ?[2J?of?another\n"
