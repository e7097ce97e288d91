"""The command line as a person meets it: a process, its streams and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from envcheck import __version__
from tests.measure.wheels import library, write_wheel

CFG = "experiments/drawn/res18_96x64.yaml"


@pytest.fixture
def envcheck(root, tmp_path):
    environ = {**os.environ, "ENVCHECK_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(root)}

    def call(*argv, **options):
        command = [sys.executable, "-c", "from envcheck.cli import main; main()", *map(str, argv)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environ,
            timeout=120,
            check=False,
            **options,
        )

    return call


def host(root, name):
    return root / "tests" / "hosts" / f"{name}.json"


def test_version_and_help_answer(envcheck):
    assert envcheck("--version").stdout == f"envcheck {__version__}\n"
    assert "doctor" in envcheck("--help").stdout


def test_pick_prints_one_json_document_and_exits_0_when_something_fits(envcheck, root):
    done = envcheck("pick", "--host", host(root, "rtx3090-driver550"), "--format", "json")
    choice = json.loads(done.stdout)
    assert (choice["schema"], choice["recipe"], choice["cuda"]) == (
        "envcheck.choice/1",
        "torch2.10-cu128",
        "12.8",
    )
    assert done.returncode == 0


def test_pick_exits_1_and_names_no_recipe_when_nothing_fits(envcheck, root):
    done = envcheck("pick", "--host", host(root, "gtx1080ti-rtx5090"), "--format", "json")
    assert json.loads(done.stdout)["recipe"] is None
    assert done.returncode == 1


def test_the_text_of_pick_names_the_refusing_rule(envcheck, root):
    text = envcheck("pick", "--host", host(root, "rtx3090-driver550")).stdout
    assert "This machine runs  torch2.10-cu128" in text
    assert "Driver 550.54.14 is below 580" in text
    assert max(map(len, text.splitlines())) <= 100


def test_doctor_exits_by_fail_on(envcheck, root):
    broken = host(root, "rtx5090-proprietary-module")
    assert envcheck("doctor", "--host", broken).returncode == 1
    assert envcheck("doctor", "--host", broken, "--fail-on", "never").returncode == 0


def test_doctor_writes_its_document_into_a_file(envcheck, root, tmp_path):
    done = envcheck(
        "doctor",
        "--host",
        host(root, "laptop-without-nvidia"),
        "--format",
        "json",
        "--output",
        tmp_path / "d.json",
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tmp_path / "d.json").read_text())["schema"] == "envcheck.doctor/1"


def test_probe_prints_a_host_that_pick_takes(envcheck):
    probed = envcheck("probe")
    assert json.loads(probed.stdout)["schema"] == "envcheck.host/1"
    assert envcheck("pick", "--host", "-", input=probed.stdout).returncode in (0, 1)


def test_a_hostile_gpu_name_is_shown_as_text(envcheck, root):
    facts = json.loads(host(root, "rtx3090-driver550").read_text())
    facts["gpus"][0]["name"] = "[bold red]x[/] \x1b[31m"
    done = envcheck("pick", "--host", "-", input=json.dumps(facts))
    assert "[bold red]x[/]" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ("pick", "--host", "absent.json"),
        ("pick", "--recipe", "absent"),
        ("pick", "--gpus", "9"),
        ("pick", "--colour"),
        ("run", "absent"),
        ("recipes", "show", "cpuu"),
        ("absent",),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2_and_no_traceback(envcheck, argv):
    done = envcheck(*argv)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_failure_in_json_is_one_document(envcheck):
    done = envcheck("pick", "--host", "absent.json", "--format", "json")
    document = json.loads(done.stdout)
    assert (document["schema"], document["exit"], done.returncode) == ("envcheck.error/1", 2, 2)
    assert "absent.json" in document["message"]


def test_explain_tells_the_cause_of_a_log_on_stdin_first(envcheck):
    log = "Torch not compiled with CUDA enabled\nFailed to initialize NVML: Driver/library version mismatch\n"
    done = envcheck("explain", "-", input=log)
    assert done.returncode == 0
    assert done.stdout.startswith("✗ The driver's library and kernel module are of different versions")
    document = json.loads(envcheck("explain", "-", "--format", "json", input=log).stdout)
    assert (document["schema"], document["log"], document["lines"]) == ("envcheck.explain/1", "-", 2)
    assert [cause["id"] for cause in document["causes"]] == ["driver.module-match", "torch.cpu-only"]


def test_a_log_that_shows_nothing_known_ends_with_1_and_one_document(envcheck, tmp_path):
    (tmp_path / "a.log").write_text("Epoch 1 of 2\nEpoch 2 of 2\n", encoding="utf-8")
    done = envcheck("explain", "a.log", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["causes"] == []
    assert envcheck("explain", "a.log").stdout.startswith("? 2 lines, and none shows a failure")


def test_what_is_no_log_is_bad_input(envcheck, tmp_path):
    (tmp_path / "model.pth").write_bytes(bytes(range(256)) * 20)
    for name, why in (("absent.log", "No such file"), (".", "Is a directory"), ("model.pth", "not a text")):
        done = envcheck("explain", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: {name}: {why}")
        assert "hint:  A log file is explained, or - for stdin." in done.stderr


def test_a_mistyped_recipe_is_answered_with_the_nearest(envcheck):
    assert "Did you mean cpu?" in envcheck("recipes", "show", "cpuu").stderr


def test_a_bug_of_ours_exits_70_and_says_so(root):
    code = "import envcheck.cli as c, envcheck.situation as s; s.look = None; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "pick"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=60,
    )
    assert done.returncode == 70
    assert "A bug in envcheck" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_one_sentence_with_exit_code_130(root, number):
    code = f"""
import os, time, envcheck.cli, envcheck.situation

def look(*_, **__):
    os.kill(os.getpid(), {number:d})
    time.sleep(30)

envcheck.situation.look = look
envcheck.cli.main()"""
    done = subprocess.run(
        [sys.executable, "-c", code, "pick"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=60,
    )
    assert done.returncode == 130
    assert done.stderr.startswith("error: Interrupted\nhint: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "--cfg", "absent.yaml"), "absent.yaml"),
        (("train", "--cfg", CFG, "TRAIN.EPOCHS", "3"), "TRAIN.EPOCHS"),
        (("demo", "--seed", "x"), "--seed x is no seed"),
    ],
)
def test_what_a_stage_cannot_read_is_refused_before_anything_is_built(envcheck, tmp_path, words, sentence):
    done = envcheck("run", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr.splitlines()[0]
    assert not (tmp_path / "cache" / "envs").exists()
    (record,) = tmp_path.glob("runs/*/record.json")
    assert json.loads(record.read_text(encoding="utf-8"))["exit_code"] == 2


def test_the_help_of_a_stage_shows_both_helps_without_building_anything(envcheck, tmp_path):
    done = envcheck("run", "train", "--help")
    assert done.returncode == 0
    assert "--recipe" in done.stdout
    assert "--seed" in done.stdout
    assert not (tmp_path / "cache" / "envs").exists()


def test_tables_measure_exits_by_what_the_table_says_of_the_wheel(envcheck, tmp_path):
    name = "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl"
    done = envcheck("tables", "measure", write_wheel(tmp_path / name))
    assert "The table says the same of torch 2.7.1 cu126 on x86_64." in done.stdout
    assert done.returncode == 0

    wheel = write_wheel(tmp_path / name, library=library("sm_75 sm_80"))
    done = envcheck("tables", "measure", wheel, "--format", "json")
    answer = json.loads(done.stdout)
    assert (answer["schema"], answer["stands"]) == ("envcheck.measured/1", "otherwise")
    assert [one["field"] for one in answer["differences"]] == ["sass"]
    assert done.returncode == 1

    assert envcheck("tables", "measure", tmp_path / "torch-2.7.1.whl").returncode == 2


def test_checking_a_recipe_without_an_index_is_one_document_and_fails_nothing(envcheck):
    done = envcheck("recipes", "check", "--offline", "cpu", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"]) == (0, "envcheck.audit/1")
    states = {check["check"]: check["state"] for check in document["checks"] if check["lock"] == "3.11"}
    assert (states["pins"], states["complete"]) == ("passed", "not verified")


def test_a_recipe_that_breaks_a_promise_ends_the_check_with_1(envcheck, root, tmp_path):
    text = (root / "recipes" / "torch2.0-cu117.yaml").read_text(encoding="utf-8")
    (tmp_path / "torch2.0-cu117.yaml").write_text(text, encoding="utf-8")  # and none of its locks
    done = envcheck("recipes", "check", "--offline", "./torch2.0-cu117.yaml")
    assert done.returncode == 1
    assert "locks that are not there: 3.10, 3.11" in " ".join(done.stdout.split())


def test_a_build_that_no_table_knows_is_measured_first(envcheck, tmp_path):
    done = envcheck("recipes", "add", "torch==2.0.1+cu999")
    assert done.returncode == 2
    assert "envcheck tables measure torch==2.0.1+cu999" in done.stderr
    assert not (tmp_path / "recipes").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("exec",), "There is no command"),
        (("exec", "--"), "There is no command"),
        (("exec", "--in", "docker", "--gpus", "none"), "There is no command"),
        (("exec", "--memory", "x", "--", "true"), "--memory 'x' is no size"),
        (("run", "env", "--memory", "8q"), "--memory '8q' is no size"),
        (("shell", "--memory", ""), "--memory '' is no size"),
        (("exec", "--env", "ABSENT_HERE", "--", "true"), "--env 'ABSENT_HERE': there is no such variable"),
        (("exec", "--cpus", "inf", "--", "true"), "--cpus inf is no number of cores"),
        (("exec", "--in", "venv", "--memory", "1g", "--", "true"), "--memory and --cpus limit a container"),
        (("exec", "--cpus", "1", "--", "true"), "--memory and --cpus limit a container"),
        (("run", "env", "--in", "current", "--cpus", "2"), "--memory and --cpus limit a container"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_built(envcheck, tmp_path, words, sentence):
    done = envcheck(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {sentence}")
    assert not (tmp_path / "cache" / "envs").exists()


def test_a_container_without_an_engine_says_how_to_get_one(envcheck, tmp_path):
    (tmp_path / "home").mkdir()
    done = envcheck("exec", "--in", "docker", "--gpus", "none", "--", "true")
    assert done.returncode == 75
    assert done.stderr.startswith("error: The container engine does not answer")
    (record,) = tmp_path.glob("runs/*-exec-*/record.json")
    found = json.loads(record.read_text(encoding="utf-8"))
    assert (found["exit_code"], found["exit_code_of"], found["environment"]) == (75, "envcheck", None)


def test_run_knows_each_of_pose_s_stages(envcheck):
    from pose.command.arguments import STAGES

    for stage in STAGES:
        done = envcheck("run", stage.name, "--help")
        assert done.returncode == 0, done.stderr
        assert f"pose {stage.name} " in done.stdout
