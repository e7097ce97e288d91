"""The Pythons that somebody here would start, and where each looks for packages; none of them is started.

Those are the environment that was activated, and the python3 on PATH. Where they look is derived from their
files as Python's own `site` derives it, but for .pth files. envcheck's own Python counts where it is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from envcheck.host.files import is_folder, text

_MINOR = re.compile(r"python(3\.[0-9]{1,2}t?)")
_FULL = re.compile(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?")

# More than any PATH or PYTHONPATH that helps somebody.
_MOST_FOLDERS = 64


@dataclass(frozen=True, slots=True)
class InUse:
    """A Python, and the folders in which it looks for packages, the first one first."""

    executable: Path
    version: Version
    active: bool
    folders: tuple[Path, ...]
    user_folder: Path | None  # the one of them that is the user's own


def pythons_in_use(environ: Mapping[str, str], root: Path = Path("/")) -> tuple[list[InUse], list[Path]]:
    """Return the environment in use and python3 on PATH, each Python once, and what leads to no Python.

    Paths in `environ` are the machine's; `root` is where they lie.
    """
    found: dict[tuple[Path, ...], InUse] = {}
    silent: list[Path] = []
    for executable, active in _executables(environ, root):
        python = _python(executable, environ, root, active=active)
        if python is None:
            silent.append(executable)
        else:
            found.setdefault(python.folders, python)
    return list(found.values()), silent


def _executables(environ: Mapping[str, str], root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the interpreters and whether each belongs to an environment that somebody chose."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if prefix := environ.get(variable):
            # conda's base is activated by every login, whatever is done then.
            chosen = variable == "VIRTUAL_ENV" or environ.get("CONDA_DEFAULT_ENV") != "base"
            yield _at(root, prefix) / "bin/python", chosen
            break
    pyenv = environ.get("PYENV_ROOT") or f"{environ.get('HOME', '')}/.pyenv"
    for folder in _listed(environ.get("PATH", "")):
        if folder == f"{pyenv}/shims":
            # A shim asks pyenv, which takes 0.1 s; what that says for the whole account stands in a file.
            said = environ.get("PYENV_VERSION") or text(_at(root, f"{pyenv}/version")) or ""
            first = next(iter(said.replace(":", " ").split()), "system")
            executable = _at(root, f"{pyenv}/versions/{first}") / "bin/python3"
        else:
            executable = _at(root, folder) / "python3"
        if os.access(executable, os.X_OK):
            yield executable, False
            return


def _python(executable: Path, environ: Mapping[str, str], root: Path, *, active: bool) -> InUse | None:
    """Return what is known of an interpreter, None where its files do not say which one it is."""
    prefix = executable.parent.parent
    settings = _settings(text(prefix / "pyvenv.cfg") or "")
    itself = executable.resolve()
    if not settings:
        prefix = itself.parent.parent
    minor = _minor(prefix, itself, settings)
    if minor is None:
        return None
    user = None
    own = _site_packages(prefix, minor) if settings else []
    if not settings or settings.get("include-system-site-packages", "").lower() == "true":
        user = _user_folder(environ, root, minor)
        base = _at(root, settings["home"]).parent if "home" in settings else prefix
        own += [*([user] if user else []), *_base_folders(base, minor, root)]
    given = [_at(root, folder) for folder in _listed(environ.get("PYTHONPATH", ""))]
    version = Version(_said_version(settings) or minor.rstrip("t"))
    return InUse(executable, version, active, _existing([*given, *own]), user)


def _settings(said: str) -> dict[str, str]:
    """Return what pyvenv.cfg says; {} for a Python that is no virtual environment."""
    pairs = (line.partition("=") for line in said.splitlines()[:100])
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _minor(prefix: Path, itself: Path, settings: dict[str, str]) -> str | None:
    """Return a Python's version as its folders spell it, "3.11" or "3.13t"."""
    if named := _MINOR.fullmatch(itself.name):
        return named[1]
    there = [found[1] for folder in _glob(prefix / "lib", "python3.*") if (found := _MINOR.fullmatch(folder))]
    if said := _said_version(settings):
        there = [one for one in there if said.startswith(f"{one.rstrip('t')}.")]
    return there[0] if len(there) == 1 else None


def _said_version(settings: dict[str, str]) -> str:
    """Return the version in pyvenv.cfg: venv and uv say it by one name each, virtualenv by both."""
    said = (_FULL.match(settings.get(key, "")) for key in ("version", "version_info"))
    return next((found[0] for found in said if found), "")


def _base_folders(prefix: Path, minor: str, root: Path) -> list[Path]:
    """Return where a Python that is no virtual environment looks, the user's folder aside."""
    if prefix != root / "usr":
        return _site_packages(prefix, minor)
    # Distributions leave their own folders to their own packages, and /usr/local to pip.
    debian = prefix / "lib/python3/dist-packages"
    if is_folder(debian):
        return [prefix / f"local/lib/python{minor}/dist-packages", debian]
    return [*_site_packages(prefix / "local", minor), *_site_packages(prefix, minor)]


def _site_packages(prefix: Path, minor: str) -> list[Path]:
    return [prefix / lib / f"python{minor}/site-packages" for lib in ("lib", "lib64")]


def _user_folder(environ: Mapping[str, str], root: Path, minor: str) -> Path | None:
    if environ.get("PYTHONNOUSERSITE"):
        return None
    home = environ.get("PYTHONUSERBASE") or (f"{environ['HOME']}/.local" if environ.get("HOME") else "")
    return _at(root, home) / f"lib/python{minor}/site-packages" if home else None


def _existing(folders: list[Path]) -> tuple[Path, ...]:
    """Return the folders that are there, each once: lib64 is a link to lib in many places."""
    real: dict[Path, Path] = {}
    for folder in folders:
        if is_folder(folder):
            real.setdefault(folder.resolve(), folder)
    return tuple(real.values())


def _listed(variable: str) -> list[str]:
    return [folder for folder in variable.split(os.pathsep)[:_MOST_FOLDERS] if folder.startswith("/")]


def _glob(folder: Path, pattern: str) -> list[str]:
    try:
        return sorted(found.name for found in folder.glob(pattern))[:_MOST_FOLDERS]
    except OSError:
        return []


def _at(root: Path, path: str) -> Path:
    """Return where a path of the machine lies under `root`."""
    return root / path.lstrip("/")
