"""`torch.yaml`: the official torch builds, written by release and read as one flat row for each build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path

from packaging.version import Version

from envcheck.compat.tables.rows import FOLDER, Evidence, explained, refuse_twins
from envcheck.documents import read_yaml
from envcheck.errors import UsageError

_TAG = re.compile(r"cu([0-9]+)([0-9])")
_CODE = re.compile(r"(sm|compute)_([0-9]+)([0-9])(a?)")

Code = tuple[tuple[Version, ...], tuple[Version, ...], tuple[Version, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One official torch wheel family: a release, its CUDA, and the code that it holds."""

    torch: Version
    tag: str  # "cpu", "cu128"
    cuda: Version | None
    sass: tuple[Version, ...]
    ptx: tuple[Version, ...]
    exact: tuple[Version, ...] = ()  # sm_90a and the like
    pythons: tuple[str, ...]  # "3.11"; "3.13t" is the free-threaded one
    machines: tuple[str, ...]  # as uname says it
    glibc: Version
    windows: tuple[str, ...] = ()  # Pythons of the release's wheels for Windows on the public index
    default: bool = False  # the wheel that the public index gives to whoever asks for the release
    published: date | None = None
    numpy: str = ""  # "<2" where the wheel is compiled against NumPy 1
    torchvision: str = ""  # its partner's release; empty: not known
    evidence: Evidence
    source: str

    @property
    def requirement(self) -> str:
        """What makes pip choose this build: "torch==2.0.1", "torch==2.0.1+cu118"."""
        return f"torch=={self.torch}" if self.default else f"torch=={self.torch}+{self.tag}"

    @property
    def name(self) -> str:
        """The build as people call it."""
        return f"torch {self.torch} {self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """`torch.yaml`, a row for each build."""

    sources: dict[str, str]
    builds: tuple[Build, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A build as it is written: what it has otherwise than its release."""

    tag: str
    code: str = ""  # as the wheel says it: "sm_80 sm_90a compute_90"
    machines: tuple[str, ...] = ("x86_64",)
    pythons: tuple[str, ...] | None = None
    glibc: Version | None = None
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """What a release's builds have in common."""

    torch: Version
    published: date
    default: dict[str, str]  # machine -> tag
    pythons: tuple[str, ...]
    other_pythons: tuple[str, ...] | None = None  # of the builds that are not the default
    glibc: Version
    windows: tuple[str, ...] = ()
    numpy: str = ""
    torchvision: str = ""
    evidence: Evidence  # of the list of builds
    source: str
    builds: tuple[_Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    sources: dict[str, str]
    releases: tuple[_Release, ...]


def read_torch(path: Path) -> Torch:
    """Return a table of torch builds, its sources spelled out. Raises `UsageError`."""
    written = read_yaml(path, _Written)
    refuse_twins(path, "releases", written.releases, lambda row: row.torch)
    builds = [
        build
        for index, release in enumerate(written.releases)
        for build in _builds(path, f"releases[{index}]", release, written.sources)
    ]
    return Torch(sources=written.sources, builds=tuple(builds))


@lru_cache(maxsize=1)
def torch() -> Torch:
    """Return the table of torch builds that envcheck ships."""
    return read_torch(FOLDER / "torch.yaml")


def build_of(release: Version, tag: str, machine: str = "x86_64") -> Build | None:
    """Return the row of a torch build; a release whose builds differ by machine has a row for each."""
    rows = _by_name().get((release, tag), ())
    return next((row for row in rows if machine in row.machines), rows[0] if rows else None)


def read_code(flags: str) -> Code:
    """Return SASS, PTX and exact code of a wheel's list, "sm_80 sm_90a compute_90". Raises `ValueError`."""
    sass: list[Version] = []
    ptx: list[Version] = []
    exact: list[Version] = []
    for flag in flags.split():
        match = _CODE.fullmatch(flag)
        if match is None or (match[1], match[4]) == ("compute", "a"):
            raise ValueError(flag)
        kind = exact if match[4] else ptx if match[1] == "compute" else sass
        kind.append(_version(match[2], match[3]))
    return tuple(sass), tuple(ptx), tuple(exact)


@lru_cache(maxsize=1)
def _by_name() -> dict[tuple[Version, str], Sequence[Build]]:
    index: dict[tuple[Version, str], list[Build]] = {}
    for row in torch().builds:
        index.setdefault((row.torch, row.tag), []).append(row)
    return dict(index)


def _builds(path: Path, key: str, release: _Release, sources: dict[str, str]) -> Iterator[Build]:
    explained(path, key, release, sources)
    refuse_twins(path, f"{key}.builds", release.builds, lambda row: (row.tag, row.machines))
    for index, row in enumerate(release.builds):
        place = f"{key}.builds[{index}]"
        sass, ptx, exact = _code(path, place, row)
        default = _is_default(path, place, row, release)
        pythons = release.pythons if default else release.other_pythons or release.pythons
        yield Build(
            torch=release.torch,
            tag=row.tag,
            cuda=_cuda(path, place, row),
            sass=sass,
            ptx=ptx,
            exact=exact,
            pythons=row.pythons or pythons,
            machines=row.machines,
            glibc=row.glibc or release.glibc,
            windows=release.windows,
            default=default,
            published=release.published,
            numpy=release.numpy,
            torchvision=release.torchvision,
            evidence=row.evidence,
            source=explained(path, place, row, sources),
        )


def _code(path: Path, key: str, row: _Row) -> Code:
    try:
        return read_code(row.code)
    except ValueError as error:
        raise UsageError(
            f"{path}: `$.{key}.code` holds {str(error)!r:.60}", "Code is sm_80, sm_90a or compute_90."
        ) from None


def _cuda(path: Path, key: str, row: _Row) -> Version | None:
    if row.tag == "cpu":
        return None
    match = _TAG.fullmatch(row.tag)
    if match is None:
        raise UsageError(
            f"{path}: `$.{key}.tag` is {row.tag!r:.60}", "A tag is cpu, or cu and a CUDA version: cu128."
        )
    return _version(match[1], match[2])


def _is_default(path: Path, key: str, row: _Row, release: _Release) -> bool:
    answers = {release.default.get(machine) == row.tag for machine in row.machines}
    if len(answers) > 1:
        raise UsageError(f"{path}: `$.{key}` is the default on some of its machines", "Write a row for each.")
    return answers == {True}


@cache
def _version(major: str, minor: str) -> Version:
    return Version(f"{major}.{minor}")
