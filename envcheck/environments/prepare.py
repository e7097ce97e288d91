"""Which kind of environment a command runs in, and that environment made ready."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from envcheck.environments.current import Current
from envcheck.environments.place import Environment, Kind, Place, Watcher
from envcheck.environments.stage import stage_copy
from envcheck.environments.venv import Installer, Venv
from envcheck.environments.wheelhouse import Wheelhouse, read_lock
from envcheck.errors import UsageError
from envcheck.host.facts import Host
from envcheck.paths import bundle, cache_dir
from envcheck.recipes import Recipe

Wanted = Literal["auto", "venv", "current"]


def kind_of(wanted: Wanted) -> tuple[Kind, str]:
    """Return the kind of environment for a wish, and why it is that one."""
    if wanted == "auto":
        return "venv", "this version builds virtual environments only"
    return wanted, "as asked"


def prepare(recipe: Recipe, python: str, host: Host, kind: Kind, watch: Watcher) -> Place:
    """Return the place where `recipe` runs on `python` ("3.11"), built if needed. Raises `EnvcheckError`."""
    environment: Environment = Current()
    if kind == "venv":
        environment = Venv(cache_dir(), host.python.interpreters, _installer(os.environ))
    return environment.prepare(recipe, python, watch=watch)


def program_of_pose() -> Path:
    """Return the copy of pose that stages are started from."""
    return stage_copy(bundle("pose"), cache_dir())


def fetch(recipe: Recipe, python: str, host: Host, watch: Watcher) -> str:
    """Return the requirements file that installs `recipe` without network, its wheels fetched."""
    lock = recipe.lock_for(python)
    if lock is None:
        raise UsageError(f"Recipe {recipe.name} has no lock for Python {python}")
    pins = read_lock(lock)
    wheels = Wheelhouse(cache_dir())
    log = cache_dir() / "logs" / f"fetch-{recipe.name}.log"
    interpreter = Path(host.python.interpreters[python])
    wheels.fetch(pins, python=interpreter, recipe=recipe, log=log, watch=watch)
    return wheels.requirements(pins)


def _installer(environ: Mapping[str, str]) -> Installer:
    wanted = environ.get("ENVCHECK_INSTALLER", "pip")
    if wanted == "pip":
        return "pip"
    if wanted != "uv":
        raise UsageError(
            f"ENVCHECK_INSTALLER is {wanted!r:.40}", "It can be pip, which is the default, or uv."
        )
    if shutil.which("uv") is None:
        raise UsageError(
            "ENVCHECK_INSTALLER is uv, and there is no uv on the path", "Install uv, or take pip."
        )
    return "uv"
