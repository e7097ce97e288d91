"""What NVIDIA's library says, asked in a process of its own and put together as facts.

`nvml.py` holds the questions; this file starts it and limits its time. A hang, a crash or a library that does
not open is the reason of the facts that are missing, never an exception. The library has a time limit, and so
has each GPU: one that hangs or crashes costs its own once, and those after it are asked all the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from packaging.version import Version

from envcheck.host.facts import Gpu
from envcheck.host.loader import read_loader
from envcheck.host.nvml_gpu import gpu_of
from envcheck.host.nvml_lines import Lines, stage
from envcheck.host.pending import Pending
from envcheck.processes import Outcome, capture

LIBRARY_NOT_FOUND = "LIBRARY_NOT_FOUND"  # NVML's word, as its process says it
_NAME = "libnvidia-ml.so.1"
# What is missing without any library.
_FACTS = ("gpus", "driver.version", "driver.cuda", "driver.libcuda", "driver.nvml_seconds")

# With persistence mode off each GPU is initialised anew for us, which takes seconds, sometimes ten.
LIMIT_S_PER_GPU = 30.0

# The child imports from where its parent does, be that a checkout or a wheel; -I keeps the working directory
# and PYTHONPATH from adding anything of their own.
_START = "import sys; sys.path[:] = sys.argv[1:]; from envcheck.host.nvml import main; main({only})"


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


def read_library(root: Path = Path("/"), *, limit_s: float = LIMIT_S_PER_GPU) -> Library:
    """Return what NVML says; it has `limit_s` for itself and for each GPU."""
    loader = read_loader(root)
    # Without the loader's cache, as musl has none, only loading shows whether there is a library.
    if loader.cached and not loader.find(_NAME):
        return Library(found=False, unknown=dict.fromkeys(_FACTS, LIBRARY_NOT_FOUND))
    said = Lines(_asked(limit_s), limit_s)
    gpus, unknown = _gpus(said, limit_s)
    return Library(
        found=said.unknown.pop("nvml", None) != LIBRARY_NOT_FOUND,
        version=said.version("driver.version"),
        cuda=said.version("driver.cuda"),
        libcuda=said.version("driver.libcuda"),
        seconds=said.fact("driver.nvml_seconds"),
        gpus=gpus,
        unknown=said.unknown | unknown,
    )


def child(only: int | str = "") -> list[str]:
    """Return the argv that asks for everything, or for one GPU `only`."""
    return [sys.executable, "-I", "-c", _START.format(only=only), *sys.path]


def _asked(limit_s: float, only: int | str = "") -> Outcome:
    return capture(child(only), seconds=limit_s, stage=stage)


def _gpus(said: Lines, limit_s: float) -> tuple[tuple[Gpu, ...] | None, dict[str, str]]:
    """Return the GPUs, and why facts are missing of those that were asked on their own."""
    count = said.fact("gpus")
    if count is None:
        return None, {}
    ended_at = said.ended_at
    answered = range(count if ended_at is None else ended_at + 1)
    # At the same time: each of them may have the same trouble.
    asked = [
        Pending(partial(_asked, limit_s, place), partial(Outcome, None, ""), seconds=3 * limit_s)
        for place in range(len(answered), count)
    ]
    alone = [Lines(one.result(), limit_s) for one in asked]
    gpus = [gpu_of(said, place) for place in answered]
    gpus += [gpu_of(one, place) for place, one in enumerate(alone, len(answered))]
    reasons = {path: why for one in alone for path, why in one.unknown.items() if path.startswith("gpus[")}
    return tuple(gpus), reasons
