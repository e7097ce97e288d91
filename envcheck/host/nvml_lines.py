"""What the process that asks NVML said, line by line: facts by path, and why the others are missing.

Reasons begin with a word in capitals: NVML's own, as `NOT_SUPPORTED`, or `HANG`, `CRASH`, `NOT_ASKED`.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

from packaging.version import InvalidVersion, Version

from envcheck.processes import Outcome
from envcheck.versions import Spelled

_GPU = re.compile(r"gpus\[(\d+)\]")
_BEGUN = re.compile(rb'"asking": "(gpus\[\d+\])')


class Lines:
    """The child's lines by the path of their fact. Taking a fact that was not said notes why it was not."""

    def __init__(self, answer: Outcome, limit_s: float) -> None:
        """`limit_s` is what each stage of the child had, as a hang's reason says it."""
        self.unknown: dict[str, str] = {}
        self._facts: dict[str, Any] = {}
        asking = None
        for line in _objects(answer.stdout):
            if "asking" in line:
                asking = str(line["asking"])
            elif "unknown" in line:
                self.unknown[str(line.get("fact"))], asking = str(line["unknown"]), None
            else:
                self._facts[str(line.get("fact"))], asking = line.get("is"), None
        self._asking = asking
        self._ended = self.unknown.get("nvml") or _why_it_ended(answer, asking, limit_s)

    @property
    def ended_at(self) -> int | None:
        """The place of the GPU that hung or killed the child, so that those after it were not asked."""
        gpu = _GPU.match(self._asking or "")
        return int(gpu[1]) if gpu else None

    def fact(self, path: str) -> Any:  # noqa: ANN401 - as varied as the facts are
        """Return what was said about `path`, or None."""
        if path not in self._facts:
            self.unknown.setdefault(path, self._ended)
        return self._facts.get(path)

    def version(self, path: str) -> Version | None:
        """Return the version that was said about `path`, or None."""
        said = self.fact(path)
        try:
            return Spelled(said) if said is not None else None
        except InvalidVersion:
            self.unknown[path] = f"NOT_A_VERSION: {said:.60}"
            return None


def stage(output: bytes) -> int:
    """Return how many GPUs have been begun: the library itself, and then each GPU, has its own time."""
    return len(set(_BEGUN.findall(output)))


def _why_it_ended(answer: Outcome, asking: str | None, limit_s: float) -> str:
    """Return the reason of everything that the child left unsaid."""
    if answer.code is None and asking:
        return f"HANG: no answer within {limit_s:g} s when asked for {asking}"
    if answer.code is not None and answer.code < 0:
        return f"CRASH: {_signal_name(-answer.code)} when asked for {asking}"
    return f"NOT_ASKED: {answer.stderr.strip().rpartition(chr(10))[2]:.200}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _objects(stdout: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that are JSON objects; the library may print what it likes between them."""
    for line in stdout.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
