"""The copy of pose that an environment runs: addressed by its content, started past the working directory.

pose's own `launch.py`, copied beside the package as `__main__.py`, makes the folder a program.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from envcheck.environments.held import hold
from envcheck.paths import bundle, cache_dir

_NAME = re.compile(r"[0-9a-f]{16}")


def program_of_pose() -> Path:
    """Return the copy of pose that stages are started from."""
    return copy_of_pose(bundle("pose"), cache_dir())


def kept_copy(name: str) -> Path | None:
    """Return the copy of pose that is kept under a digest, or None where none is, or not as it was made.

    The digest comes out of a file: what is no digest leads nowhere, and what lies there now is hashed again.
    """
    if not _NAME.fullmatch(name):
        return None
    home = cache_dir() / "pose" / name
    try:
        if home.is_symlink() or not home.is_dir() or digest_of_copy(home) != name:
            return None
    except OSError:
        return None
    hold(home)
    return home


def copy_of_pose(source: Path, cache: Path) -> Path:
    """Return the folder under `cache` that runs `source` (the package folder of pose) as it is now."""
    files = _files(source)
    home = cache / "pose" / _digest(source)
    if home.is_dir():
        hold(home)
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.new-") as name:
        new = Path(name) / home.name
        for path in files:
            target = new / "pose" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        shutil.copyfile(source / "launch.py", new / "__main__.py")
        try:
            new.replace(home)
        except OSError:
            if not home.is_dir():  # otherwise somebody else was faster, with the same content
                raise
    hold(home)
    return home


def digest_of_copy(home: Path) -> str:
    """Return what the folder of a copy has to be called by what lies in it now."""
    return _digest(home / "pose")


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(source):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(source).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _files(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
