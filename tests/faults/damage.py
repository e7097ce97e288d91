"""What lies on the disk was changed: wheels, locks, environments, copies of pose, records, run folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from envcheck.repeat.find import find_run
from tests.environments.conftest import envcheck, said_by
from tests.faults.fault import (
    Fault,
    Ground,
    envcheck_alone,
    is_whole,
    refused,
    survives,
    works,
)
from tests.small import MINE, World
from tests.wheels import make_wheel, pin_of


def flip_a_bit(file: Path, ground: Ground) -> None:
    """Change one bit of a file, somewhere."""
    content = bytearray(file.read_bytes())
    content[ground.random.randrange(len(content))] ^= 1 << ground.random.randrange(8)
    file.write_bytes(content)


def forget_environment(world: World) -> None:
    """Let the next command build anew, from the wheels that are here."""
    shutil.rmtree(world.cache / "envs")


def wheel_with_a_flipped_bit(ground: Ground) -> str:
    world = ground.built_world()
    (wheel,) = world.cache.glob("wheels/*/*.whl")
    flip_a_bit(wheel, ground)
    forget_environment(world)
    said = works(world)
    assert f"remove {wheel.name}, which is damaged" in said, said
    survives(world)
    return "named, fetched again"


def wheel_with_a_flipped_bit_and_no_index(ground: Ground) -> str:
    world = ground.built_world()
    (wheel,) = world.cache.glob("wheels/*/*.whl")
    flip_a_bit(wheel, ground)
    forget_environment(world)
    (there,) = world.index.glob("*.whl")
    away = there.rename(world.folder / there.name)
    said = refused(
        envcheck(world, "exec", "--in=venv", "--", "true"), 1, wheel.name, "is damaged", "alpha==1.0"
    )
    away.rename(there)
    survives(world)
    return said


def wheel_that_is_another(ground: Ground) -> str:
    """Nobody computes a lock's digest by hand; they copy a version, and the old digest stays beside it."""
    return edited(ground, lambda pin: pin.replace("==1.0", "==2.0"), "is that of alpha-1.0-py3-none-any.whl")


def edited(ground: Ground, edit, *parts: str) -> str:
    """Edit the lock of a built world, and hold that the edit is refused with file and line."""
    world = ground.built_world()
    lock = lock_of(world)
    before = lock.read_bytes()
    after = edit(before.decode().strip())
    lock.write_bytes(after if isinstance(after, bytes) else f"{after}\n".encode())
    line = f"{lock}:{len(lock.read_bytes().splitlines())}"
    said = refused(envcheck(world, "exec", "--in=venv", "--", "true"), 2, *(parts or (line,)))
    assert str(lock) in said, said
    assert len(list(world.cache.glob("envs/*/envcheck.json"))) == 1
    lock.write_bytes(before)
    survives(world)
    return said.replace(str(lock.parent), "...")


def lock_of(world: World) -> Path:
    """Return the lock of the Python that the tests run on."""
    return world.recipe.lock_path(MINE)


def other_hash_in_the_lock(ground: Ground) -> str:
    """A digest that no wheel has."""
    world = ground.built_world()
    lock = lock_of(world)
    before = lock.read_bytes()
    lock.write_bytes(before.strip()[:-8] + b"00000000\n")
    said = refused(
        envcheck(world, "exec", "--in=venv", "--", "true"), 1, "alpha==1.0", "does not have the digest"
    )
    assert len(list(world.cache.glob("envs/*/envcheck.json"))) == 1
    lock.write_bytes(before)
    survives(world)
    return said


def line_removed_from_the_lock(ground: Ground) -> str:
    return edited(ground, lambda pin: f"# Complete, 2 wheels: install with.\n{pin}", "says that it names 2")


def line_added_to_the_lock(ground: Ground) -> str:
    beta = pin_of(make_wheel(ground.folder / "more", "beta-1.0-py3-none-any.whl"))
    return edited(
        ground,
        lambda pin: f"# Complete, 1 wheels: install with.\n{pin}\n{beta}",
        "says that it names 1",
    )


def package_pinned_twice(ground: Ground) -> str:
    return edited(ground, lambda pin: f"{pin}\n{pin.replace('==1.0', '==2.0')}", "is pinned already")


def lock_without_a_hash(ground: Ground) -> str:
    return edited(ground, lambda pin: pin.partition(" --hash")[0], "not a pin with one hash")


def lock_of_no_version(ground: Ground) -> str:
    return edited(ground, lambda pin: pin.replace("==1.0", "==one"), "is no version")


def lock_that_is_not_utf8(ground: Ground) -> str:
    return edited(ground, lambda pin: b"\xff\xfe" + pin.encode("utf-16-le"), "not UTF-8")


def environment_with_a_file_changed(ground: Ground) -> str:
    world = ground.built_world()
    (module,) = world.cache.glob("envs/*/lib/python3*/site-packages/alpha.py")
    flip_a_bit(module, ground)
    code, out, _ = said_by(envcheck_alone(world, "cache", "verify"))
    assert code == 1, out
    assert b"alpha.py is not what its wheel held" in out, out
    assert said_by(envcheck_alone(world, "cache", "verify", "--repair"))[0] == 0
    assert "make a virtual environment" in works(world)
    is_whole(world)
    return "named by `cache verify`, built anew after --repair"


def environment_with_a_library_cut_off(ground: Ground) -> str:
    world = ground.built_world()
    (library,) = world.cache.glob("envs/*/lib/python3*/site-packages/alpha_fast.so")
    library.write_bytes(library.read_bytes()[:-1])
    said = works(world)
    assert "alpha_fast.so has" in said, said
    survives(world)
    return "named, built anew"


def copy_of_pose_changed(ground: Ground) -> str:
    world = ground.built_world()
    module = world.program / "pose" / "__main__.py"
    before = module.read_bytes()
    flip_a_bit(module, ground)
    assert "had been changed: it was made anew" in works(world)
    assert module.read_bytes() == before
    survives(world)
    return "named, copied anew"


def run_of(world: World) -> Path:
    """Return the folder of a run of one stage in a built world."""
    said = said_by(envcheck(world, "run", "env", "--in=venv"))
    assert said[0] == 0, said[2].decode()[-600:]
    (folder,) = (world.folder / "runs").iterdir()
    return folder


def record_of_a_later_version(ground: Ground) -> str:
    world = ground.built_world()
    folder = run_of(world)
    record = folder / "record.json"
    before = record.read_text(encoding="utf-8")
    later = before.replace("envcheck.run/1", "envcheck.run/2")
    record.write_text(later, encoding="utf-8")
    for verb in (("diff", str(folder), str(folder)), ("replay", str(folder))):
        said = refused(envcheck_alone(world, *verb), 2, "later envcheck", "Update envcheck")
    assert record.read_text(encoding="utf-8") == later, "who cannot read it has written it"
    record.write_text(before, encoding="utf-8")
    assert said_by(envcheck_alone(world, "diff", str(folder), str(folder)))[0] == 0
    return said.replace(str(folder), "...")


def record_cut_off(ground: Ground) -> str:
    world = ground.built_world()
    folder = run_of(world)
    record = folder / "record.json"
    content = record.read_bytes()
    record.write_bytes(content[: ground.random.randrange(len(content) - 2)])  # without `}` and newline
    for verb in (("diff", str(folder), str(folder)), ("replay", str(folder))):
        said = refused(envcheck_alone(world, *verb), 2, "record.json")
    return said.replace(str(folder), "...")


def run_folder_copied_elsewhere(ground: Ground) -> str:
    """The record says where it was, and the folder is somewhere else; the first one is gone."""
    world = ground.built_world()
    folder = run_of(world)
    elsewhere = ground.folder / "elsewhere" / folder.name
    shutil.copytree(folder, elsewhere)
    known = find_run(str(folder))[1]
    said = said_by(envcheck_alone(world, "diff", str(folder), str(elsewhere), "--format=json"))
    assert said[0] == 0, said[2].decode()[-600:]
    assert json.loads(said[1])["differences"] == []
    shutil.rmtree(folder)
    assert find_run(str(elsewhere)) == (elsewhere, known)
    other = run_of(world)
    said = said_by(envcheck_alone(world, "diff", str(elsewhere), str(other), "--format=json"))
    assert said[0] == 0, said[2].decode()[-600:]
    return "diff reads it where it is"


FAULTS = (
    Fault("a cached wheel with a flipped bit", wheel_with_a_flipped_bit),
    Fault("a cached wheel with a flipped bit, and no index", wheel_with_a_flipped_bit_and_no_index, "slow"),
    Fault("a lock with another version beside the old hash", wheel_that_is_another),
    Fault("a lock with a hash that no wheel has", other_hash_in_the_lock, "slow"),
    Fault("a lock with a line removed", line_removed_from_the_lock, "slow"),
    Fault("a lock with a line added", line_added_to_the_lock, "slow"),
    Fault("a lock that pins a package twice", package_pinned_twice, "slow"),
    Fault("a lock without a hash", lock_without_a_hash, "slow"),
    Fault("a lock with a version that is none", lock_of_no_version, "slow"),
    Fault("a lock that is not UTF-8", lock_that_is_not_utf8, "slow"),
    Fault("an environment with a module changed", environment_with_a_file_changed, "slow"),
    Fault("an environment with a library cut off", environment_with_a_library_cut_off),
    Fault("a copy of pose changed", copy_of_pose_changed, "slow"),
    Fault("a record of a later version", record_of_a_later_version),
    Fault("a record cut off", record_cut_off, "slow"),
    Fault("a run folder copied elsewhere", run_folder_copied_elsewhere, "slow"),
)
