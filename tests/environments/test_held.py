"""What is held stays; what goes while somebody reaches for it is said to be gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from envcheck.environments.held import hold, let_go, remove
from envcheck.processes import SHARED


@pytest.fixture
def thing(tmp_path):
    thing = tmp_path / "thing"
    thing.mkdir()
    (thing / "file").write_text("old", encoding="utf-8")
    return thing


def test_what_is_held_nobody_may_take(thing):
    assert hold(thing)
    held = len(SHARED)
    assert hold(thing)
    assert len(SHARED) == held  # once is enough, however long the program lives
    with let_go(thing) as is_free:
        assert not is_free


def test_what_is_not_there_is_not_held(tmp_path):
    assert not hold(tmp_path / "nowhere")


@pytest.mark.parametrize("instead", [False, True])
def test_who_reaches_for_what_is_being_moved_away_is_told_that_it_is_gone(thing, tmp_path, instead):
    new = tmp_path / "new"
    new.mkdir()
    told = []
    with let_go(thing) as is_free:
        assert is_free
        reaching = threading.Thread(target=lambda: told.append(hold(thing)))
        reaching.start()
        reaching.join(timeout=0.2)
        assert told == []
        remove(thing, new if instead else None)
    reaching.join(timeout=10)
    assert told == [False]
    assert thing.exists() == instead
    assert hold(thing) == instead


def test_what_is_removed_leaves_nothing_behind(thing, tmp_path):
    remove(thing)
    assert list(tmp_path.iterdir()) == []


STARTER = """
import sys
from pathlib import Path
from envcheck.environments.held import hold
from envcheck.processes import hand_over, stream
hold(Path(sys.argv[1]))
code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "  # as who saves
code += "print(os.getpid(), flush=True); time.sleep(60)"
if sys.argv[2] == "stream":
    stream([sys.executable, "-c", code])
else:
    hand_over([sys.executable, "-c", code], env={})
"""


@pytest.mark.parametrize("how", ["stream", "hand_over"])
def test_what_a_command_uses_is_held_while_it_outlives_a_killed_envcheck(thing, root, how):
    argv = [sys.executable, "-c", STARTER, str(thing), how]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environ) as starter:
        command = int(starter.stdout.readline())
        try:
            starter.kill()
            starter.wait(timeout=30)
            with let_go(thing) as is_free:
                assert not is_free
        finally:
            os.kill(command, signal.SIGKILL)
    ends = time.monotonic() + 30
    while not is_free and time.monotonic() < ends:  # the kernel takes a moment
        time.sleep(0.01)
        with let_go(thing) as is_free:
            pass
    assert is_free
