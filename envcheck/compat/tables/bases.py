"""`images.yaml`: which drivers the nvidia/cuda images let in (NVIDIA_REQUIRE_CUDA)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.version import Version

from envcheck.compat.tables.rows import FOLDER, Evidence, explained
from envcheck.documents import read_yaml
from envcheck.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """What an nvidia/cuda image asks for: a driver that is its CUDA or newer, or a brand on an old branch."""

    version: Version  # "12.8.1"
    distribution: str = ""  # "ubuntu1804"; empty: every one without a row of its own
    machines: tuple[str, ...] = ()  # as uname says it; empty: every one without a row of its own
    cuda: Version  # "12.8"
    branches: dict[str, tuple[int, ...]]  # brand, as the variable writes it -> driver branches let in
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """`images.yaml`, a row for each image."""

    sources: dict[str, str]
    images: tuple[BaseImage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row as it is written: images that ask for the same, brands by the name of their set."""

    versions: tuple[Version, ...]
    distribution: str = ""
    machines: tuple[str, ...] = ()
    branches: dict[str, tuple[int, ...]]
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    sources: dict[str, str]
    brands: dict[str, tuple[str, ...]]
    images: tuple[_Row, ...]


def read_images(path: Path) -> Images:
    """Return a table of images, its sources spelled out. Raises `UsageError`."""
    written = read_yaml(path, _Written)
    rows: dict[tuple[Version, str, tuple[str, ...]], BaseImage] = {}
    for index, row in enumerate(written.images):
        for image in _flat(path, index, row, written):
            identity = (image.version, image.distribution, image.machines)
            if identity in rows:
                raise UsageError(f"{path}: `$.images[{index}]` is a second row for {image.version}")
            rows[identity] = image
    return Images(sources=written.sources, images=tuple(rows.values()))


@lru_cache(maxsize=1)
def images() -> Images:
    """Return the table of images that envcheck ships."""
    return read_images(FOLDER / "images.yaml")


def image_of(version: Version, distribution: str = "", machine: str = "x86_64") -> BaseImage | None:
    """Return the row of an image, whose distribution is written as in its tag, "ubuntu22.04"."""
    name = distribution.replace(".", "")
    rows = [
        row
        for row in _by_version().get(version, ())
        if row.distribution in ("", name) and (not row.machines or machine in row.machines)
    ]
    return max(rows, key=lambda row: (bool(row.machines), bool(row.distribution)), default=None)


@lru_cache(maxsize=1)
def _by_version() -> dict[Version, Sequence[BaseImage]]:
    index: dict[Version, list[BaseImage]] = {}
    for row in images().images:
        index.setdefault(row.version, []).append(row)
    return dict(index)


def _flat(path: Path, index: int, row: _Row, written: _Written) -> Iterator[BaseImage]:
    key = f"images[{index}]"
    source = explained(path, key, row, written.sources)
    branches: dict[str, list[int]] = {}
    for name, numbers in row.branches.items():
        if name not in written.brands:
            raise UsageError(
                f"{path}: `$.{key}.branches` names {name!r:.60}, which `$.brands` does not explain",
                f"Sets of brands there: {', '.join(written.brands)}",
            )
        for brand in written.brands[name]:
            branches.setdefault(brand, []).extend(numbers)
    for version in row.versions:
        yield BaseImage(
            version=version,
            distribution=row.distribution,
            machines=row.machines,
            cuda=Version(f"{version.major}.{version.minor}"),
            branches={brand: tuple(sorted(numbers)) for brand, numbers in branches.items()},
            evidence=row.evidence,
            source=source,
        )
