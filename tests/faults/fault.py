"""What a fault of the table is: made for real somewhere, then held against what is left.

A fault's function raises `AssertionError` where something was lost and `Missed` where its victim had ended
before its moment, and skips, as tests do, where the fault cannot be made here; what it returns is said beside
it in the table.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from envcheck.cache.kept import contents
from tests import small
from tests.engines import until
from tests.environments.conftest import envcheck, said_by
from tests.small import World, environ_of, make_world

# What an envcheck that was killed may leave, and the next one removes.
TEMPORARY = (".*.new-*", ".fetch-*", ".*.context-*", ".*.gone-*")
# How long a process that was left behind may take to see it.
_ALONE_S = 20.0


@dataclass(frozen=True)
class Model:
    """A world whose environment is built, to be copied."""

    world: World
    seconds: float  # that building it has taken


@dataclass(frozen=True)
class Ground:
    """Where a fault is made: an empty folder, and the moments to choose from."""

    folder: Path
    random: random.Random
    model: Model
    share: float = 1.0  # of every wait: less where a moment came too late before

    def new_world(self, name: str = "world", **options) -> World:
        """Make a world in which nothing is built; see `make_world`."""
        return make_world(self.folder / name, **options)

    def built_world(self) -> World:
        """Make a world whose environment is built."""
        ours = shutil.ignore_patterns("runs")
        shutil.copytree(self.model.world.folder, self.folder / "world", symlinks=True, ignore=ours)
        return World(self.folder / "world")

    def wait_up_to(self, seconds: float) -> float:
        """Sleep for a random part of `seconds`, and say how long."""
        chosen = self.random.uniform(0, seconds * self.share)
        time.sleep(chosen)
        return chosen


class Missed(Exception):  # noqa: N818 - no error: another moment is drawn
    """The victim had ended before its moment came: nothing was made."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    make: Callable[[Ground], str]
    cost: Literal["quick", "slow", "docker", "long"] = "quick"
    moments: int = 1  # how often it is made where nobody says: more where its moment is chosen at random

    @property
    def id(self) -> str:
        """The name as a word."""
        return self.name.replace(" ", "-").replace(",", "")


@dataclass
class Tally:
    """How a kind of fault came out."""

    fault: str
    injected: int = 0
    missed: int = 0  # moments that came too late, and were drawn again
    survived: int = 0
    lost: int = 0
    seen: list[str] = field(default_factory=list)
    not_verified: str = ""  # why it could not be made here


def survives(world: World, kind: str = "venv") -> None:
    """Hold that nothing of a killed or failed command is left, and that the next one works."""
    nobody_is_left(world.folder)
    code, out, err = said_by(envcheck(world, "exec", f"--in={kind}", "--", "echo", "works"))
    assert (code, out) == (0, b"works\n"), f"the next command: {code} {err.decode()[-400:]}"
    nothing_is_half_done(world)


def nothing_is_half_done(world: World) -> None:
    """Hold that a world's cache has no leftovers, and that what is kept is what its digest says."""
    left = [str(path.relative_to(world.cache)) for name in TEMPORARY for path in world.cache.rglob(name)]
    assert not left, f"left behind: {left}"
    found = contents(world.cache)
    assert not [one for one in found.kept if one.kind == "leftover"], found
    is_whole(world)


def is_whole(world: World) -> None:
    """Hold what is kept in a world's cache against its digests."""
    code, out, _ = said_by(envcheck_alone(world, "cache", "verify"))
    assert code == 0, f"the cache is damaged: {out.decode()[-400:]}"


def envcheck_alone(world: World, *words: str, **options) -> subprocess.Popen[bytes]:
    """Start a verb of envcheck that takes neither recipe nor GPUs."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environ = {**environ_of(world), **options.pop("env", {})}
    argv = [sys.executable, small.__file__, world.dump(), *words]
    return subprocess.Popen(argv, **{"env": environ, "cwd": world.folder, **pipes, **options})


def refused(process: subprocess.Popen[bytes], code: int, *parts: str) -> str:
    """Hold a command against how it has to end: with a code, one sentence, a hint, and no traceback.

    Returns the sentence.
    """
    found, _, err = said_by(process)
    said = err.decode()
    assert found == code, f"exit code {found}, not {code}: {said[-600:]}"
    assert "Traceback" not in said, said[-1500:]
    plain = " ".join(said.split())
    for part in parts:
        assert part in plain, f"does not say {part!r}: {said[-600:]}"
    return next((line.strip() for line in said.splitlines() if line.startswith("error")), "").removeprefix(
        "error: "
    )


def killed(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a command of ours, and see that nothing else has ended it."""
    process.kill()
    code, _, err = said_by(process)
    if code == 0:
        raise Missed
    assert code == -signal.SIGKILL, f"exit code {code}: {err.decode()[-600:]}"


def halted(pid: int | None) -> int:
    """Return a process, which is stopped where it is: it cannot end before it is killed or goes on."""
    with suppress(FileNotFoundError, ProcessLookupError):
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            until(lambda: _state_of(pid) in "TZX")
            if _state_of(pid) == "T":
                return pid
    raise Missed


def _state_of(pid: int) -> str:
    """Return a process's state as the kernel has it: "T" stopped, "Z" ended."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def comes(process: subprocess.Popen[bytes], happened: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something has happened while a command of ours runs."""
    until(lambda: happened() or process.poll() is not None, seconds)
    if process.poll() is not None:
        assert process.returncode == 0, process.communicate()[1].decode()[-600:]
        raise Missed


def processes_of(folder: Path) -> list[int]:
    """Return the processes that were started with `folder` in their variables, as all of a world's are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (entry / "environ").read_bytes() and entry.name != str(os.getpid()):
                found.append(int(entry.name))
    return found


def nobody_is_left(folder: Path) -> None:
    """Hold that no process of a world lives on."""
    try:
        until(lambda: not processes_of(folder), _ALONE_S)
    except AssertionError:
        left = processes_of(folder)
        said = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in left]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"left behind: {said}") from None


def works(world: World) -> str:
    """Hold that a command finds the world's package in its environment; return what was said meanwhile."""
    code = "import alpha; alpha.main()"
    done = said_by(envcheck(world, "exec", "--in=venv", "--", "python", "-c", code))
    assert (done[0], done[1].decode()) == (0, f"{world.recipe.name}\n"), (
        f"{done[0]} {done[2].decode()[-600:]}"
    )
    return " ".join(done[2].decode().split())


def child_of(pid: int) -> int | None:
    """Return the process that `pid` has started last and that still runs, other than its guard."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for child in reversed(children):
            if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() != "sh":
                return int(child)
    return None


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Give a file system of its own with so much room ("40m"), mounted at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "envcheck-fault", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False) if os.getuid() == 0 else None
    if done is None or done.returncode != 0:
        pytest.skip(
            f"not verified: no file system of one's own here: {done.stderr.strip() if done else 'not root'}"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def failing_disk(folder: Path, mib: int) -> Iterator[Callable[[], None]]:
    """Give what turns a file system of its own, mounted at `folder`, read only as an error of its disk does.

    A call more mends it: what was not on the disk by then is lost.
    """
    image = folder.parent / "disk.img"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(mib << 20)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not verified: no disk of one's own here: {error}")
    steps = iter((["mount", "-o", "remount,abort", str(folder)], ["umount", str(folder)]))

    def turn() -> None:
        argv = next(steps)
        subprocess.run(argv, check=True)
        if argv[0] == "umount":
            users = ["losetup", "--associated", str(image)]  # the device lets go of the file in its own time
            until(lambda: not subprocess.run(users, check=True, capture_output=True).stdout, 30)
            subprocess.run(["e2fsck", "-fy", str(image)], check=False, capture_output=True)
            subprocess.run(mount, check=True)
            assert not os.statvfs(folder).f_flag & os.ST_RDONLY, "the disk was not mended"

    try:
        yield turn
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a file system of `small_disk`: "size=100m", "ro"."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
