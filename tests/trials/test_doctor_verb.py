"""`envcheck doctor --deep`, `--stress` and `--fix` as a process, with its streams and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

RUN = "from envcheck.cli import main; main()"
# This machine, with the facts of another one: whatever is done is done here.
AS_ANOTHER = """
import sys
from pathlib import Path
from envcheck.host import probe
from envcheck.documents import read_json
from envcheck.host.facts import SCHEMA, Host
facts = Path(sys.argv.pop(1))
probe.probe = lambda: read_json(facts, Host, schema=SCHEMA)
"""


@pytest.fixture
def uv(tmp_path):
    """A uv that notes what it is asked, and the file where it does."""
    asked, program = tmp_path / "asked", tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s' \"$*\" > '{asked}'\necho downloading\n")
    program.chmod(0o755)
    return asked


@pytest.fixture
def doctor(root, tmp_path, engineless, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    path = os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))
    environ = {
        **os.environ,
        **engineless,
        "PYTHONPATH": str(root),
        "PATH": path,
        "ENVCHECK_CACHE": str(tmp_path / "cache"),
    }

    def call(*words, as_machine: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        facts = [str(root / "tests" / "hosts" / f"{as_machine}.json")] if as_machine else []
        code = f"{AS_ANOTHER}\n{RUN}" if as_machine else RUN
        argv = [sys.executable, "-c", code, *facts, "doctor", *map(str, words)]
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environ, **more},
            timeout=280,
            check=False,
        )

    return call


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--deep", "--host", "x.json"), "--deep does something on this machine"),
        (("--stress", "--host", "x.json"), "--stress does something on this machine"),
        (("--fix", "--yes", "--host", "x.json"), "--yes does something on this machine"),
        (("--yes",), "--yes says yes to a plan"),
        (("--in", "venv"), "--in says where the proof is made"),
        (("--only", "deep"), "--deep makes it"),
        (("--only", "stress"), "--stress runs them"),
        (("--fix", "--format", "html"), "--fix has no format html"),
        (("--fix", "--format", "github"), "--fix has no format github"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(doctor, words, said):
    done = doctor(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_the_list_shows_what_is_made_on_demand_too(doctor):
    listed = [line.split()[0] for line in doctor("--list").stdout.splitlines() if line.startswith("  ")]
    assert {"deep.environment", "deep.bf16", "deep.peers", "stress.dcgm"} <= set(listed)


def test_a_stress_that_cannot_be_made_is_no_answer(doctor):
    done = doctor("--stress", "--format", "json", as_machine="rtx3090-driver550")
    page = json.loads(done.stdout)
    (stress,) = (one for one in page["findings"] if one["id"] == "stress.dcgm")
    assert (stress["status"], done.returncode) == ("unknown", 3)
    assert stress["fix"]["needs_root"] is True


def test_a_plan_is_shown_and_nothing_is_done_without_a_yes(doctor, uv):
    done = doctor("--fix", as_machine="laptop-python39")
    assert done.returncode == 1
    assert not uv.exists()
    assert "uv python install 3.11" in done.stdout
    assert "undone by: uv python uninstall 3.11" in done.stdout
    assert "by envcheck" in done.stdout
    assert done.stderr == ""
    document = json.loads(doctor("--fix", "--format=json", as_machine="laptop-python39").stdout)
    assert document["plan"]["done"] == []
    assert [step["by_envcheck"] for step in document["plan"]["steps"]] == [True]
    assert not uv.exists()
    assert "plan" not in {name for name, value in json.loads(doctor("--format=json").stdout).items() if value}


def test_a_plan_that_names_no_format_is_text_in_a_job_too(doctor):
    done = doctor("--fix", as_machine="laptop-python39", GITHUB_ACTIONS="true")
    assert done.returncode == 1
    assert "\nPlan:\n" in done.stdout


def test_with_a_yes_the_step_is_taken_and_told(doctor, uv):
    done = doctor("--fix", "--yes", as_machine="laptop-python39")
    assert uv.read_text() == "python install 3.11"
    assert "Done: download Python 3.11 into the home, with uv" in done.stdout
    assert "changed: nothing that a check sees" in done.stdout
    assert "download Python 3.11 into the home, with uv" in done.stderr
    assert done.returncode == 1  # the facts are the same as before


def test_a_yes_where_there_is_nothing_for_envcheck_to_do_does_nothing(doctor, uv):
    done = doctor("--fix", "--yes", as_machine="rtx5090-proprietary-module")
    assert not uv.exists()
    assert "No step is one that envcheck takes itself" in done.stdout
    assert "sudo reboot" in done.stdout
    document = json.loads(
        doctor("--fix", "--yes", "--format", "json", as_machine="rtx5090-proprietary-module").stdout
    )
    first = document["plan"]["steps"][0]
    assert (first["findings"], first["fix"]["needs_root"], first["by_envcheck"]) == (
        ["driver.open-module"],
        True,
        False,
    )
    assert document["plan"]["done"] == []


def test_the_plan_of_another_machine_is_for_a_person(doctor, uv, root):
    done = doctor("--fix", "--host", root / "tests" / "hosts" / "laptop-python39.json")
    assert "by you" in done.stdout
    assert "by envcheck" not in done.stdout
    assert not uv.exists()


def test_a_healthy_machine_has_an_empty_plan(doctor):
    done = doctor("--fix", as_machine="rtx3090-driver550")
    assert "Plan:  nothing to mend." in done.stdout


def test_where_nothing_fits_the_proof_is_no_answer_and_never_fine(doctor):
    done = doctor("--deep", "--only", "deep", "--format", "json", as_machine="laptop-python39")
    page = json.loads(done.stdout)
    assert {one["status"] for one in page["findings"]} == {"unknown"}
    assert done.returncode == 3
    assert page["proof"]["recipe"] is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_picked_environment_proves_this_processor(doctor):
    """For real: torch from wheels, in the user's own cache, as `tests/test_way.py` builds it."""
    pytest.importorskip("torch", reason="the wheels come from where the developer's torch came from")
    home = os.environ.get("ENVCHECK_CACHE", "")
    where = {"ENVCHECK_CACHE": home, "CUDA_VISIBLE_DEVICES": ""}
    done = doctor("--deep", "--in", "venv", "--only", "deep", "--format", "json", **where)
    page = json.loads(done.stdout)
    found = {one["id"]: one["status"] for one in page["findings"]}
    assert done.returncode == 0, done.stderr
    assert [found[f"deep.{one}"] for one in ("environment", "promise", "matmul", "conv", "deconv")] == [
        "ok"
    ] * 5
    assert page["proof"]["made"]["kind"] == "venv"
    for one in page["proof"]["inside"]["operations"]:
        assert 0 <= one["error"] <= one["tolerance"]
    text = doctor("--deep", "--in", "venv", "--only", "deep", **where).stdout
    assert "deconv float32" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_picked_environment_proves_this_processor_in_a_container(doctor):
    """For real, too; the image stays, as that of any run does, and the next call reuses it."""
    from tests.engines import address_of, base_image

    where = {
        "ENVCHECK_CACHE": os.environ.get("ENVCHECK_CACHE", ""),
        "DOCKER_HOST": address_of("docker"),
        "ENVCHECK_BASE_IMAGE": base_image(),
    }
    done = doctor("--deep", "--in", "docker", "--only", "deep", "--format", "json", **where)
    page = json.loads(done.stdout)
    found = {one["id"]: one["status"] for one in page["findings"]}
    assert done.returncode == 0, done.stderr
    assert [found[f"deep.{one}"] for one in ("environment", "promise", "matmul", "conv", "deconv")] == [
        "ok"
    ] * 5
    assert page["proof"]["made"]["kind"] == "docker"
