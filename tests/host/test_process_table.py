"""The kernel's table of processes, on roots made for it and on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envcheck.host import process_table
from envcheck.host.facts import Gpu, GpuProcess
from envcheck.host.process_table import runs, with_states


def on_gpu(*pids):
    return (Gpu(index=0), Gpu(index=1, processes=tuple(GpuProcess(pid, name="train") for pid in pids)))


@pytest.mark.parametrize(
    ("stat", "state"),
    [
        ("7 (python) S 1 7 7 0\n", "S"),
        ("7 (a) D (b) R 1 7\n", "R"),
        ("7 (x\ny) Z 1\n", "Z"),
        ("7 (python) D 1 7 7 0\n", "D"),
    ],
)
def test_a_state_is_the_letter_after_the_name_whatever_that_holds(lay_out, stat, state):
    gpus, unknown = with_states(on_gpu(7), inside=False, root=lay_out({"proc/7/stat": stat}))
    assert gpus[1].processes == (GpuProcess(7, name="train", state=state),)
    assert gpus[0].processes is None
    assert unknown == {}


@pytest.mark.parametrize(
    "stat", ["", "\x1b[31m[red]no[/]", "7 (python", "7 (python) ::error:: x", "x" * 10**6]
)
def test_what_is_no_state_is_none_with_a_reason(lay_out, stat):
    gpus, unknown = with_states(on_gpu(7), inside=False, root=lay_out({"proc/7/stat": stat}))
    assert gpus[1].processes[0].state is None
    assert unknown == {"gpus[1].processes[0].state": "NOT_SEEN: /proc/7/stat is not to be read"}


def test_a_process_that_has_ended_is_no_trouble_to_the_next(lay_out):
    gpus, unknown = with_states(on_gpu(6, 7), inside=False, root=lay_out({"proc/7/stat": "7 (p) R 1"}))
    assert [process.state for process in gpus[1].processes] == [None, "R"]
    assert list(unknown) == ["gpus[1].processes[0].state"]


def test_inside_a_container_the_number_belongs_to_another_table(lay_out):
    gpus, unknown = with_states(on_gpu(7), inside=True, root=lay_out({"proc/7/stat": "7 (p) D 1"}))
    assert gpus[1].processes[0].state is None
    assert unknown["gpus[1].processes[0].state"].startswith("OUTSIDE")


@pytest.mark.parametrize(("goes_on_after", "state"), [(1, "R"), (2, "R"), (3, "D")])
def test_who_waits_for_a_moment_only_is_not_stuck(lay_out, monkeypatch, goes_on_after, state):
    root = lay_out({"proc/7/stat": "7 (p) D 1"})
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == goes_on_after:
            (root / "proc/7/stat").write_text("7 (p) R 1")

    monkeypatch.setattr(process_table.time, "sleep", sleep)
    gpus, _ = with_states(on_gpu(7), inside=False, root=root)
    assert gpus[1].processes[0].state == state


def test_who_does_not_wait_costs_nobody_a_wait(lay_out, monkeypatch):
    monkeypatch.setattr(process_table.time, "sleep", lambda _: pytest.fail("waited"))
    gpus, _ = with_states(on_gpu(7), inside=False, root=lay_out({"proc/7/stat": "7 (p) S 1"}))
    assert gpus[1].processes[0].state == "S"


def test_unknown_gpus_stay_unknown():
    assert with_states(None, inside=False) == (None, {})


def test_a_program_of_this_machine_is_found_and_one_that_nobody_runs_is_not():
    comm = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    assert runs(comm) is True
    assert runs("no-such-program-anywhere") in (False, None)


def test_this_process_has_a_state():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        gpus, unknown = with_states(on_gpu(other.pid, os.getpid()), inside=False)
        other.communicate(b"\n")
    assert unknown == {}
    assert {process.state for process in gpus[1].processes} <= {"R", "S", "D"}


def test_what_is_no_process_is_none(lay_out):
    assert (
        runs("nv-fabricmanager", lay_out({"proc/1/comm": "init", "proc/net/comm": "nv-fabricmanage"}))
        is False
    )


def test_a_machine_without_proc_tells_nothing(tmp_path):
    assert runs("python", tmp_path) is None
