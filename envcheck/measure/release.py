"""A release of torch as the indexes have it: which wheels there are, and one of them to be measured."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from envcheck.environments.place import Watcher
from envcheck.environments.wheelhouse import PYTORCH_INDEX, Wheelhouse
from envcheck.errors import EnvcheckError, UsageError
from envcheck.measure.wheel import machine_of, python_of
from envcheck.paths import cache_dir
from envcheck.recipes import Pin
from envcheck.uv import PublishedWheel, published_wheels
from envcheck.versions import pinned_torch

_EXAMPLES = "torch==2.7.1, torch==2.0.1+cu118, or a wheel's file"
_LOCAL = re.compile(r"cpu|cu[0-9]+")


@dataclass(frozen=True, slots=True)
class Release:
    """The wheels of a release for Linux on one machine."""

    version: Version  # "2.7.1", "2.0.1+cu118"
    pythons: tuple[str, ...]  # the oldest first; "3.13t" is the free-threaded one
    elsewhere: tuple[str, ...]  # other machines that have wheels
    published: date | None
    chosen: PublishedWheel  # the one to measure
    tags: frozenset[Tag]  # of the chosen one
    index: str = ""  # that was asked beside the user's own


def parse_release(text: str) -> Version:
    """Return the version that "torch==2.0.1+cu118" names. Raises `UsageError`."""
    version = pinned_torch(text)
    if version is None:
        raise UsageError(f"{text!r:.80} names no build of torch", f"Say {_EXAMPLES}.")
    if version.local and not _LOCAL.fullmatch(version.local):
        raise UsageError(f"{text!r:.80} is no official build", "They are +cpu, or +cu and a CUDA version.")
    return version


def find_release(version: Version, machine: str, watch: Watcher) -> Release:
    """Return what the user's own indexes have of a release, else what PyTorch's has of it.

    Raises `EnvcheckError` when neither has a wheel of it for Linux on `machine`.
    """
    index = ""
    with watch.step(f"ask for the wheels of torch {version}"):
        try:
            wheels = published_wheels("torch", version)
        except EnvcheckError:
            if version.local is None:
                raise
            # What the user's own indexes do not have may be on PyTorch's.
            index = PYTORCH_INDEX.format(tag=version.local)
            wheels = published_wheels("torch", version, index=index)
    return replace(choose_wheel(version, machine, wheels), index=index)


def choose_wheel(version: Version, machine: str, wheels: tuple[PublishedWheel, ...]) -> Release:
    """Return a release, and of its wheels for `machine` the one to measure. Raises `EnvcheckError`."""
    found: dict[str, tuple[PublishedWheel, frozenset[Tag]]] = {}
    machines = set()
    for wheel in wheels:
        try:
            tags = parse_wheel_filename(wheel.file)[3]
        except InvalidWheelFilename:
            continue
        for tag in tags:
            python, where = python_of(tag), machine_of(tag)
            if python and where:
                machines.add(where)
                if where == machine:
                    found[python] = (wheel, tags)
    pythons = tuple(sorted(found, key=_order))
    regular = [python for python in pythons if not python.endswith("t")] or pythons
    if not regular:
        hint = " or ".join(f"--machine {one}, which has some" for one in sorted(machines))
        raise EnvcheckError(f"The index has no wheel of torch {version} for Linux on {machine}", hint)
    # The middle one: the oldest Python is too old for NumPy 2, and for the newest there may be no NumPy yet.
    chosen, tags = found[regular[len(regular) // 2]]
    return Release(
        version=version,
        pythons=pythons,
        elsewhere=tuple(sorted(machines - {machine})),
        published=min((wheel.published for wheel in wheels if wheel.published), default=None),
        chosen=chosen,
        tags=tags,
    )


@contextlib.contextmanager
def borrow_wheel(release: Release, watch: Watcher) -> Iterator[Path]:
    """Give the release's chosen wheel while open. Raises `EnvcheckError` with pip's own reason."""
    tag = next(iter(release.tags))
    options = [
        *("--implementation", "cp", "--python-version", tag.interpreter.removeprefix("cp"), "--abi", tag.abi),
        *(option for one in sorted(release.tags, key=str) for option in ("--platform", one.platform)),
        *(("--extra-index-url", release.index) if release.index else ()),
    ]
    pin = Pin("torch", str(release.version), release.chosen.sha256)
    size_mib = (release.chosen.size or 0) >> 20
    log = cache_dir() / "logs" / "measure.log"
    with Wheelhouse(cache_dir()).borrow(pin, options, size_mib, log=log, watch=watch) as wheel:
        yield wheel


def _order(python: str) -> tuple[int, bool]:
    return int(python.removesuffix("t").partition(".")[2]), python.endswith("t")
