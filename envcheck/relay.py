"""What a command says, passed on as it comes and kept in a log as a reader wants it.

The log has whole lines without control sequences; a progress bar is kept as its last state. A reader that has
gone or a full disk ends the showing or the log, never the work: a pipe that nobody empties would hold the
command for ever. Where the bytes come from, a pipe or a container, is not known here.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

Stream = Literal["stdout", "stderr"]

# What a terminal understands and a log must not hold: control sequences of colours and progress bars, each
# within its line.
CONTROL_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[@-_]")
_HEARD_BYTES = 1 << 20
_LINE_BYTES = 1 << 20


def point_away(stream: IO[str] | IO[bytes]) -> None:
    """Let go to nowhere what a stream still holds that takes nothing more, or Python's own end fails."""
    with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


class Relay:
    """Takes what a command writes to its two outputs, from any thread."""

    def __init__(self, log: Path | None = None, *, show: bool = True, heard: bytearray | None = None) -> None:
        """With `show` all goes to our own stdout and stderr, with `log` into a file.

        `heard` takes the last of both, which a log on a full disk may lack.
        """
        # Unbuffered: what a full disk did not take must not come back as an error when the log is closed.
        self._book: io.FileIO | None = log.open("ab", buffering=0) if log else None
        self._sinks = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer} if show else {}
        self._heard = heard
        # Told when nobody reads our stdout any more: a command that speaks for that reader alone has to know.
        self.on_gone: Callable[[], object] | None = None
        self._lock = threading.Lock()
        self._unfinished: dict[Stream, bytes] = {}

    def take(self, stream: Stream, data: bytes) -> None:
        """Take a piece of one output."""
        if self._heard is not None:
            self._heard += data
            del self._heard[:-_HEARD_BYTES]
        sink = self._sinks.get(stream)
        if sink is not None:
            try:
                sink.write(data)
                sink.flush()
            except (OSError, ValueError):
                self._sinks.pop(stream, None)
                point_away(sink)
                if stream == "stdout" and self.on_gone is not None:
                    self.on_gone()
        if self._book is not None:
            # ValueError: the log is finished, and a grandchild that has outlived the command still speaks.
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._keep(stream, data)

    def close(self) -> None:
        """Finish the log."""
        if self._book is None:
            return
        with self._lock, contextlib.suppress(OSError):
            for rest in self._unfinished.values():  # what never saw an end of line
                if rest:
                    self._write(rest)
        self._book.close()

    def _keep(self, stream: Stream, data: bytes) -> None:
        *lines, rest = (self._unfinished.get(stream, b"") + data).split(b"\n")
        # The return that ends a state of a bar may belong to the end of a line that has yet to come.
        state = rest.rstrip(b"\r")
        self._unfinished[stream] = (state.rpartition(b"\r")[2] + rest[len(state) :])[-_LINE_BYTES:]
        for line in lines:
            self._write(line)

    def _write(self, line: bytes) -> None:
        # A bar is drawn over itself with carriage returns: its last state is the one that counts.
        text = CONTROL_SEQUENCE.sub(b"", line.rstrip(b"\r").rpartition(b"\r")[2])
        if (text or not line) and self._book is not None:
            self._book.write(text + b"\n")
