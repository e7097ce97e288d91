"""`envcheck exec` and `envcheck shell` as a person meets them: at a terminal, and between two pipes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from tests.environments.conftest import CONTAINERS, Home, envcheck, leftovers, said_by

pytestmark = pytest.mark.docker

_SECONDS = 30
_DRAWN = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Person:
    """Sits at a terminal, types, and reads until the words come that were waited for."""

    def __init__(self, screen: int, process: subprocess.Popen[bytes]) -> None:
        self._screen = screen
        self.process = process
        self.seen = b""

    def _has_more(self) -> bool:
        """Wait a little; not by `select`, which knows no number above 1023: one process runs all tests."""
        poll = select.poll()
        poll.register(self._screen, select.POLLIN)
        return bool(poll.poll(100))

    def types(self, line: str) -> None:
        os.write(self._screen, f"{line}\r".encode())

    def reads(self, pattern: bytes) -> re.Match[bytes]:
        """Return what was waited for; what came before it has been read."""
        end = time.monotonic() + _SECONDS
        while not (found := re.search(pattern, _DRAWN.sub(b"", self.seen))):
            assert time.monotonic() < end, f"{pattern!r} is not in {self.seen!r}"
            if self._has_more():
                try:
                    self.seen += os.read(self._screen, 1 << 16)
                except OSError:  # the last program has closed it
                    end = 0
        self.seen = _DRAWN.sub(b"", self.seen)[found.end() :]
        return found

    def resizes(self, height: int, width: int) -> None:
        resize(self._screen, height, width)

    def ended(self) -> int:
        """Return the exit code; a screen that nobody reads would hold up whoever writes to it."""
        end = time.monotonic() + _SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            if self._has_more():
                with contextlib.suppress(OSError):
                    self.seen += os.read(self._screen, 1 << 16)
        return self.process.wait(timeout=1)


def resize(screen: int, height: int, width: int) -> None:
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


@contextlib.contextmanager
def sitting_at(home: Home, *words: str) -> Iterator[Person]:
    """Give a person at a terminal in which envcheck runs, in the foreground of a session of its own."""
    screen, terminal = pty.openpty()
    resize(screen, 30, 100)
    before = termios.tcgetattr(terminal)
    process = envcheck(
        home.world,
        *words,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        yield Person(screen, process)
        assert termios.tcgetattr(terminal) == before, "the terminal is not as it was"
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(screen)


def place_of(home: Home) -> str:
    return "--in=docker" if home.is_container else f"--in={home.kind}"


@pytest.fixture(params=[*CONTAINERS, "venv"])
def home(request, homes_here) -> Home:
    return homes_here(request.param)


@pytest.fixture(params=CONTAINERS)
def container(request, homes_here) -> Home:
    return homes_here(request.param)


def test_exec_stands_between_two_pipes(home):
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().upper()); sys.exit(3)"
    process = envcheck(home.world, "exec", place_of(home), "--", "python", "-c", code)
    code, out, err = said_by(process, b"one\ntwo\n")
    assert (code, out) == (3, b"ONE\nTWO\n")
    assert b"failed with exit code 3" in err


def test_a_python_answers_at_the_terminal(home):
    with sitting_at(home, "exec", place_of(home), "--", "python", "-q") as person:
        person.reads(rb">>> ")
        person.types("import sys; 6 * 7, sys.stdin.isatty(), sys.stderr.isatty()")
        person.reads(rb"\(42, True, True\)\n")
        person.types("sys.exit(9)")
        assert person.ended() == 9
    assert leftovers(home) == []


def test_ctrl_c_at_the_terminal_is_the_commands_own(home):
    with sitting_at(home, "exec", place_of(home), "--", "python", "-q") as person:
        person.reads(rb">>> ")
        person.types("import time; print('sle' + 'eps'); time.sleep(60)")
        person.reads(rb"\nsleeps\n")
        os.write(person._screen, b"\x03")  # noqa: SLF001 - the key
        person.reads(rb"KeyboardInterrupt\n")
        person.types("raise SystemExit(4)")
        assert person.ended() == 4
    assert leftovers(home) == []


def test_a_shell_takes_commands_and_its_code_is_ours(home):
    with sitting_at(home, "shell", place_of(home)) as person:
        person.reads(rb"[#$] $")
        person.types("python -c 'import alpha; alpha.main()'")
        person.reads(home.world.recipe.name.encode() + rb"\n")
        person.types("exit 7")
        assert person.ended() == 7
    assert leftovers(home) == []


def test_a_containers_terminal_is_as_large_as_ours_from_the_start_and_when_it_changes(container):
    with sitting_at(container, "shell", "--in=docker") as person:
        person.reads(rb"[#$] $")
        person.types("stty size")
        person.reads(rb"\n30 100\n")
        person.resizes(41, 123)
        person.types("until [ \"$(stty size)\" = '41 123' ]; do sleep 0.1; done; echo lar''ger")
        person.reads(rb"larger\n")  # a shell that hears of the new size draws its line again before it
        person.types("exit")
        assert person.ended() == 0


HEARER = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(40 + number))
print("ready")
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_us_at_a_terminal_reaches_the_command(home, number):
    with sitting_at(home, "exec", place_of(home), "--", "python", "-uc", HEARER) as person:
        person.reads(rb"ready\n")
        person.process.send_signal(number)
        assert person.ended() == 40 + number
    assert leftovers(home) == []
