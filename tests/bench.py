"""What the parts of `engine_bench` share: an image to build on, wheels, the commands that they run and show.

Everything is built on an image of this run's own: ENVCHECK_BASE_IMAGE, or the recipe's base, with a file and
a label more. So no image and no step that was there before is taken for it, and all is removed at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from envcheck.engine import images
from envcheck.engine.addresses import Address, addresses, connect
from envcheck.environments.wheelhouse import Wheelhouse
from envcheck.paths import cache_dir
from envcheck.recipes import Recipe, load_recipe, read_lock

if TYPE_CHECKING:
    from envcheck.engine.addresses import Client

ROOT = Path(__file__).resolve().parent.parent
# A fresh process of this interpreter, whether or not it has envcheck installed.
ENVCHECK = (sys.executable, "-c", "from envcheck.cli import main; main()")
LABEL = "dev.envcheck.bench"


@dataclass(frozen=True)
class Engine:
    """An engine, and the image of this run's own that everything is built on there."""

    name: str  # "docker" or "podman"
    version: str
    url: str
    client: Client
    base: str


@dataclass(frozen=True)
class Image:
    """The image of a recipe with pose on it, and what building it took."""

    name: str
    seconds: float
    fetched: int  # bytes of wheels that the build had to download, 0 where its time says something
    environment: Mapping[str, Any]  # what the engine says of the two images
    stage: Mapping[str, Any]


@dataclass
class Bench:
    """One run of the benchmark: its folder, its label and what its parts share."""

    folder: Path
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    built: dict[str, Image] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)  # what was in BuildKit's cache before

    @property
    def cache(self) -> Path:
        """The cache that all parts use but those that start from nothing."""
        return self.folder / "cache"

    @cached_property
    def docker(self) -> Engine:
        """The docker engine, with its base."""
        url = os.environ.get("ENVCHECK_TEST_DOCKER") or next(addresses(), Address("")).url
        if not url:
            raise SystemExit("no container engine: set DOCKER_HOST or ENVCHECK_TEST_DOCKER (see .ci/engine)")
        engine = self._engine(url)
        self.kept = _cached(engine)
        return engine

    @cached_property
    def podman(self) -> Engine | None:
        """The podman engine, with its base; None where none is named."""
        url = os.environ.get("ENVCHECK_TEST_PODMAN")
        return self._engine(url) if url else None

    def cpu(self) -> Image:
        """The CPU recipe's image with docker, built once."""
        if "cpu" not in self.built:
            lay_out(self, load_recipe("cpu"), self.cache)
            self.built["cpu"] = build(self, load_recipe("cpu"), self.cache)
        return self.built["cpu"]

    def clear(self) -> None:
        """Remove what this run has built with its engines."""
        for engine in (self.__dict__.get("docker"), self.__dict__.get("podman")):
            if engine is not None:
                self.remove(engine)

    def remove(self, engine: Engine, *labels: str) -> None:
        """Remove this run's images that have some labels, the steps under them and what BuildKit has kept."""
        filters = {"label": [f"{LABEL}={self.run}", *labels]}  # the base has it, and hands it down
        is_done = False
        while not is_done and (found := set(engine.client.images(filters=filters, quiet=True))):
            is_done = True
            for image in found:
                with contextlib.suppress(APIError):  # another stands on it and goes first, or took it along
                    engine.client.remove_image(image, force=True)
                    is_done = False
        before: set[str] = set()
        while engine.name == "docker" and (ours := _cached(engine) - self.kept) != before:
            before = ours  # a step stays while another of the cache stands on it
            for one in ours:
                engine.client.prune_builds(filters={"id": one}, all=True)

    def _engine(self, url: str) -> Engine:
        client = connect(Address(url))
        said = client.version(api_version=False)
        pinned = load_recipe("cpu").base
        named = os.environ.get("ENVCHECK_BASE_IMAGE") or f"{pinned.image}@{pinned.digest}"
        found = images.find(client, named)
        name = f"localhost/envcheck-bench:{self.run}"
        with tempfile.TemporaryDirectory(dir=self.folder) as context:
            # The classic builder takes an image for another one by its id, BuildKit by its layers.
            base = found["Id"] if found else named
            text = f'FROM {base}\nCOPY run /.bench\nLABEL {LABEL}="{self.run}"\n'
            (Path(context) / "Dockerfile").write_text(text, encoding="utf-8")
            (Path(context) / "run").write_text(self.run, encoding="utf-8")
            images.build(client, Path(context), name, {}, lambda _news: None, self.folder / "base.log")
        is_podman = "podman" in json.dumps(said.get("Components") or ()).lower()
        return Engine("podman" if is_podman else "docker", said["Version"], url, client, name)


def _cached(engine: Engine) -> set[str]:
    """Return what lies in BuildKit's cache: steps, and the files that were sent."""
    return {one["ID"] for one in engine.client.df().get("BuildCache") or ()}


def build(bench: Bench, recipe: Recipe, cache: Path, **other: Any) -> Image:
    """Build a recipe's two images with docker by the command line, and say how long that took."""
    before = stamps(cache)
    begun = time.perf_counter()
    words = ("build", recipe.name, "--in", "docker")
    said = envcheck(bench, *words, engine=bench.docker, cache=cache, **other)
    seconds = time.perf_counter() - begun
    fetched = sum(one[1] for key, one in stamps(cache).items() if key not in before)
    for log in (cache / "logs").glob("image-*.log"):
        _refuse_cached(log)
    name = said.stdout.strip()
    client = bench.docker.client
    stage = images.find(client, name)
    of_recipe = [f"{LABEL}={bench.run}", f"dev.envcheck.recipe={recipe.name}"]
    called = f"localhost/envcheck/{recipe.name.replace('.', '-')}:"
    (environment_id,) = (
        one["Id"]
        for one in client.images(filters={"label": of_recipe})
        if any(tag.startswith(called) for tag in one["RepoTags"] or ())
    )
    under = images.find(client, environment_id)
    assert stage is not None
    assert under is not None
    return Image(name, seconds, fetched, under, stage)


def _refuse_cached(log: Path) -> None:
    """Stop where the engine took a step from an earlier build, other than those that do nothing."""
    step, steps = "", {}
    for line in log.read_text(encoding="utf-8").splitlines():
        if line.startswith(("Step ", "STEP ")):  # the classic builder's and podman's
            step = line
        number, _, rest = line.partition(
            " "
        )  # BuildKit's: "#7 [build 3/4] COPY wheels/ /wheels/", "#7 CACHED"
        if rest.startswith("["):
            steps[number] = rest
        cached = steps.get(number, "") if rest.strip() == "CACHED" else step if "Using cache" in line else ""
        if re.search(r"\b(COPY|RUN)\b", cached):
            raise SystemExit(f"{log}: a step was not built: {cached}")


def lay_out(bench: Bench, recipe: Recipe, cache: Path, *, copied: bool = False) -> None:
    """Fill a cache with a recipe's wheels, from the user's own or by fetching, and read them once."""
    known = Wheelhouse(cache_dir())
    for pin in read_lock(lock_of(recipe)):
        wheel = known.find(pin)
        if wheel is not None:
            link(wheel, cache, copied=copied)
    if Wheelhouse(cache).missing(read_lock(lock_of(recipe))):
        envcheck(bench, "recipes", "fetch", recipe.name, cache=cache)
    for wheel in wheels_of(recipe, cache):  # into the memory, where whoever builds second would find them
        with wheel.open("rb") as file:
            while file.read(1 << 24):
                pass


def link(wheel: Path, cache: Path, *, copied: bool = False) -> None:
    place = cache / "wheels" / wheel.parent.name / wheel.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        return
    if copied:
        shutil.copyfile(wheel, place)  # with the time of now
    else:
        place.hardlink_to(wheel)


def lock_of(recipe: Recipe) -> Path:
    lock = recipe.lock_for(recipe.container_python)
    assert lock is not None
    return lock


def wheels_of(recipe: Recipe, cache: Path) -> list[Path]:
    found = map(Wheelhouse(cache).find, read_lock(lock_of(recipe)))
    return [wheel for wheel in found if wheel is not None]


def environment(bench: Bench, engine: Engine | None = None, cache: Path | None = None) -> dict[str, str]:
    """Return what commands are told beside the caller's environment; without `engine`: docker."""
    engine = engine or bench.docker
    return {
        "ENVCHECK_CACHE": str(cache or bench.cache),
        "ENVCHECK_BASE_IMAGE": engine.base,
        "DOCKER_HOST": engine.url,
        "PYTHONPATH": str(ROOT),
    }


def envcheck(
    bench: Bench,
    *words: str,
    engine: Engine | None = None,
    cache: Path | None = None,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
) -> subprocess.CompletedProcess[str]:
    """Run envcheck's command line in a process of its own; -1 is the umask that there is."""
    own = {**environment(bench, engine, cache), **(env or {})}
    show(bench, "envcheck", *words, env=own, first=f"umask {umask:03o}; " if umask >= 0 else "")
    return ran([*ENVCHECK, *words], env={**os.environ, **own}, cwd=bench.folder, umask=umask)


def docker(bench: Bench, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run docker's own command line; `stdin` is one of the scripts of a part."""
    own = {**environment(bench), **(env or {})}
    show(bench, "docker", *words, env=own, last=" < the script of this part" if stdin else "")
    return ran(["docker", *words], env={**os.environ, **own}, input=stdin).stdout


def show(
    bench: Bench, *argv: str, env: Mapping[str, str] | None = None, first: str = "", last: str = ""
) -> None:
    """Print a command as one would type it, after what `preface` says."""
    usual = environment(bench)
    said = [f"{key}={shlex.quote(value)}" for key, value in (env or {}).items() if usual.get(key) != value]
    line = f"$ {first}{' '.join((*said, shlex.join(argv)))}{last}"
    print(line.replace(str(bench.folder), "$BENCH"), flush=True)


def preface(bench: Bench) -> None:
    """Print what all commands have in common."""
    print(f"$ export BENCH={shlex.quote(str(bench.folder))}; cd $BENCH")
    said = (f"{key}={shlex.quote(value)}" for key, value in environment(bench).items())
    print(f"$ export {' '.join(said)}".replace(str(bench.folder), "$BENCH"))
    print(f'$ envcheck() {{ {shlex.join(ENVCHECK)} "$@"; }}')


def ran(argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and stop where it failed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table whose columns are as wide as they have to be."""
    lines = [tuple(map(str, row)) for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def stamps(cache: Path) -> dict[str, tuple[str, int, int, int]]:
    """Return what lies in a wheelhouse: digest -> name, size, inode and time."""
    found = {}
    for wheel in (cache / "wheels").glob("*/*.whl"):
        seen = wheel.stat()
        found[wheel.parent.name] = (wheel.name, seen.st_size, seen.st_ino, seen.st_mtime_ns)
    return found
