"""`diff` and `replay` as a person meets them: records that are elsewhere, unfinished, damaged or too new."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from envcheck.documents import write_json
from tests.runs.records import again, finished


@pytest.fixture
def envcheck(root, tmp_path):
    def call(*words):
        argv = [sys.executable, "-c", "from envcheck.cli import main; main()", *map(str, words)]
        environ = {"PYTHONPATH": str(root), "HOME": str(tmp_path), "ENVCHECK_CACHE": str(tmp_path / "cache")}
        return subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def kept(tmp_path):
    """`kept(record, **changes)` writes it as a run below the working directory; gives its folder."""

    def keep(record, **changes):
        folder = tmp_path / "runs" / record.id
        write_json(folder / "record.json", record)
        document = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        (folder / "record.json").write_text(json.dumps({**document, **changes}), encoding="utf-8")
        return folder

    return keep


def said(done):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_run_folder_of_another_machine_that_lies_elsewhere_is_compared(envcheck, kept, tmp_path):
    run = finished()  # its paths begin with /home/somebody, /out and /w, which are not here
    first = shutil.move(kept(run), tmp_path / "a copy of it")
    done = envcheck("diff", first, kept(again(run)), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["same_result"] is True


def test_where_a_run_was_started_is_gone_is_said_before_anything_begins(envcheck, kept):
    command = ("python", "/pose", "--run-dir", "/r", "train", "--cfg", "a.yaml")
    folder = kept(replace(finished(), command=command))
    assert "was started in is gone: /home/somebody/poses" in said(envcheck("replay", folder))


def test_an_unfinished_run_is_named_as_one_by_both(envcheck, kept):
    run = finished()
    first = kept(replace(run, exit_code=None, ended=None, outputs=()))
    assert "has not ended, or envcheck was killed" in said(envcheck("replay", first))
    done = envcheck("diff", first, kept(again(run)))
    assert "no result that could be compared" in done.stdout
    assert f"{run.id} has not ended, or envcheck was killed" in " ".join(done.stdout.split())


@pytest.mark.parametrize("verb", ["diff", "replay"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": "envcheck.run/2"}, "was written by a later envcheck: it is envcheck.run/2"),
        ({"seed": "zero"}, "`$.seed`"),
        ({"id": "../../escaped"}, "`$.id` is '../../escaped', which is no run's"),
        ({"id": "/escaped"}, "`$.id` is '/escaped', which is no run's"),
        ({"host": {"schema": "envcheck.host/1", "os": {}, "driver": None, "gpus": 5}}, "`$.host.gpus`"),
        ({"choice": None}, "`$.choice`"),
    ],
)
def test_a_record_that_is_too_new_or_damaged_by_hand_is_named_with_the_key(
    envcheck, kept, verb, changes, sentence
):
    folder = kept(finished(), **changes)
    sentences = said(envcheck(verb, folder, *((folder,) if verb == "diff" else ())))
    assert sentence in sentences
    assert "record.json" in sentences
