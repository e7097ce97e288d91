"""Containers of docker or podman: what one may see and do, and pose or anybody's command run in it.

Images are built by `images`, and how an engine is spoken to is known to `engine`.
"""

from __future__ import annotations

import getpass
import math
import os
import resource
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck.engine import containers
from envcheck.engine.addresses import Address, addresses, connect
from envcheck.engine.containers import Ended, GpuAccess, Settings
from envcheck.engine.failures import spoken
from envcheck.environments.images import BundledImage, Carried, ImageBuilder
from envcheck.environments.mounts import mounts
from envcheck.environments.passed_on import passed_on
from envcheck.environments.place import Image, Place, Watcher, Work
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Engine
from envcheck.recipes import Recipe, lock_hash
from envcheck.relay import Relay

if TYPE_CHECKING:
    from envcheck.engine.addresses import Client

_PYTHON = Path("/opt/envcheck/bin/python")
_POSE = "/opt/pose"
# A command that is not there: each engine's init says it in its own way, a shell with 127 and a sentence.
_EXEC = ("/bin/sh", "-c", 'exec "$0" "$@"')


class Docker:
    """Prepares images with one engine, and runs containers of them."""

    def __init__(
        self,
        engine: Engine,
        cache: Path,
        program: Path,
        base_image: str | None = None,
        variables: Mapping[str, str] | None = None,
        *,
        carried: Carried | None = None,
        offline: bool = False,
    ) -> None:
        """`program` is the copy of pose; `base_image` stands for the recipes' own.

        `variables` go inside besides those of the caller's that always do. `carried` is an image that is
        loaded, and not built; with `offline` nothing is fetched.
        """
        self.engine = engine
        self._cache = cache
        self._program = program
        self._base_image = base_image
        self._variables = variables or {}
        self._carried = carried
        self._offline = offline

    @cached_property
    def client(self) -> Client:
        """The connection to the engine. Raises `EnvcheckError`."""
        return client_of(self.engine)

    @property
    def _address(self) -> Address:
        return _address_of(self.engine)

    def prepare(self, recipe: Recipe, python: str, *, watch: Watcher) -> Place:
        """Return the images of `recipe` on `python`; see `Environment.prepare`."""
        containers.remove_orphans(self.client)
        builder = self._builder(watch)
        if self._carried is not None:
            base, python = self._carried.image.base, self._carried.image.python
            environment = builder.carried(self._carried)
        else:
            base = builder.base(recipe, self._base_image)
            environment = builder.environment(recipe, python, base)
        built = builder.with_pose(environment, self._program)
        lock = recipe.lock_path(python)
        image = Image(self._name, built.id, built.name, base.name, base.id, base.is_recipes, base.digest)
        return Place("docker", recipe.name, lock_hash(lock), _PYTHON, python, built.reused, image=image)

    def save(self, recipe: Recipe, file: Path, *, watch: Watcher) -> BundledImage:
        """Write the image of `recipe` on its own Python into a file, built if need be, and say what it is."""
        builder = self._builder(watch)
        base = builder.base(recipe, self._base_image)
        built = builder.environment(recipe, recipe.container_python, base)
        name = builder.saved(built, recipe, file)
        return BundledImage(name, built.id, self._name, recipe.container_python, base)

    def _builder(self, watch: Watcher) -> ImageBuilder:
        is_podman = self.engine.name == "podman"
        return ImageBuilder(self.client, self._address, is_podman, self._cache, watch, self._offline)

    @property
    def _name(self) -> str:
        return f"{self.engine.name} {self.engine.version or ''}".rstrip()

    def stage(self, place: Place, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the argv that runs pose; see `Environment.stage`."""
        return (str(place.python), "-I", _POSE, *arguments)

    def shell(self, place: Place, folder: Path) -> tuple[str, ...]:  # noqa: ARG002 - the contract's
        """Return the argv of the image's best shell; see `Environment.shell`."""
        return ("/bin/sh", "-c", "if command -v bash > /dev/null; then exec bash; fi; exec sh")

    def run(self, place: Place, work: Work) -> Ended:
        """Run a command in a container of its own; see `Environment.run`."""
        for folder in work.writes:
            folder.mkdir(parents=True, exist_ok=True)
        relay = Relay(None if work.terminal else work.log, show=work.show, heard=work.heard)
        return containers.run(self.client, self._address, self._settings(place, work), relay, work.begun)

    def _settings(self, place: Place, work: Work) -> Settings:
        """Return what the container of a command is made of."""
        assert place.image is not None  # noqa: S101 - of our own making
        here = Path.cwd()
        user = _user(self.engine)
        memory = work.limits.memory
        return Settings(
            image=place.image.id,
            argv=(*_EXEC, *work.argv),
            user=user,
            groups=() if self.engine.rootless else tuple(os.getgroups()),
            keep_id=self.engine.name == "podman" and self.engine.rootless is True,
            working_directory=str(here),
            variables={
                **passed_on(os.environ, network=work.limits.network),
                **_whoever(),
                **_threads(work.limits.cpus),
                **self._variables,
                **work.variables,
                **({"NVIDIA_VISIBLE_DEVICES": "void"} if work.device == "cpu" else {}),
            },
            mounts=mounts(
                here, reads=work.reads, writes=work.writes, mentions=work.mentions, own=work.owns_directory
            ),
            gpus=self._gpus(work),
            network=work.limits.network,
            # What hands over a GPU writes into the root: links to the driver's libraries, the loader's cache.
            read_only=work.device == "cpu",
            # As the kernel's own /dev/shm: half the memory, taken only as loader workers fill it.
            shared_memory=(memory or _memory()) // 2,
            memory=memory,
            cpus=work.limits.cpus,
            limits=_process_limits() if self.engine.name == "podman" else {},
            stdin=work.stdin or work.terminal,
            ends_with_reader=work.ends_with_reader,
            terminal=work.terminal,
        )

    def _gpus(self, work: Work) -> GpuAccess | None:
        """Return how the engine is asked for GPUs; one that cannot is asked too, for its own word on it."""
        if work.device == "cpu":
            return None
        if not work.gpus:
            raise EnvcheckError(
                "A GPU has no UUID, and a container is given GPUs by nothing else", "--in venv"
            )
        if self.engine.name == "podman":  # which starts without a word when it is asked as docker is
            return GpuAccess("device", work.gpus)
        return GpuAccess("cdi" if self.engine.gpu_request == "cdi" else "nvidia", work.gpus)


def client_of(engine: Engine) -> Client:
    """Return a connection to an engine. Raises `EnvcheckError`."""
    with spoken(f"{engine.name} could not be asked"):
        return connect(_address_of(engine))


def _address_of(engine: Engine) -> Address:
    url = engine.address or "unix:///var/run/docker.sock"
    return next((one for one in addresses() if one.url == url), Address(url))  # with its certificates


def _user(engine: Engine) -> str:
    """Return whom a command runs as: the caller, which for a rootless docker is its own root."""
    if engine.rootless and engine.name == "docker":
        return "0:0"
    return f"{os.getuid()}:{os.getgid()}"


def _whoever() -> dict[str, str]:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, here as in there
        return {}
    return {"USER": name, "LOGNAME": name}


def _threads(cpus: float | None) -> dict[str, str]:
    """Return how many threads fit a limit, which torch does not see: it counts the cores of the machine."""
    if cpus is None or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, math.ceil(cpus)))}


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _process_limits() -> dict[str, int]:
    """Return podman's limits for a process: its own may be above what this machine allows.

    Its service lowers its own to these bounds when it starts, and what is above that it cannot give.
    """
    bounds = {
        "nofile": (resource.RLIMIT_NOFILE, 1 << 20),
        "nproc": (resource.RLIMIT_NPROC, int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))),
    }
    hard = {name: (resource.getrlimit(kind)[1], bound) for name, (kind, bound) in bounds.items()}
    return {
        name: bound if limit == resource.RLIM_INFINITY else min(limit, bound)
        for name, (limit, bound) in hard.items()
    }
