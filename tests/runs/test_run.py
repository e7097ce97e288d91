"""Runs of a stand-in for pose: a program that keeps the same contract of files, without torch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envcheck.choice.choose import Choice
from envcheck.environments.current import Current
from envcheck.environments.place import Ended, Image, Limits, Place, Work
from envcheck.environments.prepare import Ready
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Gpu, Host, OperatingSystem
from envcheck.recipes import load_recipe
from envcheck.runs.book import Job, _git
from envcheck.runs.needs import ask_pose
from envcheck.runs.run import run_command, run_stage
from envcheck.situation import Situation

PROGRAM = """
import json, os, sys
from pathlib import Path
_, check, *rest = sys.argv if "--check" in sys.argv else (None, None, *sys.argv[1:])
_, run_dir, stage, *rest = rest
if check:
    needs = {"schema": "pose.paths/1", "reads": ["/data"], "writes": [run_dir, "/made"]}
    print(json.dumps(needs))
    sys.exit("error: absent" if "absent" in rest else 0)
if stage == "env":
    sys.exit("error: no device")
folder = Path(run_dir)
Path("result.txt").write_text("made")
promise = json.loads((folder / "promise.json").read_text())
(folder / "proof.json").write_text(json.dumps({"torch": "9.9", "promise": promise}))
(folder / "result.json").write_text(json.dumps({
    "metrics": {"AP": 0.5}, "published": {"name": "n"},
    "seed": 3, "config": {"A": 1}, "dataset": {"fingerprint": "f"},
    "problem": "no data" if rest[0] != "0" else "",
    "output_dir": "here", "outputs": ["result.txt", "never-made.txt"]}))
print("data", os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER"))
sys.exit(int(rest[0]))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(code)` runs the program, which ends with that code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    place = Place(
        *("current", "cpu", "0" * 64, Path(sys.executable), "3.11.0"),
        reused=True,
        differences=("one",),
        is_locked=False,
    )
    prepared = Ready(Current(program), place, "as asked", program)
    host = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
    choice = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())

    def start(code=0, gpus=(), parent=tmp_path, ready=lambda: prepared) -> Path:
        job = Job(
            typed=("train", "x"),
            name="train",
            arguments=("train", str(code)),
            situation=Situation(host, choice, gpus, load_recipe("cpu")),
        )
        asked = ask_pose(program, job.arguments, parent)
        start.finished = run_stage(job, asked, parent, ready, lambda _: None)
        return start.finished.folder

    return start


def read(folder: Path):
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def test_a_run_leaves_a_record_of_what_it_was_and_what_came_out(run):
    record = read(run())
    assert record["schema"] == "envcheck.run/1"
    assert (record["exit_code"], record["exit_code_of"]) == (0, "stage")
    assert (record["metrics"], record["published"]) == ({"AP": 0.5}, {"name": "n"})
    assert (record["seed"], record["config"], record["dataset"]) == (3, {"A": 1}, {"fingerprint": "f"})
    assert record["host"]["os"]["system"] == "Linux"
    assert record["choice"]["recipe"] == "cpu"
    assert "card.bound" in record["health"]["unknown"]  # the host of this test says nothing of its bus
    assert record["environment"]["differences"] == ["one"]
    assert record["environment"]["recipe_file"] is None  # it is shipped
    shipped = Path(__file__).parents[2] / "recipes" / "cpu.yaml"
    assert record["environment"]["recipe_hash"] == hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert record["proof"]["torch"] == "9.9"
    assert record["started"] <= record["ended"]
    assert record["argv"] == ["train", "x"]


def test_outputs_are_recorded_with_their_digest_and_only_those_that_exist(run):
    record = read(run())
    digest = hashlib.sha256(b"made").hexdigest()
    assert record["outputs"] == [{"path": "result.txt", "bytes": 4, "sha256": digest}]


def test_the_stages_own_exit_code_is_kept(run):
    record = read(run(code=7))
    assert (record["exit_code"], record["problem"]) == (7, "no data")


def test_the_log_holds_what_the_stage_printed(run):
    folder = run()
    assert "data" in (folder / "log.txt").read_text(encoding="utf-8")


def test_a_run_on_the_cpu_sees_no_gpu(run, monkeypatch, capfd):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    run()
    assert capfd.readouterr().out == "data  None\n"


def test_promised_gpus_are_handed_over_by_uuid_in_bus_order(run, capfd):
    folder = run(gpus=[Gpu(index=0, uuid="GPU-a"), Gpu(index=1, uuid="GPU-b")])
    assert capfd.readouterr().out == "data GPU-a,GPU-b PCI_BUS_ID\n"
    assert read(folder)["proof"]["promise"]["gpus"] == ["GPU-a", "GPU-b"]


def test_two_runs_have_two_folders(run):
    assert run() != run()


def test_a_place_that_cannot_be_written_is_an_error_with_a_hint(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvcheckError, match="cannot be made") as caught:
        run(parent=tmp_path / "file")
    assert "--output" in caught.value.hint


def only_record(tmp_path: Path):
    (folder,) = (tmp_path / "runs").iterdir()
    return read(folder)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EnvcheckError("the disk is full"), 1),
        (KeyboardInterrupt(), 130),
        (OSError(28, "full"), 1),
        (TypeError(), 70),
    ],
)
def test_a_place_that_cannot_be_prepared_leaves_a_record_that_says_so(run, tmp_path, error, code):
    def fail():
        assert only_record(tmp_path)["exit_code"] is None
        raise error

    with pytest.raises(type(error)):
        run(ready=fail)
    record = only_record(tmp_path)
    assert (record["exit_code"], record["exit_code_of"]) == (code, "envcheck")
    assert (record["environment"], record["command"]) == (None, [])
    assert (record["problem"], record["finding"]) == (getattr(error, "message", ""), "")
    assert record["ended"]


def test_what_the_stage_cannot_read_is_refused_before_anything_is_built(run, tmp_path, capfd):
    run(code="absent", ready=lambda: pytest.fail("a place was prepared"))
    record = only_record(tmp_path)
    assert (record["exit_code"], record["exit_code_of"]) == (1, "stage")
    assert capfd.readouterr().err == "error: absent\n"


class Stub:
    """An environment that runs nothing: it keeps what it was asked, and ends as it is told."""

    def __init__(self, code=0, said="", *, out_of_memory=False) -> None:
        self.asked: list[Work] = []
        self._ended = Ended(code, out_of_memory)
        self._said = said.encode()

    def stage(self, _place, arguments):
        return ("pose", *arguments)

    def shell(self, _place, folder):
        return ("shell", str(folder))

    def run(self, _place, work):
        self.asked.append(work)
        if work.heard is not None:
            work.heard.extend(self._said)
        if "env" in work.argv:
            Path(work.writes[0], "proof.json").write_text('{"kept": true}', encoding="utf-8")
            return Ended(0)
        return self._ended


@pytest.fixture
def contained(tmp_path, monkeypatch):
    """`contained(runner, stub, *arguments)` runs something in a container that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENVCHECK_CACHE", str(tmp_path / "cache"))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    image = Image("docker", "sha256:00ab", "name", "base", "sha256:00cd", is_recipes_base=True)
    place = Place("docker", "cpu", "0" * 64, Path("/opt/python"), "3.11", reused=True, image=image)
    host = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
    choice = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())

    def start(runner, stub, *arguments, gpus=(), **more):
        situation = Situation(host, choice, gpus, load_recipe("cpu"))
        job = Job(typed=("x",), name="exec", arguments=arguments, situation=situation, **more)
        asked = (ask_pose(program, arguments, tmp_path),) if runner is run_stage else ()
        return runner(job, *asked, tmp_path, lambda: Ready(stub, place, "", program), lambda _: None)

    return start


def test_what_pose_says_of_a_command_line_is_what_the_stage_is_shown(contained, tmp_path):
    stub = Stub()
    folder = contained(run_stage, stub, "train", "0").folder
    (work,) = stub.asked
    assert work.argv == ("pose", "--run-dir", str(folder), "train", "0")
    assert work.reads == (Path("/data"),)
    assert work.writes == (tmp_path, Path("/made"), folder)
    assert (work.owns_directory, work.stdin, work.terminal) == (False, False, False)
    assert work.log == folder / "log.txt"


def test_a_command_has_the_working_directory_our_input_and_what_its_words_name(contained, tmp_path):
    for name in ("data", "model.pth"):
        (tmp_path / name).touch()
    stub = Stub()
    words = (
        "python",
        "absent.py",
        "data",
        "--model=model.pth",
        "--x=absent",
        "a\0b",
        "",
        "import torch; " * 500,
    )
    finished = contained(run_command, stub, *words, reads=(Path("/in"),), writes=(Path("out"),))
    work = stub.asked[-1]
    assert work.argv == words
    assert work.reads == (Path("/in"),)
    assert work.mentions == (Path("data"), Path("model.pth"))
    assert work.writes == (Path("out"), finished.folder)
    assert (work.owns_directory, work.stdin) == (True, True)


def test_a_command_is_proved_once_before_it_begins(contained):
    stub = Stub()
    finished = contained(run_command, stub, "true")
    contained(run_command, stub, "true")
    assert ["env" in work.argv for work in stub.asked] == [True, False, False]
    assert read(finished.folder)["proof"] == {"kept": True}


def test_no_command_is_a_shell_and_it_has_the_terminal(contained):
    stub = Stub()
    folder = contained(run_command, stub, terminal=True).folder
    assert stub.asked[-1].argv == ("shell", str(folder))
    assert stub.asked[-1].terminal
    assert not stub.asked[0].terminal  # the proof's


def test_limits_reach_the_command_and_its_proof_and_stand_in_the_record(contained):
    stub = Stub()
    limits = Limits(network=True, memory=1 << 30, cpus=1.5)
    folder = contained(run_command, stub, "true", limits=limits).folder
    assert [work.limits for work in stub.asked] == [limits, limits]
    assert read(folder)["environment"]["limits"] == {"network": True, "memory": 1 << 30, "cpus": 1.5}


BUS_ERROR = "RuntimeError: DataLoader worker (pid 30) is killed by signal: Bus error. It is possible that"


@pytest.mark.parametrize(
    ("stub", "finding"),
    [
        (Stub(0, BUS_ERROR), None),
        (Stub(1, "Traceback"), None),
        (Stub(1, BUS_ERROR), "container.shm"),
        (Stub(137), None),
        (Stub(137, BUS_ERROR, out_of_memory=True), "container.out-of-memory"),
    ],
)
def test_how_a_container_failed_is_named_where_it_is_known(contained, stub, finding):
    finished = contained(run_stage, stub, "train", "0")
    assert (finished.symptom.id if finished.symptom else None) == finding
    assert read(finished.folder)["finding"] == (finding or "")


def test_what_a_stage_says_on_this_machine_itself_is_its_own_affair(run, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM.replace('print("data"', f'print("{BUS_ERROR}"'))
    assert "Bus error" in (run(code=1) / "log.txt").read_text(encoding="utf-8")
    assert run.finished.symptom is None


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a file in a folder, and `git(...)` in it."""
    folder = tmp_path / "checkout"
    (folder / "below").mkdir(parents=True)
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

    def git(*words):
        who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        subprocess.run(["git", *who, *words], cwd=folder, env=environ, check=True, capture_output=True)

    (folder / "a.py").write_text("1\n" * 9)
    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    return folder, git


def test_uncommitted_changes_have_the_same_digest_whatever_git_is_set_to(checkout):
    folder, git = checkout
    assert (_git(folder).dirty, _git(folder).changes) == (False, None)
    (folder / "a.py").write_text("1\n" * 8 + "2\n")
    plain = _git(folder)
    assert plain.dirty
    for setting in (
        "diff.relative true",
        "diff.context 0",
        "diff.noprefix true",
        "status.relativePaths true",
    ):
        git("config", *setting.split())
    assert _git(folder / "below") == plain
    (folder / "a.py").write_text("1\n" * 8 + "3\n")
    assert _git(folder).changes not in (None, plain.changes)
    (folder / "a.py").unlink()
    assert _git(folder).dirty


def test_of_a_checkout_that_git_cannot_read_nothing_is_said_to_be_clean(checkout):
    folder, _ = checkout
    (folder / ".git" / "index").write_bytes(b"broken")
    assert _git(folder).dirty is None
