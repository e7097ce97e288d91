"""A recipe that weighs nothing, a stand-in for pose, and the environments in which both run.

As a program, `python tests/small.py WORLD ...`, it is envcheck with that stand-in, or runs one piece of work
in one environment: `... docker '{"argv": [...]}'`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from envcheck.environments.current import Current
from envcheck.environments.docker import Docker
from envcheck.environments.place import Environment, Limits, Work
from envcheck.environments.program import copy_of_pose
from envcheck.environments.venv import Venv
from envcheck.host.engines import read_engines
from envcheck.paths import shipped
from envcheck.recipes import Recipe, load_recipe
from tests.wheels import make_wheel, pin_of

MINE = f"{sys.version_info.major}.{sys.version_info.minor}"

_RECIPE = """
name: {name}
summary: one small wheel
why: tests
base: {{image: "127.0.0.1:1/nowhere:1", digest: "sha256:{zeros}"}}
torch: "2.13.0"
tag: cpu
requirement: torch==2.13.0+cpu
container_python: "{container_python}"
glibc: "2.28"
size: {{download_mib: 1, installed_mib: {installed_mib}}}
checked: {{}}
"""

# It speaks with envcheck as pose does, and computes nothing.
_POSE = """
import json, os, sys
from pathlib import Path

def main():
    words = sys.argv[1:]
    if "--check" in words:
        print(json.dumps({"schema": "pose.paths/1", "reads": [], "writes": []}))
        return 0
    if words[-1:] == ["env"]:
        Path(words[words.index("--run-dir") + 1], "proof.json").write_text('{"schema": "envcheck.proof/1"}')
        return 0
    print(json.dumps(words))
    return 0
"""


@dataclass(frozen=True)
class World:
    """Where a test's recipe, wheels, cache and stand-in for pose lie."""

    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)  # "docker" -> where it listens
    base_image: str = ""

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def recipe(self) -> Recipe:
        (file,) = (self.folder / "recipes").glob("*.yaml")
        return load_recipe(str(file))

    @property
    def program(self) -> Path:
        return copy_of_pose(self.folder / "pose", self.cache)

    def python(self, kind: str) -> str:
        """Return the Python that an environment is prepared with."""
        return self.recipe.container_python if kind in {"docker", "podman"} else MINE

    def environment(self, kind: str) -> Environment:
        """Return one of the four."""
        if kind == "venv":
            return Venv(self.cache, {MINE: sys.executable}, self.program)
        if kind == "current":
            return Current(self.program)
        engines, unknown = read_engines(environ={"DOCKER_HOST": self.addresses[kind]})
        assert engines, unknown
        return Docker(engines[0], self.cache, self.program, self.base_image or None)

    def dump(self) -> str:
        return json.dumps(asdict(self), default=str)


def load(text: str) -> World:
    said = json.loads(text)
    return World(Path(said["folder"]), said["addresses"], said["base_image"])


def environ_of(world: World) -> dict[str, str]:
    """Return the variables of a process that knows no index but the world's wheels."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "DOCKER_"))}
    root = str(Path(__file__).resolve().parent.parent)
    return {
        **kept,
        "PATH": os.pathsep.join((str(world.folder / "bin"), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": root,
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(world.index),
        "ENVCHECK_CACHE": str(world.cache),
        "ENVCHECK_BASE_IMAGE": world.base_image,
    }


def make_world(  # noqa: PLR0913 - each test changes one side of it
    folder: Path,
    *,
    container_python: str = "3.11",
    installed_mib: int = 1,
    content: str = "",
    library: str = "",
    name: str = "",
    wheel: str = "alpha-1.0-py3-none-any.whl",
    damage_hash: bool = False,
) -> World:
    """Write a world whose recipe nobody has built yet: its wheel is like no other."""
    name = name or f"test-{secrets.token_hex(4)}"
    text = content or f'"""{name}."""\n\n\ndef main():\n    print("{name}")\n'
    pin = pin_of(make_wheel(folder / "index", wheel, content=text, library=library))
    if damage_hash:
        pin = pin[:-8] + "00000000"
    locks = folder / "recipes" / "locks"
    locks.mkdir(parents=True)
    for python in {MINE, container_python}:
        (locks / f"{name}-cp{python.replace('.', '')}.txt").write_text(f"{pin}\n", encoding="utf-8")
    yaml = _RECIPE.format(
        name=name, zeros="0" * 64, container_python=container_python, installed_mib=installed_mib
    )
    (folder / "recipes" / f"{name}.yaml").write_text(yaml, encoding="utf-8")
    pose = folder / "pose"
    pose.mkdir()
    (pose / "__init__.py").write_text(f'"""{name}."""\n', encoding="utf-8")
    (pose / "__main__.py").write_text(_POSE, encoding="utf-8")
    shutil.copy(shipped("pose") / "launch.py", pose)
    (folder / "cache").mkdir()
    return World(folder)


def build_with(world: World, client: str | None) -> World:
    """Let a world's docker client be `client`, or else one that has no BuildKit."""
    folder = world.folder / "bin"
    folder.mkdir()
    if client is not None:
        (folder / "docker").symlink_to(client)
        return world
    (folder / "docker").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (folder / "docker").chmod(0o755)
    return world


class Quiet:
    """Hears the steps of a build and says nothing."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, title: str) -> Any:
        from contextlib import nullcontext

        self.steps.append(title)
        return nullcontext(lambda _news: None)


def as_work(said: dict[str, Any]) -> Work:
    """Return work from its JSON."""
    paths = {name: tuple(map(Path, said.pop(name, ()))) for name in ("reads", "writes")}
    limits = Limits(**said.pop("limits", {}))
    log = Path(said["log"]) if said.get("log") else None
    return Work(**{**said, **paths, "argv": tuple(said["argv"]), "limits": limits, "log": log})


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell has it ignored
    world = load(sys.argv.pop(1))
    if sys.argv[1] in {"docker", "podman", "venv", "current"}:
        kind, work = sys.argv[1:]
        environment = world.environment(kind)
        place = environment.prepare(world.recipe, world.python(kind), watch=Quiet())
        sys.exit(environment.run(place, as_work(json.loads(work))).code)
    from envcheck.bundle import gather
    from envcheck.environments import prepare

    prepare.program_of_pose = gather.program_of_pose = lambda: world.program
    from envcheck.cli import main as envcheck

    envcheck()


if __name__ == "__main__":
    main()
