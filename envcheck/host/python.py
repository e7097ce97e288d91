"""The Python that runs envcheck, and the others from which a virtual environment could be made.

An interpreter counts when it has both `venv` and `ensurepip`: Debian and Ubuntu ship them apart from it.
A program beside its own standard library is looked at; any other file called python3.12, which may be a shim
for nothing, is asked in a short process of its own.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from packaging.version import Version

from envcheck.host.facts import Python
from envcheck.host.pending import Pending
from envcheck.processes import capture

# The Pythons that recipes serve.
MINORS = ("3.10", "3.11", "3.12", "3.13", "3.14")

_TIME_LIMIT_S = 5.0
_INTERPRETER = re.compile(r"python(3\.[0-9]+)")
_ELF = b"\x7fELF"

# Prints "cpython 3.12 1 /usr/bin/python3.12": the implementation, the version, whether venv and ensurepip are
# there, and the interpreter itself rather than the shim or the virtual environment that led to it. (Before
# 3.11, sys._base_executable is the virtual environment's own.) Without `site`, and looked for by hand, as
# every command waits for the answer: 12 ms instead of 23 each.
_QUESTION = """
import os, sys
version = "%d.%d" % sys.version_info[:2]
is_here = lambda name: any(os.path.isdir(os.path.join(folder, name)) for folder in sys.path)
has_venv = is_here("venv") and is_here("ensurepip")
itself = os.path.join(sys.base_prefix, "bin", "python" + version)
if not os.path.exists(itself):
    itself = sys.executable
print(sys.implementation.name, version, int(has_venv), itself)
"""


def read_python(environ: Mapping[str, str] = os.environ) -> Python:
    """Return the running interpreter and those that it finds; the first one found of each version counts."""
    # python, python3 and python3.12 of one folder, and of what was made from it by venv, are one file.
    paths: dict[str, str] = {}
    for path in _candidates(environ):
        paths.setdefault(os.path.realpath(path), path)
    complete: dict[str, str] = {}
    incomplete: dict[str, str] = {}
    asked = [
        Pending(partial(_look_or_ask, real, path), lambda _why: None, seconds=2 * _TIME_LIMIT_S)
        for real, path in paths.items()
    ]
    for minor, has_venv, path in filter(None, (one.result() for one in asked)):
        (complete if has_venv else incomplete).setdefault(minor, path)
    return Python(
        version=Version("{}.{}.{}".format(*sys.version_info[:3])),
        executable=sys.executable,
        interpreters=_by_version(complete),
        incomplete=_by_version({minor: path for minor, path in incomplete.items() if minor not in complete}),
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths to ask: the running Python, those on PATH, those that pyenv and uv keep."""
    yield sys.executable
    pyenv = environ.get("PYENV_ROOT") or f"{environ.get('HOME', '')}/.pyenv"
    data = environ.get("XDG_DATA_HOME") or f"{environ.get('HOME', '')}/.local/share"
    uv = environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    # pyenv's shims take 0.1 s each to lead to what stands in its versions folder.
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if folder != f"{pyenv}/shims")
    for name in (*(f"python{minor}" for minor in MINORS), "python3"):
        if found := shutil.which(name, path=path):
            yield found
    for minor in MINORS:
        # Path.glob raises where a folder is closed to this user, as somebody else's PYENV_ROOT is under su.
        # "3.13.0+freethreaded" has other wheels.
        for folder, names in ((f"{pyenv}/versions", f"{minor}.*"), (uv, f"cpython-{minor}.*[0-9]-linux*")):
            yield from sorted(glob.glob(f"{glob.escape(folder)}/{names}/bin/python{minor}"))  # noqa: PTH207


def _look_or_ask(real: str, path: str) -> tuple[str, bool, str] | None:
    """Return what `ask` returns; where the files say all of it, without the process."""
    return seen(Path(real)) or ask(path)


def seen(real: Path) -> tuple[str, bool, str] | None:
    """Return the answer for a program that lies beside its own standard library, None for any other."""
    named = _INTERPRETER.fullmatch(real.name)
    if named is None or real.parent.name != "bin":
        return None
    library = real.parents[1] / "lib" / real.name
    try:
        with real.open("rb") as file:
            is_program = file.read(len(_ELF)) == _ELF  # and no script that leads to another one
        if not is_program or not (library / "os.py").is_file():
            return None
        return named[1], all((library / name).is_dir() for name in ("venv", "ensurepip")), str(real)
    except OSError:  # closed to this user
        return None


def ask(path: str) -> tuple[str, bool, str] | None:
    """Return an interpreter's version, whether it can make environments, and its own path."""
    answer = capture([path, "-I", "-S", "-c", _QUESTION], seconds=_TIME_LIMIT_S)
    words = answer.stdout.strip().split(" ", 3)
    if len(words) != 4:  # noqa: PLR2004 - the question's four answers
        return None
    implementation, minor, has_venv, executable = words
    return (minor, has_venv == "1", executable) if implementation == "cpython" else None


def _by_version(paths: dict[str, str]) -> dict[str, str]:
    """Return the Pythons that recipes serve, in their order."""
    return {minor: paths[minor] for minor in MINORS if minor in paths}
