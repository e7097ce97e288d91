"""Which kind of environment a command runs in, and that environment made ready."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from envcheck.engine.failures import failure
from envcheck.environments.docker import Docker
from envcheck.environments.here import refuse_limits
from envcheck.environments.images import BundledImage, Carried
from envcheck.environments.mounts import taken
from envcheck.environments.place import NO_LIMITS, Environment, Kind, Limits, Place, Watcher
from envcheck.environments.program import program_of_pose
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.facts import Engine, Host
from envcheck.paths import cache_dir
from envcheck.recipes import Recipe, read_lock

if TYPE_CHECKING:
    from envcheck.environments.venv import Installer

# With these a container cannot be had here, whatever is tried again; a virtual environment can.
_NO_BASE = ("container.registry-unreachable", "container.registry-denied", "container.registry-limit")


Wanted = Literal["auto"] | Kind


@dataclass(frozen=True, slots=True)
class Terms:
    """How an environment is to be prepared: of which kind, from what, for what."""

    kind: Wanted = "auto"
    base_image: str | None = None  # in place of the recipe's own
    variables: Mapping[str, str] = field(default_factory=dict)  # for a container, besides the usual ones
    limits: Limits = NO_LIMITS
    program: Path | None = None  # the copy of pose that runs in there; else today's
    carried: Carried | None = None  # the image that a container gets, in place of one that is built
    offline: bool = False  # nothing is fetched


@dataclass(frozen=True, slots=True)
class Ready:
    """An environment and the place that it has prepared, and why it is that one; "": it was asked for."""

    environment: Environment
    place: Place
    why: str
    program: Path  # the copy of pose that runs in there


def prepare(
    terms: Terms, recipe: Recipe, host: Host, python: Callable[[], str], watch: Watcher, *, gpus: bool = False
) -> Ready:
    """Return the place where `recipe` runs, built if needed.

    `python` says which of the host's Pythons a virtual environment gets; `gpus` whether GPUs are handed over.
    Raises `EnvcheckError`.
    """
    program = terms.program or program_of_pose()
    if terms.kind == "current":
        from envcheck.environments.current import Current  # noqa: PLC0415 - no run waits for other kinds

        refuse_limits(terms.limits)
        current = Current(program)
        return Ready(current, current.prepare(recipe, "", watch=watch), "", program)
    why = ""
    if terms.kind != "venv":
        engine, why = (
            _engine(host, gpus=gpus) if terms.kind == "auto" else (_asked_engine(host, gpus=gpus), why)
        )
        if engine is not None:
            docker = Docker(
                engine,
                cache_dir(),
                program,
                base_image(terms),
                terms.variables,
                carried=terms.carried,
                offline=terms.offline,
            )
            try:
                return Ready(
                    docker, docker.prepare(recipe, recipe.container_python, watch=watch), why, program
                )
            except EnvcheckError as error:
                if terms.kind == "docker" or error.finding not in _NO_BASE:
                    raise
                why = error.message
    refuse_limits(terms.limits)  # before anybody waits for a build
    from envcheck.environments.venv import Venv  # noqa: PLC0415

    installer = _installer(os.environ)
    venv = Venv(cache_dir(), host.python.interpreters, program, installer, offline=terms.offline)
    return Ready(venv, venv.prepare(recipe, python(), watch=watch), why, program)


def save_image(recipe: Recipe, host: Host, file: Path, watch: Watcher) -> BundledImage:
    """Write the image of `recipe` into a file, built if need be. Raises `EnvcheckError`."""
    engine = _asked_engine(host, gpus=False)
    docker = Docker(engine, cache_dir(), program_of_pose(), base_image(Terms()))
    return docker.save(recipe, file, watch=watch)


def base_image(terms: Terms) -> str | None:
    """Return the image that stands for the recipes' own: the command line's, else ENVCHECK_BASE_IMAGE's."""
    return terms.base_image or os.environ.get("ENVCHECK_BASE_IMAGE") or None


def fetch(recipe: Recipe, python: str, host: Host, watch: Watcher) -> str:
    """Return the requirements file that installs `recipe` without network, its wheels fetched."""
    lock = recipe.lock_for(python)
    if lock is None:
        raise UsageError(f"Recipe {recipe.name} has no lock for Python {python}")
    from envcheck.environments.wheelhouse import Wheelhouse  # noqa: PLC0415

    pins = read_lock(lock)
    wheels = Wheelhouse(cache_dir())
    log = cache_dir() / "logs" / f"fetch-{recipe.name}.log"
    interpreter = Path(host.python.interpreters[python])
    wheels.fetch(pins, python=interpreter, recipe=recipe, log=log, watch=watch)
    return wheels.requirements(pins)


def _engine(host: Host, *, gpus: bool) -> tuple[Engine | None, str]:
    """Return the engine that can do what is needed, and why it is that one, or why there is none."""
    if why := taken(Path.cwd()):
        return None, why
    if not host.engines:
        silent = host.unknown.get("engines")
        return None, f"no container engine answers: {silent}" if silent else "there is no container engine"
    able = next((one for one in host.engines if not gpus or one.gpu_request in ("nvidia", "cdi")), None)
    if able is None:
        names = " and ".join(one.name for one in host.engines)
        return None, f"{names} cannot hand over a GPU"
    return able, f"{able.name} answers{' and can hand over a GPU' if gpus else ''}"


def _asked_engine(host: Host, *, gpus: bool) -> Engine:
    """Return the engine for somebody who asks for one. Raises `EnvcheckError` with why there is none."""
    if host.engines:
        return next((one for one in host.engines if not gpus or one.gpu_request != "none"), host.engines[0])
    silent = host.unknown.get("engines", "")
    if not silent:
        raise EnvcheckError(
            "There is no container engine: no socket of docker or podman was found",
            "Install one (apt install docker.io), say where it listens with DOCKER_HOST, or take --in venv.",
            "container.engine-missing",
        )
    raise failure("The container engine does not answer", silent)


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
