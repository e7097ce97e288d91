"""The faults that envcheck is to survive, and how one of them is made."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.environments.conftest import envcheck, said_by
from tests.faults import bundles, clocks, damage, disks, engines, kills, learning
from tests.faults.fault import Fault, Ground, Model
from tests.small import make_world

FAULTS: tuple[Fault, ...] = (
    *kills.FAULTS,
    *learning.FAULTS,
    *engines.FAULTS,
    *disks.FAULTS,
    *clocks.FAULTS,
    *damage.FAULTS,
    *bundles.FAULTS,
)


def made(fault: Fault, model: Model, seed: str) -> str:
    """Make a fault in a folder of its own; return what was seen. Raises `AssertionError` where it is lost."""
    with tempfile.TemporaryDirectory(prefix="envcheck-fault-") as folder:
        return fault.make(Ground(Path(folder).resolve(), random.Random(seed), model))  # noqa: S311 - moments


@contextmanager
def built_model() -> Iterator[Model]:
    """Give a world whose environment is built."""
    with tempfile.TemporaryDirectory(prefix="envcheck-fault-") as folder:
        world = make_world(Path(folder).resolve() / "model", library="a library")
        started = time.monotonic()
        code, _, err = said_by(envcheck(world, "exec", "--in=venv", "--", "true"))
        assert code == 0, err.decode()
        yield Model(world, time.monotonic() - started)
