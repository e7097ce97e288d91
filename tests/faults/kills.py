"""SIGKILL: envcheck, what it has started, and the engine, at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from envcheck.repeat.find import find_run
from envcheck.runs.record import Record
from tests.environments.conftest import envcheck, first_line, said_by
from tests.faults.fault import (
    Fault,
    Ground,
    child_of,
    halted,
    killed,
    nobody_is_left,
    processes_of,
    survives,
)
from tests.small import World

WAITS = "import time; print('ready', flush=True); time.sleep(600)"


def build(world: World) -> subprocess.Popen[bytes]:
    """Start what has to build first."""
    return envcheck(world, "exec", "--in=venv", "--", "true")


def killed_while_it_builds(ground: Ground) -> str:
    world = ground.new_world()
    builder = build(world)
    seconds = ground.wait_up_to(ground.model.seconds)
    killed(builder)
    survives(world)
    return f"after {seconds:.1f} s"


def installer_killed(ground: Ground) -> str:
    """Whatever envcheck waits for when its moment comes: venv, pip, a question to an interpreter."""
    world = ground.new_world()
    builder = build(world)
    ground.wait_up_to(ground.model.seconds)
    os.kill(halted(child_of(builder.pid)), signal.SIGKILL)
    code, _, err = said_by(builder)
    assert code in {0, 1}, err.decode()[-600:]  # 0: it goes on without the answer
    assert b"Traceback" not in err, err.decode()
    survives(world)
    said = next((line for line in err.decode().splitlines() if line.startswith("error")), "it was not needed")
    return said.removeprefix("error: ").replace(str(world.folder), "...")


def killed_twice_while_it_builds(ground: Ground) -> str:
    """The second one meets what the first one has left."""
    world = ground.new_world()
    for _ in range(2):
        builder = build(world)
        ground.wait_up_to(ground.model.seconds)
        killed(builder)
    survives(world)
    return ""


def one_of_two_builders_killed(ground: Ground) -> str:
    world = ground.new_world()
    builders = [build(world), build(world)]
    ground.wait_up_to(ground.model.seconds)
    victim = ground.random.choice(builders)
    (other,) = (one for one in builders if one is not victim)
    killed(victim)
    code, _, err = said_by(other)
    assert code == 0, err.decode()[-600:]
    survives(world)
    return "the other one went on"


def record_in(world: World) -> Record:
    """Return the record of the only run in a world."""
    (folder,) = (world.folder / "runs").iterdir()
    return find_run(str(folder))[1]


def killed_in_a_run(ground: Ground) -> str:
    world = ground.built_world()
    runner = envcheck(world, "exec", "--in=venv", "--", "python", "-c", WAITS)
    assert first_line(runner) == b"ready\n"
    ground.wait_up_to(0.5)
    killed(runner)
    nobody_is_left(world.folder)
    record = record_in(world)
    assert (record.ended, record.exit_code) == (None, None), record
    survives(world)
    return "the record has no end, the command got SIGTERM"


def command_killed(ground: Ground) -> str:
    world = ground.built_world()
    runner = envcheck(world, "exec", "--in=venv", "--", "python", "-c", WAITS)
    assert first_line(runner) == b"ready\n"
    ground.wait_up_to(0.5)
    os.kill(command_of(world), signal.SIGKILL)
    code, _, err = said_by(runner)
    assert code == 137, err.decode()
    record = record_in(world)
    assert (record.exit_code, record.exit_code_of) == (137, "stage"), record
    survives(world)
    return "exit code 137, and the record says so"


def killed_before_its_command(ground: Ground) -> str:
    """In the second in which the machine is looked at and the run's folder is made."""
    world = ground.built_world()
    runner = envcheck(world, "exec", "--in=venv", "--", "python", "-c", "import time; time.sleep(600)")
    ground.wait_up_to(2)
    killed(runner)
    for folder in (world.folder / "runs").glob("*"):
        if (folder / "record.json").exists():
            find_run(str(folder))
    survives(world)
    return ""


def command_of(world: World) -> int:
    """Return the process that runs `WAITS` in a world, which envcheck has started."""
    words = {
        pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in processes_of(world.folder)
    }
    (found,) = (pid for pid, said in words.items() if said[1:3] == [b"-c", WAITS.encode()])
    return found


FAULTS = (
    Fault("envcheck killed while it builds", killed_while_it_builds, "slow", 20),
    Fault("envcheck killed twice while it builds", killed_twice_while_it_builds, "slow", 5),
    Fault("an installer killed", installer_killed, "slow", 20),
    Fault("two builds of one environment, one killed", one_of_two_builders_killed, "slow", 5),
    Fault("envcheck killed at the start of a run", killed_before_its_command, "slow", 10),
    Fault("envcheck killed in a run", killed_in_a_run, moments=5),
    Fault("a command killed", command_killed, moments=5),
)
