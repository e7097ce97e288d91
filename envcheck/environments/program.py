"""The copy of pose that an environment runs: addressed by its content, started past the working directory.

pose's own `launch.py`, copied beside the package as `__main__.py`, makes the folder a program.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

from envcheck.environments.held import hold, remove
from envcheck.paths import cache_dir, shipped

_ENTRY = "__main__.py"
LAUNCHER = "launch.py"
_NAME = re.compile(r"[0-9a-f]{16}")


def program_of_pose() -> Path:
    """Return the copy of pose that stages are started from."""
    return copy_of_pose(shipped("pose"), cache_dir())


def copy_of_pose(source: Path, cache: Path) -> Path:
    """Return the folder under `cache` that runs `source` (the package folder of pose) as it is now.

    What lies there is looked at each time, and copied anew, which is said, when it is something else.
    """
    home = cache / "pose" / digest_of_pose(source)
    if hold(home) and is_whole(home):
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    import filelock  # noqa: PLC0415 - a run whose copy is there does not wait for it

    prefix = f".{home.name}.new-"
    with contextlib.ExitStack() as stack:
        stack.enter_context(filelock.FileLock(home.parent / f".{home.name}.lock"))
        if hold(home) and is_whole(home):  # somebody else was faster
            return home
        for stale in home.parent.glob(f"{prefix}*"):  # of one that was killed
            shutil.rmtree(stale, ignore_errors=True)
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=home.parent, prefix=prefix))
        new = Path(name) / home.name
        for path in _files(source):
            target = new / "pose" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        shutil.copyfile(source / LAUNCHER, new / _ENTRY)
        hold(new)
        with contextlib.suppress(OSError):
            new.replace(home)
        if not is_whole(home):  # otherwise somebody else was faster, with the same content
            remove(home, instead=new)
            sys.stderr.write(f"note:  the copy of pose in {home} had been changed: it was made anew\n")
    hold(home)
    return home


def kept_copy(name: str, cache: Path) -> Path | None:
    """Return the copy of pose of that name, None where it is not there any more, or is something else.

    The name comes out of a file: what is no digest leads nowhere.
    """
    home = cache / "pose" / name
    if not _NAME.fullmatch(name) or home.is_symlink():
        return None
    return home if hold(home) and is_whole(home) else None


def program_files(home: Path) -> tuple[tuple[str, Path], ...]:
    """Return what a copy of pose is made of: each file with its name below the package's folder."""
    return tuple((path.relative_to(home / "pose").as_posix(), path) for path in _files(home / "pose"))


def is_whole(home: Path) -> bool:
    """Whether a copy is what it is called by, with the file that is started, and nothing beside them."""
    try:
        return (
            {path.name for path in home.iterdir()} - {"__pycache__"} == {_ENTRY, "pose"}
            and (home / _ENTRY).read_bytes() == (home / "pose" / LAUNCHER).read_bytes()
            and digest_of_pose(home / "pose") == home.name
        )
    except OSError:
        return False


def digest_of_pose(source: Path) -> str:
    """Return what addresses a copy of `source`, the package folder of pose: by its files."""
    digest = hashlib.sha256()
    for path in _files(source):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _files(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
