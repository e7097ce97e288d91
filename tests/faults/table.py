"""The faults that envcheck is to survive, and how one of them is made."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.environments.conftest import envcheck, said_by
from tests.faults import bundles, clocks, containers, damage, disks, engines, kills, learning
from tests.faults.fault import Fault, Ground, Missed, Model, processes_of
from tests.small import make_world

FAULTS: tuple[Fault, ...] = (
    *kills.FAULTS,
    *learning.FAULTS,
    *engines.FAULTS,
    *containers.FAULTS,
    *disks.FAULTS,
    *clocks.FAULTS,
    *damage.FAULTS,
    *bundles.FAULTS,
)
# How often a moment is drawn where it comes too late, and how much earlier each time.
MOST_DRAWS, EARLIER = 8, 0.75


def made(fault: Fault, model: Model, seed: str) -> tuple[str, int]:
    """Make a fault in a folder of its own; return what was seen, and how many moments came too late before.

    Raises `AssertionError` where something is lost, `Missed` where no moment was found.
    """
    for missed in range(MOST_DRAWS):
        with tempfile.TemporaryDirectory(prefix="envcheck-fault-") as name:
            folder = Path(name).resolve()
            moments = random.Random(f"{seed} {missed}")  # noqa: S311 - no secrets
            try:
                return fault.make(Ground(folder, moments, model, EARLIER**missed)), missed
            except Missed:
                pass
            finally:  # nothing goes on in a folder that is removed
                for pid in processes_of(folder):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
    raise Missed(f"the victim had ended before each of {MOST_DRAWS} moments")


@contextmanager
def built_model() -> Iterator[Model]:
    """Give a world whose environment is built."""
    with tempfile.TemporaryDirectory(prefix="envcheck-fault-") as folder:
        world = make_world(Path(folder).resolve() / "model", library="a library")
        started = time.monotonic()
        code, _, err = said_by(envcheck(world, "exec", "--in=venv", "--", "true"))
        assert code == 0, err.decode()
        yield Model(world, time.monotonic() - started)
