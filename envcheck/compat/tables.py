"""The tables as typed rows: CUDA and drivers, GPUs, torch builds. Reads `tables/*.yaml`, once, when asked.

A row that is wrong is a `UsageError` that names the file and the key: tables are mended by people. What
follows from a row is not known here; that is `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from packaging.version import Version

from envcheck.documents import read_yaml
from envcheck.errors import UsageError

Evidence = Literal["measured", "read"]
Modules = Literal["proprietary", "open", "either"]

FOLDER = Path(__file__).parent / "tables"


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
class Toolkit:
    """The driver that a CUDA toolkit came with, the oldest that compiles its PTX."""

    cuda: Version
    linux: Version
    evidence: Evidence
    source: str


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
    toolkits: tuple[Toolkit, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One compute capability: who knows it, what drives it, which cards have it."""

    capability: Version
    architecture: str
    tegra: bool = False
    first_toolkit: Version
    last_toolkit: Version | None
    first_branch: int | None  # None: not verified
    last_branch: int | None  # None: support goes on
    modules: Modules | None
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # line of products -> cards
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """`gpus.yaml`."""

    sources: dict[str, str]
    capabilities: tuple[Capability, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One official torch wheel family: a release, its CUDA, and the code that it holds."""

    torch: Version
    tag: str  # "cpu", "cu128"
    cuda: Version | None
    sass: tuple[Version, ...]
    ptx: tuple[Version, ...]
    exact: tuple[Version, ...] = ()  # sm_90a and the like
    pythons: tuple[str, ...]  # "3.11"
    machines: tuple[str, ...]  # as uname says it
    glibc: Version
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
    """`torch.yaml`."""

    sources: dict[str, str]
    builds: tuple[Build, ...]


class _Row(Protocol):
    @property
    def source(self) -> str: ...


_Rows = TypeVar("_Rows", bound=_Row)


def read_cuda(path: Path) -> Cuda:
    """Return a table of CUDA and drivers, its sources spelled out. Raises `UsageError`."""
    table = read_yaml(path, Cuda)
    _refuse_twins(path, "floors", table.floors, lambda row: (row.major, row.minor))
    _refuse_twins(path, "toolkits", table.toolkits, lambda row: row.cuda)
    _refuse_twins(path, "branches", table.branches, lambda row: row.branch)
    return replace(
        table,
        floors=_spelled_out(path, "floors", table.floors, table.sources),
        toolkits=_spelled_out(path, "toolkits", table.toolkits, table.sources),
        branches=_spelled_out(path, "branches", table.branches, table.sources),
    )


def read_gpus(path: Path) -> Gpus:
    """Return a table of compute capabilities, its sources spelled out. Raises `UsageError`."""
    table = read_yaml(path, Gpus)
    _refuse_twins(path, "capabilities", table.capabilities, lambda row: row.capability)
    rows = _spelled_out(path, "capabilities", table.capabilities, table.sources)
    return replace(table, capabilities=rows)


def read_torch(path: Path) -> Torch:
    """Return a table of torch builds, its sources spelled out. Raises `UsageError`."""
    table = read_yaml(path, Torch)
    _refuse_twins(path, "builds", table.builds, lambda row: (row.torch, row.tag, row.machines))
    return replace(table, builds=_spelled_out(path, "builds", table.builds, table.sources))


@lru_cache(maxsize=1)
def cuda() -> Cuda:
    """Return the table of CUDA and drivers that envcheck ships."""
    return read_cuda(FOLDER / "cuda.yaml")


@lru_cache(maxsize=1)
def gpus() -> Gpus:
    """Return the table of compute capabilities that envcheck ships."""
    return read_gpus(FOLDER / "gpus.yaml")


@lru_cache(maxsize=1)
def torch() -> Torch:
    """Return the table of torch builds that envcheck ships."""
    return read_torch(FOLDER / "torch.yaml")


def floor_of(version: Version) -> Floor | None:
    """Return the driver floor of a CUDA version: its own before 11, its major version's from 11 on."""
    rows = {(row.major, row.minor): row for row in cuda().floors}
    return rows.get((version.major, version.minor)) or rows.get((version.major, None))


def toolkit_of(version: Version) -> Toolkit | None:
    """Return the row of a CUDA toolkit."""
    return next((row for row in cuda().toolkits if row.cuda == version), None)


def branch_of(driver: Version) -> Branch | None:
    """Return the branch that a driver belongs to, by order: Windows numbers (572.60) lie between Linux's."""
    older = [row for row in cuda().branches if row.branch <= driver.major]
    return max(older, key=lambda row: row.branch, default=None)


def capability_of(version: Version) -> Capability | None:
    """Return the row of a compute capability."""
    return next((row for row in gpus().capabilities if row.capability == version), None)


def build_of(release: Version, tag: str, machine: str = "x86_64") -> Build | None:
    """Return the row of a torch build; a release whose builds differ by machine has a row for each."""
    rows = [row for row in torch().builds if (row.torch, row.tag) == (release, tag)]
    return next((row for row in rows if machine in row.machines), rows[0] if rows else None)


def _refuse_twins(path: Path, key: str, rows: Iterable[_Rows], identity: Callable[[_Rows], Hashable]) -> None:
    seen: dict[Hashable, int] = {}
    for index, row in enumerate(rows):
        first = seen.setdefault(identity(row), index)
        if first != index:
            raise UsageError(f"{path}: `$.{key}[{index}]` is a second row for what `$.{key}[{first}]` says")


def _spelled_out(path: Path, key: str, rows: Iterable[_Rows], sources: dict[str, str]) -> tuple[_Rows, ...]:
    """Return `rows` with the text of their source in place of its short name."""
    whole = []
    for index, row in enumerate(rows):
        if row.source not in sources:
            known = ", ".join(sources)
            raise UsageError(
                f"{path}: `$.{key}[{index}].source` is {row.source!r}, which `$.sources` does not explain",
                f"Sources there: {known}",
            )
        whole.append(replace(row, source=sources[row.source]))  # type: ignore[type-var]  # every row is a dataclass
    return tuple(whole)
