"""Questions with a limit each: what answers, what fails, what never comes back (a FIFO without a writer)."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from envcheck.host.pending import Pending


def test_an_answer_is_returned():
    assert Pending(lambda: 42, lambda why: why, seconds=5).result() == 42


def test_an_answer_that_is_nothing_is_an_answer():
    assert Pending(lambda: None, lambda why: why, seconds=5).result() is None


def test_a_failure_is_a_reason():
    def fail():
        raise PermissionError(13, "Permission denied", "/var/log/kern.log")

    why = Pending(fail, lambda why: why, seconds=5).result()
    assert why.startswith("FAILED: PermissionError: ")
    assert "/var/log/kern.log" in why


def test_what_hangs_costs_its_own_limit_once_and_the_others_nothing(tmp_path):
    os.mkfifo(tmp_path / "dead")
    hangs = [Pending((tmp_path / "dead").read_text, lambda why: why, seconds=0.3) for _ in range(3)]
    answers = Pending(lambda: "here", lambda why: why, seconds=0.3)
    time.sleep(0.31)
    assert [one.result() for one in hangs] == ["HANG: no answer within 0.3 s"] * 3
    assert answers.result() == "here"


def test_what_was_left_behind_does_not_keep_the_program(tmp_path):
    os.mkfifo(tmp_path / "dead")
    program = (
        "import sys; from pathlib import Path; from envcheck.host.pending import Pending;"
        "print(Pending(Path(sys.argv[1]).read_text, str, seconds=0.1).result())"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "dead")]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout == "HANG: no answer within 0.1 s\n"
