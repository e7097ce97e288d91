from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from envcheck.choice.choose import Choice
from envcheck.environments.current import Current
from envcheck.environments.place import Image, Place
from envcheck.environments.prepare import Ready
from envcheck.host.facts import Gpu, Host, OperatingSystem
from envcheck.recipes import load_recipe
from envcheck.report.console import PlainConsole
from envcheck.report.run import footer, header
from envcheck.runs.book import Job
from envcheck.runs.record import FileFacts, Record
from envcheck.runs.run import Finished
from envcheck.situation import Situation
from envcheck.symptoms import CONTAINER_OUT_OF_MEMORY

HOST = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
CHOICE = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())
IMAGE = Image("docker 27.3.1", "sha256:00ab", "name", "python:3.11", "sha256:00cd", is_recipes_base=True)
PLACE = Place("docker", "cpu", "0" * 64, Path("/opt/python"), "3.11", reused=True, image=IMAGE)
RECORD = Record(
    id="it",
    stage="train",
    argv=("train",),
    working_directory="/w",
    envcheck="0",
    git=None,
    host=HOST,
    choice=CHOICE,
    started="",
    exit_code=0,
)


def drawn(screen) -> list[str]:
    sink = StringIO()
    PlainConsole(file=sink).print(screen, crop=False)
    return [line.rstrip() for line in sink.getvalue().splitlines()]


def head(place, *gpus, why="docker answers") -> list[str]:
    situation = Situation(HOST, CHOICE, gpus, load_recipe("cpu"))
    job = Job(typed=(), name="train", arguments=(), situation=situation)
    return drawn(header(job, Ready(Current(Path("program")), place, why, Path("program"))))


def test_a_container_is_called_by_its_engine_and_said_why():
    assert head(PLACE) == [
        "train in cpu · docker 27.3.1 · Python 3.11 · on the CPU",
        "  a container: docker answers",
    ]
    assert head(PLACE, why="") == ["train in cpu · docker 27.3.1 · Python 3.11 · on the CPU"]


def test_another_environment_is_called_by_its_kind():
    assert head(replace(PLACE, kind="venv", image=None), why="there is no container engine") == [
        "train in cpu · venv · Python 3.11 · on the CPU",
        "  no container: there is no container engine",
    ]


def test_what_differs_is_said_below():
    text = " ".join(
        head(replace(PLACE, image=replace(IMAGE, is_recipes_base=False), differences=("x is 2",)))
    )
    assert "differs: x is 2" in text
    assert "starts from python:3.11, and not from the recipe's own base image" in text


def test_a_root_that_can_be_written_is_said_where_gpus_are_handed_over():
    gpu = Gpu(index=0, uuid="GPU-a", name="NVIDIA GeForce RTX 4090")
    assert "root can be written" in " ".join(head(PLACE, gpu))
    assert "root can be written" not in " ".join(head(replace(PLACE, kind="venv", image=None), gpu))


@pytest.mark.parametrize(
    ("code", "line"),
    [(0, "done  train"), (130, "interrupted  train"), (137, "failed with exit code 137  train")],
)
def test_how_a_run_ended_stands_first(code, line):
    lines = drawn(footer(Finished(Path("/runs/it"), replace(RECORD, exit_code=code))))
    assert lines == [line, "  /runs/it/record.json"]


def test_why_a_container_failed_stands_below_with_what_to_do():
    record = replace(RECORD, exit_code=137, outputs=(FileFacts("/out/x.pth", 1, "0"),))
    text = " ".join(drawn(footer(Finished(Path("/runs/it"), record, CONTAINER_OUT_OF_MEMORY))))
    assert "the container was out of memory" in text
    assert "--memory SIZE" in text
    assert "/out/x.pth" in text
