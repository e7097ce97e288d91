"""The command line as a person meets it: a process, its streams and its exit code.

Long because every verb is met here, a few lines for each; doctor has most of them, for its formats.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from envcheck import __version__
from tests.measure.wheels import library, write_wheel

CFG = "experiments/drawn/res18_96x64.yaml"


@pytest.fixture
def envcheck(root, tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # where doctor speaks otherwise
    own = {"ENVCHECK_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(root)}

    def call(*argv, **options):
        command = [sys.executable, "-c", "from envcheck.cli import main; main()", *map(str, argv)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **own},
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


def picking(code, root):
    """A program that begins with `envcheck pick`'s command line."""
    argv = [sys.executable, "-c", code, "pick"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=root, timeout=60)


def test_a_bug_of_ours_exits_70_and_says_so(root):
    done = picking("import envcheck.cli as c, envcheck.situation as s; s.look = None; c.main()", root)
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
    done = picking(code, root)
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


def test_the_list_of_checks_needs_no_machine(envcheck):
    done = envcheck("doctor", "--list", "--only", "card", "--host", "absent.json", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"]) == (0, "envcheck.checks/1")
    assert [one["id"] for one in document["checks"]] == [
        *("card.nouveau", "card.vfio", "card.bound", "card.listed"),
    ]
    first = {"id": "card.nouveau", "title": "No card is driven by nouveau", "worst": "error"}
    assert document["checks"][0] == first
    text = envcheck("doctor", "--list", "--skip", "driver").stdout
    assert text.splitlines()[0].split(maxsplit=2)[:2] == ["card.nouveau", "error"]
    assert "driver." not in text


def test_doctor_makes_the_checks_that_are_asked_for(envcheck, root):
    broken = host(root, "kernel-upgrade-without-module")
    one = envcheck("doctor", "--host", broken, "--only", "system.wsl,card.vfio", "--format", "json")
    assert [finding["id"] for finding in json.loads(one.stdout)["findings"]] == ["card.vfio", "system.wsl"]
    assert one.returncode == 0
    assert envcheck("doctor", "--host", broken, "--only", "gpu").returncode == 3, "nobody could be asked"
    assert envcheck("doctor", "--host", broken, "--only", "driver.module-match").returncode == 3
    assert envcheck("doctor", "--host", broken, "--skip", "card,driver,recipe").returncode == 0
    assert envcheck("doctor", "--host", broken, "--only", "gpu.migs").returncode == 2
    passed_over = envcheck("doctor", "--host", broken, "--only", "container.rootless")
    assert passed_over.returncode == 0
    assert "- container.rootless: " in passed_over.stdout, "who asks for a check is told why it is not made"
    assert "\n- 0 checks passed, 1 does not apply here" in passed_over.stdout


def test_a_host_from_a_stdin_that_is_closed_is_bad_input():
    argv = ["sh", "-c", '"$0" -c "from envcheck.cli import main; main()" doctor --host - <&-', sys.executable]
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr.startswith("error: -: there is no stdin")


PAGES = {
    "text": "✗ The driver does not drive this card   driver.open-module",
    "json": '"schema": "envcheck.doctor/1"',
    "markdown": "### ✗ The driver does not drive this card",
    "junit": '<testcase classname="envcheck.driver" name="driver.open-module"',
    "github": "::error title=The driver does not drive this card [driver.open-module]::",
    "html": "<!DOCTYPE html>",
}


@pytest.mark.parametrize("name", PAGES)
def test_doctor_answers_in_every_format_to_stdout_or_a_file(envcheck, root, tmp_path, name):
    words = ("doctor", "--host", host(root, "rtx5090-proprietary-module"), "--format", name)
    done = envcheck(*words)
    assert (done.returncode, done.stderr) == (1, "")
    assert PAGES[name] in done.stdout
    into = envcheck(*words, "--output", tmp_path / "page")
    assert (into.returncode, into.stdout) == (1, "")
    assert PAGES[name] in (tmp_path / "page").read_text(encoding="utf-8")
    assert envcheck(*words, "--output", tmp_path / "absent" / "page").returncode == 2 or name == "json"


def test_in_a_job_of_github_the_default_is_its_own_format(envcheck, root, tmp_path, monkeypatch):
    broken = ("doctor", "--host", host(root, "rtx5090-proprietary-module"))
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert PAGES["text"] in envcheck(*broken).stdout
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = envcheck(*broken)
    assert PAGES["github"] in done.stdout
    assert PAGES["markdown"] in summary.read_text(encoding="utf-8")
    assert PAGES["text"] in envcheck(*broken, "--format", "text").stdout
    envcheck(*broken, "--output", tmp_path / "page")
    assert PAGES["text"] in (tmp_path / "page").read_text(encoding="utf-8")
    assert envcheck("doctor", "--list").stdout.startswith("  card.nouveau")
    assert summary.read_text(encoding="utf-8").count("## envcheck doctor") == 1
    assert envcheck("pick", "--host", broken[2]).stdout.startswith("no NVIDIA GPU listed")


def test_a_summary_that_cannot_be_written_is_a_note_and_no_failure(envcheck, root, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "absent" / "summary.md"))
    done = envcheck("doctor", "--host", host(root, "rtx3090-driver550"), "--format", "github")
    assert done.returncode == 0
    assert done.stderr.startswith("note:  GITHUB_STEP_SUMMARY: ")


def test_a_list_has_no_other_formats(envcheck):
    done = envcheck("doctor", "--list", "--format", "html")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    "name", ["rtx5090-proprietary-module", "h100-mig", "a100-lost", "container-without-gpus"]
)
def test_the_text_of_doctor_has_80_columns_and_breaks_nothing_that_is_copied(envcheck, root, name):
    file = host(root, name)
    text = envcheck("doctor", "--host", file).stdout
    findings = json.loads(envcheck("doctor", "--host", file, "--format", "json").stdout)["findings"]
    copied = [
        line
        for one in findings
        if one["follows_from"] is None and one["status"] not in ("ok", "skip")
        for line in [one["link"], *(one["fix"] or {"commands": ()})["commands"]]
        if line
    ]
    lines = text.splitlines()
    assert all(any(line.endswith(one) for line in lines) for one in copied)
    assert all(len(line.rstrip()) <= 80 or line.endswith(tuple(copied)) for line in lines)


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colours_unless_it_is_told_not_to(root, variables, colours):
    code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    argv = [sys.executable, "-c", "from envcheck.cli import main; main()", "doctor", "--host"]
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-c", code, *argv, host(root, "rtx5090-proprietary-module")],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=60,
        env={**environ, "PYTHONPATH": str(root), "GITHUB_ACTIONS": "", **variables},
    )
    assert "The driver does not drive this card" in done.stdout
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", done.stdout)) is colours


def test_no_line_of_a_page_that_is_piped_ends_with_blanks(envcheck, root, tmp_path):
    machine = ("doctor", "--host", host(root, "kernel-upgrade-without-module"))
    envcheck(*machine, "--output", tmp_path / "page.txt")
    for page in (envcheck(*machine).stdout, (tmp_path / "page.txt").read_text(), envcheck("builds").stdout):
        assert page.count("\n") > 5
        assert [line for line in page.splitlines() if line.endswith(" ")] == []


def test_doctor_says_what_has_changed_since_a_snapshot(envcheck, root):
    before, now = host(root, "rtx5090-r580"), host(root, "rtx5090-r570-86-10")
    text = envcheck("doctor", "--host", now, "--baseline", before).stdout
    assert "changed since rtx5090-r580.json; the pick was" in " ".join(text.split())
    page = envcheck("doctor", "--host", now, "--baseline", before, "--only", "drift", "--format", "json")
    document = json.loads(page.stdout)
    assert {one["id"].partition(".")[0] for one in document["findings"]} == {"drift"}
    assert document["drift"]["changes"]
    failing = envcheck("doctor", "--host", now, "--baseline", before, "--only", "drift", "--fail-on", "warn")
    assert failing.returncode == 1
    for name in ("markdown", "junit", "github", "html"):
        page = envcheck("doctor", "--host", now, "--baseline", before, "--format", name).stdout
        assert "changed since rtx5090-r580.json" in page
        assert "drift.driver" in page


@pytest.mark.parametrize("file", ["absent.json", "tests"])
def test_a_snapshot_that_is_none_is_refused(envcheck, root, file):
    done = envcheck("doctor", "--baseline", root / file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_this_machine_has_not_drifted_since_a_moment_ago(envcheck, tmp_path):
    envcheck("probe", "--output", tmp_path / "host.json")
    done = envcheck("doctor", "--baseline", tmp_path / "host.json", "--only", "drift")
    assert "Nothing of what is compared changed since host.json of 20" in " ".join(done.stdout.split())
    assert done.returncode == 0


def test_a_file_holds_no_colours_whatever_the_environment_wants(envcheck, root, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    broken = host(root, "rtx5090-proprietary-module")
    envcheck("doctor", "--host", broken, "--format", "text", "--output", tmp_path / "page")
    assert "\x1b" not in (tmp_path / "page").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "is_public"), [("markdown", True), ("github", True), ("junit", False), ("html", False)]
)
def test_what_everybody_reads_names_no_user(envcheck, root, name, is_public):
    facts = json.loads(host(root, "h100-mig").read_text(encoding="utf-8"))
    facts["engines"] = None
    facts["unknown"] = {"engines": "unix:///home/alice/docker.sock: permission denied"}
    page = envcheck("doctor", "--host", "-", "--format", name, input=json.dumps(facts)).stdout
    assert ("/home/alice/docker.sock" in page, "alice" in page) == (not is_public, not is_public)
    assert ("Redacted: home folders, UUIDs." in page) is is_public


def test_doctor_says_what_of_a_repository_cannot_work_here(envcheck, root):
    theirs = root / "tests" / "doctor" / "projects" / "torch-1.13"
    machine = ("doctor", "--host", host(root, "rtx5090-r580"), "--project", theirs)
    page = envcheck(*machine, "--only", "project", "--format", "json")
    document = json.loads(page.stdout)
    assert page.returncode == 1
    assert {one["id"].partition(".")[0] for one in document["findings"]} == {"project"}
    assert document["findings"][0]["id"] == "project.torch-code"
    assert "requirements.txt:3: torch==1.13.1+cu117" in document["findings"][0]["evidence"]
    assert [one["file"] for one in document["serving"]] == ["requirements.txt"]
    text = envcheck(*machine).stdout
    assert "requirements.txt: torch 2.7.0 cu128 is the nearest build that runs here" in " ".join(text.split())
    assert "This machine runs" not in text
    for name in ("markdown", "junit", "github", "html"):
        page = envcheck(*machine, "--format", name).stdout
        assert "requirements.txt: torch 2.7.0 cu128 is the nearest build" in page
        assert "project.torch-code" in page


def test_a_repository_in_which_nothing_is_wrong_ends_with_its_recipe(envcheck, root):
    theirs = root / "tests" / "doctor" / "projects" / "torch-1.13"
    page = envcheck("doctor", "--host", host(root, "rtx3090-driver550"), "--project", theirs)
    assert page.returncode == 0
    *_, sentence, command = page.stdout.splitlines()
    assert (sentence, command) == ("1.13.1.", "  envcheck exec --recipe torch1.13-cu117 -- ...")


def test_checks_of_a_repository_need_one(envcheck, root):
    listed = envcheck("doctor", "--list", "--only", "project").stdout
    assert "project.compose-gpu" in listed
    done = envcheck("doctor", "--host", host(root, "rtx5090-r580"), "--only", "project")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--project DIR" in done.stderr
    done = envcheck("doctor", "--project", root / "README.md")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such folder" in done.stderr
    assert (
        "project." not in envcheck("doctor", "--host", host(root, "rtx5090-r580"), "--format", "json").stdout
    )
