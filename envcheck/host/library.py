"""What NVIDIA's library says, asked in a process of its own and put together as facts.

`nvml.py` holds the questions; this file starts it, limits its time and reads its lines. A hang, a crash or
a library that does not open is the reason of the facts that are missing, never an exception. Reasons begin
with a word in capitals: NVML's own, as `NOT_SUPPORTED`, or `HANG`, `CRASH`, `NOT_ASKED`.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from packaging.version import InvalidVersion, Version

from envcheck.host.facts import Gpu, Mig, MigInstance
from envcheck.processes import Outcome, capture
from envcheck.versions import Spelled

# With persistence mode off each GPU is initialised anew for us, which takes seconds; servers have eight.
TIME_LIMIT_S = 60.0

# The child imports from where its parent does, be that a checkout or a wheel; -I keeps the working directory
# and PYTHONPATH from adding anything of their own.
_START = "import sys; sys.path[:] = sys.argv[1:]; from envcheck.host.nvml import main; main()"


@dataclass(frozen=True, slots=True)
class Library:
    """The half of the driver that programs load. `gpus` is None when it said nothing about them."""

    found: bool
    version: Version | None = None
    cuda: Version | None = None
    libcuda: Version | None = None
    seconds: float | None = None
    gpus: tuple[Gpu, ...] | None = None
    unknown: dict[str, str] = field(default_factory=dict)


def read_library(*, limit_s: float = TIME_LIMIT_S) -> Library:
    """Return what NVML says; the process that asks it lives `limit_s` at most."""
    answer = capture([sys.executable, "-I", "-c", _START, *sys.path], seconds=limit_s)
    said = _Said(answer, limit_s)
    count = said.fact("gpus")
    return Library(
        found=said.unknown.pop("nvml", None) != "LIBRARY_NOT_FOUND",
        version=said.version("driver.version"),
        cuda=said.version("driver.cuda"),
        libcuda=said.version("driver.libcuda"),
        seconds=said.fact("driver.nvml_seconds"),
        gpus=None if count is None else tuple(_gpu(said, index) for index in range(count)),
        unknown=said.unknown,
    )


def _gpu(said: _Said, index: int) -> Gpu:
    path = f"gpus[{index}]"
    if path in said.unknown:
        return Gpu(index=index)  # the one reason stands for all that is missing
    return Gpu(
        index=index,
        uuid=said.fact(f"{path}.uuid"),
        name=said.fact(f"{path}.name"),
        brand=said.fact(f"{path}.brand"),
        compute_capability=said.version(f"{path}.compute_capability"),
        memory_mib=said.fact(f"{path}.memory_mib"),
        pci_address=said.fact(f"{path}.pci_address"),
        mig=_mig(said, f"{path}.mig"),
    )


def _mig(said: _Said, path: str) -> Mig | None:
    enabled = said.fact(path)
    if not enabled:
        return None if enabled is None else Mig(enabled=False)
    count = said.fact(f"{path}.instances")
    if count is None:
        return Mig(enabled=True)
    return Mig(
        enabled=True,
        instances=tuple(
            MigInstance(
                uuid=said.fact(f"{path}.instances[{number}].uuid"),
                name=said.fact(f"{path}.instances[{number}].name"),
                memory_mib=said.fact(f"{path}.instances[{number}].memory_mib"),
            )
            for number in range(count)
        ),
    )


class _Said:
    """The child's lines by the path of their fact. Taking a fact that was not said notes why it was not."""

    def __init__(self, answer: Outcome, limit_s: float) -> None:
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
        self._ended = self.unknown.get("nvml") or _why_it_ended(answer, asking, limit_s)

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
