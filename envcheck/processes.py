"""Starting other programs: the one owner of `subprocess`.

Everything is an argv list, never a shell string. `capture` asks a short question with a time limit; `stream`
runs work that a person watches: output goes through live and into a log, signals reach the program once,
and the program is waited for, so that it can save its work.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, BinaryIO

from envcheck.errors import EnvcheckError

# What a terminal understands and a log must not hold: control sequences of colours and progress bars.
_CONTROL_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_HEARD_BYTES = 1 << 20
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a short-lived program said. `code` is None when it did not start or ran out of time."""

    code: int | None
    stdout: str
    stderr: str


def capture(
    argv: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Answer:
    """Return a program's answer; one that hangs is killed after `seconds`. Never raises."""
    try:
        process = subprocess.Popen(  # noqa: S603 - an argv list of ours
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
        )
    except OSError as error:
        return Answer(None, "", error.strerror or str(error))
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        return Answer(None, _text(error.stdout), f"no answer within {seconds:g} seconds")
    finally:
        # Not `subprocess.run`: that waits for what it killed, and a process that hangs inside the kernel, as
        # one that asked a broken GPU does, outlives SIGKILL.
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return Answer(process.returncode, _text(stdout), _text(stderr))


def stream(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    show: bool = True,
    heard: bytearray | None = None,
) -> int:
    """Run a program to its end and return its exit code, 128 + N when signal N ended it.

    With `show`, its stdout and stderr pass through as they come; with `log`, both are appended there as plain
    text; `heard` takes the last of both, which a log on a full disk may lack. SIGINT, SIGTERM and SIGHUP are
    handed on, each exactly once: the program has a session of its own, so that Ctrl-C in a terminal does not
    reach it twice and its second signal keeps a meaning.
    """
    with contextlib.ExitStack() as stack:
        # Unbuffered: what a full disk did not take must not come back as an error when the log is closed.
        book = stack.enter_context(log.open("ab", buffering=0)) if log else None
        writer = _LogWriter(book) if book else None
        try:
            process = subprocess.Popen(  # noqa: S603 - an argv list of ours
                list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, start_new_session=True
            )
        except OSError as error:
            raise EnvcheckError(f"{argv[0]} could not be started: {error.strerror or error}") from None
        stack.enter_context(process)
        stack.enter_context(_handed_on(process))
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101
        pumps = [
            threading.Thread(target=_pump, args=(source, sink if show else None, writer, heard), daemon=True)
            for source, sink in ((process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer))
        ]
        for pump in pumps:
            pump.start()
        code = process.wait()
        for pump in pumps:
            # A grandchild that outlives the program would hold the pipe open for ever.
            pump.join(timeout=5)
        if writer:
            with contextlib.suppress(OSError):
                writer.close()
    return code if code >= 0 else 128 - code


def terminal_hints() -> dict[str, str]:
    """Return the variables that tell a program behind our pipes that a person watches in a terminal."""
    if not sys.stderr.isatty():
        return {}
    columns = os.get_terminal_size(sys.stderr.fileno()).columns
    return {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "COLUMNS": str(columns or 80)}


@contextlib.contextmanager
def _handed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While open, the signals that would end us go to `process` instead."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python sets signal handlers in the main thread only
        return

    def hand_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _LogWriter:
    """Appends lines of several streams to one file, the way a reader wants them: whole, without controls."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._open: dict[int, bytes] = {}

    def feed(self, stream_id: int, data: bytes) -> None:
        """Take a piece of a stream; only complete lines are written, as their last version shows them."""
        with self._lock:
            *lines, rest = (self._open.get(stream_id, b"") + data).split(b"\n")
            self._open[stream_id] = rest.rpartition(b"\r")[2][-(1 << 20) :] if rest[-1:] != b"\r" else rest
            for line in lines:
                self._write(line)

    def close(self) -> None:
        """Write what never saw an end of line."""
        with self._lock:
            for rest in self._open.values():
                if rest:
                    self._write(rest)

    def _write(self, line: bytes) -> None:
        # A bar is drawn over itself with carriage returns: its last state is the one that counts.
        text = _CONTROL_SEQUENCE.sub(b"", line.rstrip(b"\r").rpartition(b"\r")[2])
        if text or not line:
            self._file.write(text + b"\n")


def _pump(
    source: IO[bytes], sink: BinaryIO | None, writer: _LogWriter | None, heard: bytearray | None
) -> None:
    for data in iter(lambda: os.read(source.fileno(), 1 << 16), b""):
        if heard is not None:
            heard += data
            del heard[:-_HEARD_BYTES]
        # A reader that has gone or a full disk ends the showing or the log, never the work: a pipe that
        # nobody empties would hold the program for ever.
        if sink is not None:
            try:
                sink.write(data)
                sink.flush()
            except (OSError, ValueError):
                sink = None
        if writer is not None:
            try:
                writer.feed(id(source), data)
            except OSError:
                writer = None


def _text(data: bytes | str | None) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""
