"""Runs of a stand-in for pose: a program that keeps the same contract of files, without torch."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from envcheck.choice.choose import Choice
from envcheck.environments.place import Place
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Gpu, Host, OperatingSystem
from envcheck.recipes import load_recipe
from envcheck.runs.run import Job, run_stage
from envcheck.situation import Situation

PROGRAM = """
import json, os, sys
from pathlib import Path
if sys.argv[1] == "--check":
    sys.exit(f"error: {sys.argv[3]}" if "absent" in sys.argv else 0)
_, run_dir, stage, *rest = sys.argv[1:]
folder = Path(run_dir)
Path("result.txt").write_text("made")
promise = json.loads((folder / "promise.json").read_text())
(folder / "proof.json").write_text(json.dumps({"torch": "9.9", "promise": promise}))
(folder / "result.json").write_text(json.dumps({
    "metrics": {"AP": 0.5}, "seed": 3, "config": {"A": 1}, "dataset": {"fingerprint": "f"},
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
        "current", "cpu", "0" * 64, Path(sys.executable), "3.11.0", (), reused=True, differences=("one",)
    )
    host = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
    choice = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())

    def start(code=0, gpus=(), parent=tmp_path, ready=lambda: place) -> Path:
        job = Job(
            typed=("train", "x"),
            arguments=("train", str(code)),
            program=program,
            situation=Situation(host, choice, gpus, load_recipe("cpu")),
        )
        return run_stage(job, parent, ready).folder

    return start


def read(folder: Path):
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def test_a_run_leaves_a_record_of_what_it_was_and_what_came_out(run):
    record = read(run())
    assert record["schema"] == "envcheck.run/1"
    assert (record["exit_code"], record["exit_code_of"]) == (0, "stage")
    assert record["metrics"] == {"AP": 0.5}
    assert (record["seed"], record["config"], record["dataset"]) == (3, {"A": 1}, {"fingerprint": "f"})
    assert record["host"]["os"]["system"] == "Linux"
    assert record["choice"]["recipe"] == "cpu"
    assert record["environment"]["differences"] == ["one"]
    assert record["proof"]["torch"] == "9.9"
    assert record["started"] <= record["ended"]
    assert record["argv"] == ["train", "x"]


def test_outputs_are_recorded_with_their_digest_and_only_those_that_exist(run):
    record = read(run())
    digest = hashlib.sha256(b"made").hexdigest()
    assert record["outputs"] == [{"path": "result.txt", "bytes": 4, "sha256": digest}]


def test_the_stages_own_exit_code_is_kept(run):
    assert read(run(code=7))["exit_code"] == 7


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
    assert record["ended"]


def test_what_the_stage_cannot_read_is_refused_before_anything_is_built(run, tmp_path, capfd):
    run(code="absent", ready=lambda: pytest.fail("a place was prepared"))
    record = only_record(tmp_path)
    assert (record["exit_code"], record["exit_code_of"]) == (1, "stage")
    assert capfd.readouterr().err == "error: absent\n"
