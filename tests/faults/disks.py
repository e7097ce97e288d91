"""Disks that are full or read only, while envcheck builds, runs and writes down."""

from __future__ import annotations

import shutil

from envcheck.repeat.find import find_run
from tests.environments.conftest import envcheck, filled
from tests.faults.fault import Fault, Ground, refused, remount, small_disk, survives, works

MIB = 1 << 20
WHEEL_MIB = 24
FULL = "No space left on device"

# It leaves no byte of the disk on which its first word lies.
FILLS = """
import sys
with open(sys.argv[1], "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
"""


def full_while_it_builds(ground: Ground, forgotten: tuple[str, ...], doing: str) -> str:
    """Build anew on a disk that has no room for the wheel, which the recipe does not know to be heavy."""
    content = f'"""A module."""\n\n\ndef main():\n    print("heavy")\n\n\n# {"#" * (WHEEL_MIB * MIB)}\n'
    world = ground.new_world(content=content)
    with small_disk(world.cache, "400m"):
        survives(world)
        (environment,) = (path for path in world.cache.glob("envs/*") if path.is_dir())
        bare = sum(file.lstat().st_blocks * 512 for file in environment.rglob("*")) - WHEEL_MIB * MIB
        for name in forgotten:
            shutil.rmtree(world.cache / name)
        with filled(world.cache, leaving_mib=bare // MIB + WHEEL_MIB // 2):
            said = refused(envcheck(world, "exec", "--in=venv", "--", "true"), 1, "the disk is full")
            (log,) = world.cache.glob("logs/test-*.log")
            assert doing in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")
            assert list(world.cache.glob("envs/*/envcheck.json")) == []
            assert list(world.cache.glob("envs/.*.new-*")) == []
            assert list(world.cache.glob("wheels/.fetch-*")) == []
        survives(world)
    return said


def full_in_a_fetch(ground: Ground) -> str:
    return full_while_it_builds(ground, ("envs", "wheels"), "Looking in links")


def full_in_an_install(ground: Ground) -> str:
    return full_while_it_builds(ground, ("envs",), "Installing collected packages")


def full_before_a_run(ground: Ground) -> str:
    world = ground.built_world()
    with small_disk(ground.folder / "out", "1m") as out:
        words = ("exec", "--in=venv", f"--output={out}", "--", "true")
        with filled(out, leaving_mib=0):
            said = refused(envcheck(world, *words), 1, "record.json", FULL)
        assert list((out / "runs").iterdir()) == [], "an empty run folder"
        assert envcheck(world, *words).wait(60) == 0
    survives(world)
    return said.replace(str(ground.folder), "...")


def full_when_a_run_ends(ground: Ground) -> str:
    """The command fills the disk on which its record lies, and ends well."""
    world = ground.built_world()
    with small_disk(ground.folder / "out", "2m") as out:
        words = ("exec", "--in=venv", f"--output={out}", "--", "python", "-c", FILLS, str(out / "ballast"))
        said = refused(envcheck(world, *words), 1, "record.json", FULL)
        (folder,) = (out / "runs").iterdir()
        record = find_run(str(folder))[1]
        assert record.command, record
        assert (record.ended, record.exit_code) == (None, None), record
        assert list(folder.glob(".record*")) == []
    survives(world)
    return said.replace(str(ground.folder), "...")


def output_read_only(ground: Ground) -> str:
    world = ground.built_world()
    with small_disk(ground.folder / "out", "10m") as out:
        words = ("exec", "--in=venv", f"--output={out}", "--", "true")
        remount(out, "ro")
        said = refused(envcheck(world, *words), 1, "Read-only file system", "--output")
        remount(out, "rw")
        assert envcheck(world, *words).wait(60) == 0
    survives(world)
    return said.replace(str(ground.folder), "...")


def cache_read_only(ground: Ground) -> str:
    """What is built there runs; what is not is refused."""
    world = ground.built_world()
    away = world.cache.rename(world.folder / "away")
    with small_disk(world.cache, "100m") as cache:
        shutil.copytree(away, cache, symlinks=True, dirs_exist_ok=True)
        remount(cache, "ro")
        works(world)
        remount(cache, "rw")
        shutil.rmtree(cache / "envs")
        remount(cache, "ro")
        said = refused(envcheck(world, "exec", "--in=venv", "--", "true"), 1, "Read-only file system")
        remount(cache, "rw")
        survives(world)
    return f"what is built runs; else: {said}".replace(str(ground.folder), "...")


FAULTS = (
    Fault("disk full while wheels are fetched", full_in_a_fetch, "slow"),
    Fault("disk full while wheels are installed", full_in_an_install, "slow"),
    Fault("disk full when a run begins", full_before_a_run),
    Fault("disk full when a run's record is closed", full_when_a_run_ends),
    Fault("output read only", output_read_only),
    Fault("cache read only", cache_read_only, "slow"),
)
