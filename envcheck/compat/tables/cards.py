"""`gpus.yaml`: what each compute capability is, who knows it, and which cards have it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from packaging.version import Version

from envcheck.compat.tables.rows import FOLDER, Evidence, refuse_twins, spelled_out
from envcheck.documents import read_yaml

Modules = Literal["proprietary", "open", "either"]


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


def read_gpus(path: Path) -> Gpus:
    """Return a table of compute capabilities, its sources spelled out. Raises `UsageError`."""
    table = read_yaml(path, Gpus)
    refuse_twins(path, "capabilities", table.capabilities, lambda row: row.capability)
    rows = spelled_out(path, "capabilities", table.capabilities, table.sources)
    return replace(table, capabilities=rows)


@lru_cache(maxsize=1)
def gpus() -> Gpus:
    """Return the table of compute capabilities that envcheck ships."""
    return read_gpus(FOLDER / "gpus.yaml")


def capability_of(version: Version) -> Capability | None:
    """Return the row of a compute capability."""
    return _capabilities().get(version)


@lru_cache(maxsize=1)
def _capabilities() -> dict[Version, Capability]:
    return {row.capability: row for row in gpus().capabilities}
