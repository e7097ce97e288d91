"""A clock that is set back: between two runs, while one runs, and while the cache counts days."""

from __future__ import annotations

import os
import time
from pathlib import Path

from envcheck.cache.kept import contents
from envcheck.repeat.find import find_run
from tests.environments.conftest import envcheck, said_by
from tests.faults.fault import Fault, Ground, envcheck_alone, survives
from tests.nvml.fixtures import build_library
from tests.small import World, environ_of

DAY_S = 24 * 3600
YEAR_S = 365 * DAY_S
HERE = Path(__file__).parent


class Clock:
    """A clock for the programs that get its variables."""

    def __init__(self, folder: Path) -> None:
        build_library(HERE / "clock.c", folder / "clock", "clock.so")
        self.file = folder / "clock" / "seconds"
        self.variables = {"LD_PRELOAD": str(folder / "clock" / "clock.so"), "FAULT_CLOCK": str(self.file)}
        self.set(0)

    def set(self, seconds: int) -> None:
        """Move it so far from what it is."""
        self.file.write_text(str(seconds), encoding="ascii")


def a_run(world: World, clock: Clock, *command: str):
    """Start a command with a clock, which prints a line when it runs."""
    return envcheck(world, "exec", "--in=venv", "--", *command, env={**environ_of(world), **clock.variables})


def set_back_between_runs(ground: Ground) -> str:
    world, clock = ground.new_world(), Clock(ground.folder)
    for seconds in (0, -YEAR_S, -56 * YEAR_S):
        clock.set(seconds)
        code, out, err = said_by(a_run(world, clock, "echo", "works"))
        assert (code, out) == (0, b"works\n"), err.decode()
    runs = [find_run(str(folder))[1] for folder in sorted((world.folder / "runs").iterdir())]
    assert [run.exit_code for run in runs] == [0, 0, 0]
    assert runs[0].started < "1971" < runs[1].started < runs[2].started, [run.started for run in runs]
    (kept,) = (one for one in contents(world.cache).kept if one.kind == "environment")
    assert abs(time.time() - kept.path.stat().st_mtime) < DAY_S, f"last used {kept.used}"
    first, last = (str(world.folder / "runs" / run.id) for run in (runs[0], runs[2]))
    code, _, err = said_by(envcheck_alone(world, "diff", first, last))
    assert code == 0, err.decode()
    survives(world)
    return "each has a folder of its own, the cache keeps the later use"


def set_back_in_a_run(ground: Ground) -> str:
    world, clock = ground.built_world(), Clock(ground.folder)
    runner = a_run(world, clock, "sh", "-c", f"echo {-YEAR_S} > {clock.file}; echo works")
    code, out, err = said_by(runner)
    assert (code, out) == (0, b"works\n"), err.decode()
    (folder,) = (world.folder / "runs").iterdir()
    record = find_run(str(folder))[1]
    assert record.exit_code == 0
    assert record.ended >= record.started, f"{record.ended} before {record.started}"
    survives(world)
    return f"started {record.started[:10]}, ended {record.ended[:10]}"


def set_back_before_pruning(ground: Ground) -> str:
    """The cache was used in what is now the future: by how much nobody knows, so it counts from today."""
    world, clock = ground.built_world(), Clock(ground.folder)
    ahead = time.time() + 10 * YEAR_S
    for one in contents(world.cache).kept:
        os.utime(one.path, (ahead, ahead))

    def left(days: int, *, keep_days: int = 30) -> set[str]:
        clock.set(days * DAY_S)
        words = ("cache", "prune", f"--keep-days={keep_days}")
        code, _, err = said_by(envcheck_alone(world, *words, env=clock.variables))
        assert code == 0, err.decode()
        return {one.kind for one in contents(world.cache).kept}

    everything = left(0)
    assert {"environment", "wheel", "pose"} <= everything, everything
    assert left(29) == everything
    assert left(31) == set(), "kept for ever"
    survives(world)
    return "kept 30 days from the first prune on, and no longer"


FAULTS = (
    Fault("clock set back between two runs", set_back_between_runs, "slow"),
    Fault("clock set back in a run", set_back_in_a_run),
    Fault("clock set back before the cache is pruned", set_back_before_pruning, "slow"),
)
