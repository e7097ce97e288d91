"""Starting other programs: the one owner of `subprocess`.

Everything is an argv list, never a shell string. `capture` asks a short question with a time limit; `stream`
runs work that a person watches: output goes through live and into a log, signals reach the program once,
and the program is waited for, so that it can save its work.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from envcheck.errors import CommandError
from envcheck.relay import Relay, Stream

_AWAKE_S = 1.0
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Ends the process of a number when our end of its standard input closes without a word, and then what that
# has left of its group, as the pip that venv starts. A shell, as it starts in a millisecond.
_WARDEN = """
read -r word; [ -n "$word" ] && exit
kill -s TERM "$0"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$0" || break; sleep 0.2; done
kill -s 0 "$0" || kill -s KILL -- "-$0"
"""

# Open files that what `stream` and `hand_over` start keeps open, too: it may outlive us.
SHARED: list[int] = []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a short-lived program said. `code` is None when it did not start or ran out of time."""

    code: int | None
    stdout: str
    stderr: str


def capture(
    argv: Sequence[str],
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stage: Callable[[bytes], object] | None = None,
) -> Outcome:
    """Return what a program said; one that hangs is killed after `seconds`. Never raises.

    With `stage`, which tells from the output so far how far it has come, each stage has `seconds` of its own.
    """
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
        return Outcome(None, "", error.strerror or str(error))
    try:
        stdout, stderr = _heard_out(process, seconds, stage)
    except subprocess.TimeoutExpired as error:
        return Outcome(None, _text(error.stdout), f"no answer within {seconds:g} seconds")
    finally:
        # Not `subprocess.run`: that waits for what it killed, and a process that hangs inside the kernel, as
        # one that asked a broken GPU does, outlives SIGKILL.
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return Outcome(process.returncode, _text(stdout), _text(stderr))


def stream(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    show: bool = True,
    heard: bytearray | None = None,
    begun: Callable[[], None] | None = None,
    ends_with_reader: bool = False,
) -> int:
    """Run a program to its end and return its exit code, 128 + N when signal N ended it.

    With `show`, its stdout and stderr pass through as they come; with `log`, both are appended there as plain
    text; `heard` takes the last of both, which a log on a full disk may lack. `begun` is called when it runs,
    before any of that. With `ends_with_reader` it gets SIGTERM when nobody reads our stdout any more. SIGINT,
    SIGTERM and SIGHUP are handed on, each exactly once: it has a session of its own, so that Ctrl-C in a
    terminal does not reach it twice and its second signal keeps a meaning. It gets SIGTERM, too, when we are
    killed: what it makes would be nobody's.
    """
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(contextlib.closing(Relay(log, show=show, heard=heard)))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = _started(argv, env=env, start_new_session=True, pass_fds=SHARED, **pipes)
        stack.enter_context(process)
        with contextlib.suppress(CommandError):  # no process more is to be had: it runs without
            stack.enter_context(attended(("/bin/sh", "-c", _WARDEN, str(process.pid))))
        stack.enter_context(handed_on(_send_to(process)))
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101
        pumps = [
            threading.Thread(target=_pump, args=(process.stdout, "stdout", relay), daemon=True),
            threading.Thread(target=_pump, args=(process.stderr, "stderr", relay), daemon=True),
        ]
        if ends_with_reader:
            relay.on_gone = lambda: _send_to(process)(signal.SIGTERM)
        if begun:
            begun()
        for pump in pumps:
            pump.start()
        code = _waited_for(process)
        for pump in pumps:
            # A grandchild that outlives the program would hold the pipe open for ever.
            pump.join(timeout=5)
    return code if code >= 0 else 128 - code


def hand_over(argv: Sequence[str], *, env: Mapping[str, str]) -> int:
    """Let a program have our terminal until it ends, and return its exit code, 128 + N after signal N.

    It is in the foreground with us, so the terminal's own keys reach it; what reaches us alone is handed on.
    """
    with _started(argv, env=env, pass_fds=SHARED) as process, handed_on(_send_unless_typed(process)):
        code = _waited_for(process)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def attended(argv: Sequence[str]) -> Iterator[None]:
    """While open, a program waits on its standard input: "done" comes at the end, nothing if we die."""
    options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with _started(argv, stdin=subprocess.PIPE, start_new_session=True, **options) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above
        try:
            yield
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"done")
                process.stdin.close()


def terminal_hints() -> dict[str, str]:
    """Return the variables that tell a program behind our pipes that a person watches in a terminal."""
    if not sys.stderr.isatty():
        return {}
    columns = os.get_terminal_size(sys.stderr.fileno()).columns
    return {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "COLUMNS": str(columns or 80)}


def _heard_out(
    process: subprocess.Popen[bytes], seconds: float, stage: Callable[[bytes], object] | None
) -> tuple[bytes, bytes]:
    """Return all that a program says. Raises `TimeoutExpired`, with what it said until then."""
    if stage is None:
        return process.communicate(timeout=seconds)
    reached, ends = stage(b""), time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=min(_AWAKE_S, max(0.0, ends - time.monotonic())))
        except subprocess.TimeoutExpired as error:  # noqa: PERF203 - once a second
            now = stage(error.stdout or b"")
            if now != reached:
                reached, ends = now, time.monotonic() + seconds
            elif time.monotonic() >= ends:
                raise


def _started(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - Popen's own
    try:
        return subprocess.Popen(list(argv), **options)  # noqa: S603 - an argv list of ours
    except OSError as error:
        raise CommandError(
            f"{argv[0]} could not be started: {error.strerror or error}",
            is_there=not isinstance(error, FileNotFoundError),
        ) from None


@contextlib.contextmanager
def handed_on(send: Callable[[int], object]) -> Iterator[None]:
    """While open, the signals that would end us are given to `send` instead, by their number."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python sets signal handlers in the main thread only
        return
    before = {number: signal.signal(number, lambda number, _frame: send(number)) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _waited_for(process: subprocess.Popen[bytes]) -> int:
    """Return a program's code when it has ended."""
    while True:
        # Python handles a signal between two steps of its own: one that comes just before an endless wait is
        # heard when that ends.
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_AWAKE_S)


def _send_to(process: subprocess.Popen[bytes]) -> Callable[[int], None]:
    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    return send


def _send_unless_typed(process: subprocess.Popen[bytes]) -> Callable[[int], None]:
    def send(number: int) -> None:
        if number != signal.SIGINT:  # the terminal has given Ctrl-C to the program already
            _send_to(process)(number)

    return send


def _pump(pipe: IO[bytes], source: Stream, relay: Relay) -> None:
    for data in iter(lambda: os.read(pipe.fileno(), 1 << 16), b""):
        relay.take(source, data)


def _text(data: bytes | str | None) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""
