"""Bundles: their writer or user killed, their disk full, a bit of theirs flipped."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.environments.conftest import filled, said_by
from tests.faults.damage import flip_a_bit
from tests.faults.disks import MIB, WHEEL_MIB
from tests.faults.fault import (
    Fault,
    Ground,
    comes,
    envcheck_alone,
    killed,
    nobody_is_left,
    nothing_is_half_done,
    refused,
    small_disk,
)
from tests.small import World

HEAVY = f'"""A module."""\n\n\ndef main():\n    print("heavy")\n\n\n# {"#" * (WHEEL_MIB * MIB)}\n'


def write(world: World, file: Path) -> subprocess.Popen[bytes]:
    """Start the bundling of a world's recipe."""
    return envcheck_alone(world, "bundle", str(world.recipe.file), f"--output={file}")


def bundled(ground: Ground) -> Path:
    """Return the bundle of a recipe whose wheel takes a moment to copy."""
    world = ground.new_world("here", content=HEAVY)
    file = ground.folder / "b.tar"
    code, _, err = said_by(write(world, file))
    assert code == 0, err.decode()
    return file


def elsewhere(ground: Ground) -> World:
    """Return a machine that has nothing, and no network."""
    world = World(ground.folder / "there")
    world.cache.mkdir(parents=True)
    return world


def use(world: World, file: Path) -> subprocess.Popen[bytes]:
    """Start a command out of a bundle."""
    words = ("exec", "--in=venv", "--gpus=none", f"--bundle={file}", "--", "python", "-m", "alpha")
    return envcheck_alone(world, *words)


def is_of_use(world: World, file: Path) -> None:
    """Hold that a bundle runs, and that nothing half-finished lies beside what it brought."""
    nobody_is_left(world.folder)
    code, _, err = said_by(use(world, file))
    assert code == 0, f"the next command: {code} {err.decode()[-400:]}"
    nothing_is_half_done(world)


def killed_while_it_writes(ground: Ground) -> str:
    """What was there under the bundle's name stays."""
    world, file = ground.new_world("here", content=HEAVY), ground.folder / "b.tar"
    file.write_text("before", encoding="utf-8")
    writer = write(world, file)
    comes(writer, lambda: list(ground.folder.glob(".b.tar.*")))
    ground.wait_up_to(0.05)
    killed(writer)
    is_done = file.read_bytes() != b"before"
    if not is_done:
        assert said_by(write(world, file))[0] == 0
    left = list(ground.folder.glob(".b.tar.*"))
    assert not left, f"left behind: {left}"
    is_of_use(elsewhere(ground), file)
    return "it was written" if is_done else "what was there stayed"


def killed_while_it_unpacks(ground: Ground) -> str:
    file, world = bundled(ground), elsewhere(ground)
    user = use(world, file)
    comes(user, lambda: list(world.cache.glob("bundles/.*.new-*")))
    ground.wait_up_to(0.05)
    killed(user)
    half = bool(list(world.cache.glob("bundles/.*.new-*")))
    is_of_use(world, file)
    return "half unpacked" if half else "unpacked"


def full_while_it_writes(ground: Ground) -> str:
    world = ground.new_world("here", content=HEAVY)
    with small_disk(ground.folder / "out", "60m") as out:
        file = out / "b.tar"
        with filled(out, leaving_mib=WHEEL_MIB):
            said = refused(write(world, file), 1, "b.tar: No space left on device")
            assert [path.name for path in out.iterdir()] == ["ballast"]
        assert said_by(write(world, file))[0] == 0
        is_of_use(elsewhere(ground), file)
    return said.replace(str(ground.folder), "...")


def full_while_it_unpacks(ground: Ground) -> str:
    file, world = bundled(ground), elsewhere(ground)
    with small_disk(world.cache, "400m"):
        with filled(world.cache, leaving_mib=WHEEL_MIB):
            said = refused(use(world, file), 1, "bundles", "No space left on device")
            assert list(world.cache.glob("bundles/[!.]*")) == []
            assert list(world.cache.glob("wheels/[!.]*")) == []
        is_of_use(world, file)
    return said.replace(str(ground.folder), "...")


def with_a_flipped_bit(ground: Ground) -> str:
    file, world = bundled(ground), elsewhere(ground)
    whole = file.read_bytes()
    flip_a_bit(file, ground)
    said = refused(use(world, file), 2, str(file))
    file.write_bytes(whole)
    is_of_use(world, file)
    return said.replace(str(ground.folder), "...")


FAULTS = (
    Fault("envcheck killed while it writes a bundle", killed_while_it_writes, "slow", 5),
    Fault("envcheck killed while it unpacks a bundle", killed_while_it_unpacks, "slow", 10),
    Fault("disk full while a bundle is written", full_while_it_writes, "slow"),
    Fault("disk full while a bundle is unpacked", full_while_it_unpacks, "slow"),
    Fault("bundle with a flipped bit", with_a_flipped_bit, "slow", 5),
)
