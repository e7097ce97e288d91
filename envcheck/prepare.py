"""From a choice to a prepared place, and to what the stage is promised there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from envcheck.choose import Choice
from envcheck.environments.current import Current
from envcheck.environments.place import Environment, Kind, Place, Watcher
from envcheck.environments.venv import Venv
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.facts import Gpu, Host
from envcheck.paths import cache_dir
from envcheck.recipes import Recipe

Wanted = Literal["auto", "venv", "current"]


@dataclass(frozen=True, slots=True)
class Promise:
    """`promise.json`: what a stage has to find in its environment before it may begin."""

    torch: str | None  # None where nothing was promised: the interpreter at hand is taken as it is
    cuda: str | None
    device: str  # "cpu" or "cuda"
    gpus: tuple[str, ...]  # UUIDs; empty where the caller's own CUDA_VISIBLE_DEVICES decides
    schema: str = "envcheck.promise/1"


def kind_of(wanted: Wanted) -> tuple[Kind, str]:
    """Return the kind of environment and the reason, in one clause."""
    if wanted != "auto":
        return wanted, "as asked"
    return "venv", "a virtual environment from the lock; containers are not built yet by this version"


def prepare(recipe: Recipe, choice: Choice, host: Host, kind: Kind, watch: Watcher) -> Place:
    """Return the place in which `choice` can run, building it when needed. Raises `EnvcheckError`."""
    environment: Environment
    if kind == "current":
        environment = Current()
    else:
        environment = Venv(cache_dir(), host.python.interpreters, _installer(os.environ))
    if choice.python is None:
        raise EnvcheckError(f"No Python on this machine is served by recipe {recipe.name}", choice.advice or "")
    return environment.prepare(recipe, str(choice.python), watch=watch)


def promise(recipe: Recipe, kind: Kind, judged: tuple[Gpu, ...]) -> Promise:
    """Return what the stage may rely on: the recipe's own torch, and the GPUs that were judged."""
    exact = kind != "current"
    return Promise(
        torch=str(recipe.torch) if exact else None,
        cuda=str(recipe.cuda) if exact and recipe.cuda is not None else None,
        device="cuda" if judged else "cpu",
        gpus=tuple(gpu.uuid for gpu in judged if gpu.uuid is not None),
    )


def _installer(environ: Mapping[str, str]) -> str:
    wanted = environ.get("ENVCHECK_INSTALLER", "pip")
    if wanted not in ("pip", "uv"):
        raise UsageError(f"ENVCHECK_INSTALLER is {wanted!r:.40}, expected pip or uv")
    if wanted == "uv" and shutil.which("uv") is None:
        raise UsageError("ENVCHECK_INSTALLER is uv, and there is no uv on the path", "Use pip, the default.")
    return wanted

