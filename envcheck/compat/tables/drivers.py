"""`cuda.yaml`: which driver a CUDA version needs, which one a toolkit came with, which CUDA a driver is."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from packaging.version import Version

from envcheck.compat.tables.rows import FOLDER, Evidence, refuse_twins, spelled_out
from envcheck.documents import read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The oldest driver for what a CUDA toolkit compiled; without a minor, for the whole major version."""

    major: int
    minor: int | None = None
    linux: Version
    windows: Version
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolkitDriver:
    """The driver that a CUDA toolkit is paired with, the oldest that compiles its PTX; None: not known."""

    cuda: Version
    linux: Version | None  # as the release notes name it
    runfile: Version | None = None  # as the Linux runfile carries it, where that is another
    windows: Version | None
    evidence: Evidence
    source: str

    @property
    def native(self) -> Version | None:
        """The Linux driver that is surely the toolkit's own: where notes and runfile differ, the newer."""
        return max((one for one in (self.linux, self.runfile) if one is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A driver branch (550 of 550.54.14) and the CUDA version that it is."""

    branch: int
    cuda: Version
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuda:
    """`cuda.yaml`."""

    sources: dict[str, str]
    floors: tuple[Floor, ...]
    toolkits: tuple[ToolkitDriver, ...]
    branches: tuple[Branch, ...]


def read_cuda(path: Path) -> Cuda:
    """Return a table of CUDA and drivers, its sources spelled out. Raises `UsageError`."""
    table = read_yaml(path, Cuda)
    refuse_twins(path, "floors", table.floors, lambda row: (row.major, row.minor))
    refuse_twins(path, "toolkits", table.toolkits, lambda row: row.cuda)
    refuse_twins(path, "branches", table.branches, lambda row: row.branch)
    return replace(
        table,
        floors=spelled_out(path, "floors", table.floors, table.sources),
        toolkits=spelled_out(path, "toolkits", table.toolkits, table.sources),
        branches=spelled_out(path, "branches", table.branches, table.sources),
    )


@lru_cache(maxsize=1)
def cuda() -> Cuda:
    """Return the table of CUDA and drivers that envcheck ships."""
    return read_cuda(FOLDER / "cuda.yaml")


def floor_of(version: Version) -> Floor | None:
    """Return the driver floor of a CUDA version: its own before 11, its major version's from 11 on."""
    rows = _floors()
    return rows.get((version.major, version.minor)) or rows.get((version.major, None))


def toolkit_of(version: Version) -> ToolkitDriver | None:
    """Return the row of a CUDA toolkit."""
    return _toolkits().get(version)


def branch_of(driver: Version) -> Branch | None:
    """Return the branch that a driver belongs to, by order: Windows numbers (572.60) lie between Linux's."""
    numbers, rows = _branches()
    place = bisect_right(numbers, driver.major)
    return rows[place - 1] if place else None


@lru_cache(maxsize=1)
def _floors() -> dict[tuple[int, int | None], Floor]:
    return {(row.major, row.minor): row for row in cuda().floors}


@lru_cache(maxsize=1)
def _toolkits() -> dict[Version, ToolkitDriver]:
    return {row.cuda: row for row in cuda().toolkits}


@lru_cache(maxsize=1)
def _branches() -> tuple[list[int], list[Branch]]:
    rows = sorted(cuda().branches, key=lambda row: row.branch)
    return [row.branch for row in rows], rows
