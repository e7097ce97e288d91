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
from envcheck.host.facts import Host, OperatingSystem
from envcheck.runs.run import Job, Promise, run_stage
from envcheck.situation import Situation

PROGRAM = """
import json, os, sys
from pathlib import Path
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
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    place = Place(
        "current", "cpu", "0" * 64, Path(sys.executable), "3.11.0", (), reused=True, differences=("one",)
    )
    host = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
    choice = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())

    def make(code=0, promise=None) -> Job:
        return Job(
            typed=("train", "x"),
            arguments=("train", str(code)),
            program=program,
            place=place,
            promise=promise or Promise(torch=None, cuda=None, device="cpu", gpus=()),
            situation=Situation(host, choice, (), None),
        )

    return make


def read(folder: Path):
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


def test_a_run_leaves_a_record_of_what_it_was_and_what_came_out(job, tmp_path):
    finished = run_stage(job(), tmp_path)
    record = read(finished.folder)
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


def test_outputs_are_recorded_with_their_digest_and_only_those_that_exist(job, tmp_path):
    record = read(run_stage(job(), tmp_path).folder)
    digest = hashlib.sha256(b"made").hexdigest()
    assert record["outputs"] == [{"path": "result.txt", "bytes": 4, "sha256": digest}]


def test_the_stages_own_exit_code_is_kept(job, tmp_path):
    assert read(run_stage(job(code=7), tmp_path).folder)["exit_code"] == 7


def test_the_log_holds_what_the_stage_printed(job, tmp_path):
    folder = run_stage(job(), tmp_path).folder
    assert "data" in (folder / "log.txt").read_text(encoding="utf-8")


def test_a_run_on_the_cpu_sees_no_gpu(job, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    run_stage(job(), tmp_path)
    assert capfd.readouterr().out == "data  None\n"


def test_promised_gpus_are_handed_over_by_uuid_in_bus_order(job, tmp_path, capfd):
    promise = Promise(torch="2.10.0", cuda="12.8", device="cuda", gpus=("GPU-a", "GPU-b"))
    folder = run_stage(job(promise=promise), tmp_path).folder
    assert capfd.readouterr().out == "data GPU-a,GPU-b PCI_BUS_ID\n"
    assert read(folder)["proof"]["promise"]["gpus"] == ["GPU-a", "GPU-b"]


def test_two_runs_have_two_folders(job, tmp_path):
    assert run_stage(job(), tmp_path).folder != run_stage(job(), tmp_path).folder


def test_a_place_that_cannot_be_written_is_an_error_with_a_hint(job, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvcheckError, match="cannot be made") as caught:
        run_stage(job(), tmp_path / "file")
    assert "--output" in caught.value.hint
