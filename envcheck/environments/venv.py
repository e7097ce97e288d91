"""Virtual environments, built from a recipe's lock and the wheelhouse, without network.

One environment per lock and interpreter, kept under the cache. It is built in a temporary folder beside its
home and moved in when it is whole; a second builder waits for the first. What is there is therefore always
complete, and is reused as it stands.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import filelock
from packaging.utils import canonicalize_name

from envcheck.documents import read_json, write_json
from envcheck.engine.containers import Ended
from envcheck.environments.failures import check_pip, require_disk
from envcheck.environments.held import hold, remove
from envcheck.environments.here import run_here, shell_here
from envcheck.environments.place import Place, Watcher, Work
from envcheck.environments.wheelhouse import UNCONSTRAINED, Wheelhouse
from envcheck.environments.whole import installed, missing_parts, unrecorded
from envcheck.errors import EnvcheckError, UsageError
from envcheck.processes import capture, stream
from envcheck.recipes import Pin, Recipe, lock_hash, read_lock

SCHEMA = "envcheck.environment/1"

Installer = Literal["pip", "uv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """`envcheck.json`, written last into an environment: what it was built from."""

    schema: str = SCHEMA
    recipe: str
    lock_hash: str
    python: str  # "3.11.7"
    installer: str
    installed: tuple[str, ...] = ()  # of what the lock names: "numpy-2.4.0.dist-info"; once it was not kept


@dataclass(frozen=True, slots=True)
class Venv:
    """Prepares virtual environments with the interpreters of this machine."""

    cache: Path
    interpreters: Mapping[str, str]  # "3.11" -> path
    program: Path  # the copy of pose
    installer: Installer = "pip"  # uv where the user has it and asks
    offline: bool = False  # no wheel is fetched

    def prepare(self, recipe: Recipe, python: str, *, watch: Watcher) -> Place:
        """Return the environment of `recipe` on `python`; see `Environment.prepare`."""
        lock = recipe.lock_for(python)
        if lock is None:
            raise UsageError(f"Recipe {recipe.name} has no lock for Python {python}")
        if python not in self.interpreters:
            raise UsageError(f"This machine has no Python {python} with venv")
        base = Path(self.interpreters[python])
        version = _version(base)
        marker = Marker(
            recipe=recipe.name, lock_hash=lock_hash(lock), python=version, installer=self.installer
        )
        home = self.cache / "envs" / _folder_name(marker, base)
        reused = not _lacks(home, marker)
        if not reused:
            home.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(home.parent / f".{home.name}.lock"):
                lacks = _lacks(home, marker)
                reused = not lacks  # somebody else may have built it while we waited
                if lacks:
                    if home.exists():
                        with watch.step(f"replace {home.name}: {lacks}"):
                            remove(home)
                    self._build(recipe, lock, base, home, marker, watch)
        return Place("venv", recipe.name, marker.lock_hash, home / "bin" / "python", version, reused)

    def stage(self, place: Place, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the argv that runs pose; see `Environment.stage`."""
        return (str(place.python), "-I", str(self.program), *arguments)  # -I: none of the caller's packages

    def shell(self, place: Place, folder: Path) -> tuple[str, ...]:
        """Return the argv of the user's own shell; see `Environment.shell`."""
        return shell_here(place, folder)

    def run(self, place: Place, work: Work) -> Ended:
        """Run a command with the environment first on its path; see `Environment.run`."""
        return run_here(place, work, {"VIRTUAL_ENV": str(place.python.parent.parent)})

    def _build(
        self, recipe: Recipe, lock: Path, base: Path, home: Path, marker: Marker, watch: Watcher
    ) -> None:
        pins = read_lock(lock)
        wheels = Wheelhouse(self.cache, offline=self.offline)
        log = self.cache / "logs" / f"{home.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        needed = recipe.size.installed_mib + wheels.needed_mib(pins, recipe)
        require_disk(home.parent, needed, f"An environment of {recipe.name} needs")
        # A failed build leaves this folder to nobody: TemporaryDirectory removes it, and a killed one's is
        # removed by the next builder.
        _clear_away(home)
        # What an installer has started may outlive it by a moment, and write while we remove.
        with tempfile.TemporaryDirectory(
            dir=home.parent, prefix=f".{home.name}.new-", ignore_cleanup_errors=True
        ) as name:
            new = Path(name) / home.name
            with watch.step(f"make a virtual environment with Python {marker.python}"):
                _run([str(base), "-I", "-m", "venv", str(new)], log)
            python = new / "bin" / "python"
            wheels.fetch(pins, python=python, recipe=recipe, log=log, watch=watch)
            requirements = Path(name) / "requirements.txt"
            requirements.write_text(wheels.requirements(pins), encoding="utf-8")
            with watch.step(f"install {len(pins)} wheels, each checked by its hash"):
                _run(self._install_argv(python, requirements), log)
            _point_scripts_at(new, home)
            write_json(new / "envcheck.json", replace(marker, installed=_of_lock(new, pins)))
            hold(new)
            new.replace(home)
        _clear_away(home)  # what the pip of a killed builder wrote while we began

    def _install_argv(self, python: Path, requirements: Path) -> list[str]:
        exact = ["--no-deps", "--no-index", "--require-hashes", "--requirement", str(requirements)]
        if self.installer == "uv":
            return ["uv", "pip", "install", "--no-config", "--python", str(python), *exact]
        # Bytecode is left to the first import: compiling all of torch takes longer than installing it.
        quiet = ["--disable-pip-version-check", "--no-input", "--no-compile", "--progress-bar=off"]
        return [str(python), "-I", "-m", "pip", "install", *quiet, *exact]


def built(cache: Path, lock: Path) -> Path | None:
    """Return the interpreter of an environment that was built from a lock, None when there is none."""
    wanted = lock_hash(lock)
    for file in sorted((cache / "envs").glob("*/envcheck.json")):
        python = file.parent / "bin" / "python"
        with contextlib.suppress(UsageError):  # a damaged marker is as good as none
            if read_json(file, Marker, schema=SCHEMA).lock_hash == wanted and python.exists():
                return python
    return None


def _version(python: Path) -> str:
    answer = capture(
        [str(python), "-I", "-c", "import platform; print(platform.python_version())"], seconds=30
    )
    if answer.code != 0:
        raise EnvcheckError(
            f"{python} does not run: {answer.stderr.strip()[-200:]}", "Is the interpreter whole?"
        )
    return answer.stdout.strip()


def _folder_name(marker: Marker, base: Path) -> str:
    # The interpreter belongs to the identity: an environment points at it, and breaks when it goes.
    interpreter = hashlib.sha256(str(base.resolve()).encode()).hexdigest()
    return f"{marker.recipe}-py{marker.python}-{marker.lock_hash[:12]}-{interpreter[:6]}"


def _lacks(home: Path, marker: Marker) -> str:
    """Return "" for a whole environment with the same content, whoever installed it, else what it lacks.

    It is held from before it is looked at: otherwise it may be gone when it is used.
    """
    file = home / "envcheck.json"
    if not (hold(home) and file.is_file()):
        return "it is not there, or was not finished"
    if not (home / "bin" / "python").exists():
        return "its interpreter is gone"
    try:
        found = read_json(file, Marker, schema=SCHEMA)
    except UsageError as error:
        return error.message
    if (found.lock_hash, found.python) != (marker.lock_hash, marker.python):
        return "it was made from something else"
    return next(chain(unrecorded(home, found.installed), missing_parts(home)), "")


def _of_lock(home: Path, pins: Sequence[Pin]) -> tuple[str, ...]:
    """Return what is installed of a lock. Of pip, which venv itself brings, people take newer versions."""
    named = {canonicalize_name(pin.name) for pin in pins}
    return tuple(one for one in installed(home) if canonicalize_name(one.partition("-")[0]) in named)


def _clear_away(home: Path) -> None:
    """Remove what killed builders of an environment have left; we hold its lock."""
    for stale in home.parent.glob(f".{home.name}.new-*"):
        shutil.rmtree(stale, ignore_errors=True)


def _run(argv: list[str], log: Path) -> None:
    heard = bytearray()
    code = stream(argv, env={**os.environ, **UNCONSTRAINED}, log=log, show=False, heard=heard)
    check_pip(code, heard.decode("utf-8", "replace"), log)


def _point_scripts_at(new: Path, home: Path) -> None:
    """Let the scripts of an environment that is about to move name the interpreter in its new place."""
    for script in sorted((new / "bin").iterdir()):
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if str(new).encode() in content:
            script.write_bytes(content.replace(str(new).encode(), str(home).encode()))
