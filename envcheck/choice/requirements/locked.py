"""Reads the locks of Poetry, uv, pip (PEP 751) and Pipenv, and a Pipfile: each package with its version.

A lock that has a package twice, for two kinds of machines, is not understood where the two contradict each
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from envcheck.choice.requirements import poetry
from envcheck.choice.requirements.asked import Said, about, about_index, assumed_python, read_requirement
from envcheck.choice.requirements.declared import about_python, declared, parsed
from envcheck.documents import MAX_TEXT_BYTES, parse_json, parse_toml


class _Package(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""
    marker: str = ""


class _Metadata(msgspec.Struct, frozen=True, rename="kebab"):
    python_versions: str = ""


class _Lock(msgspec.Struct, frozen=True, rename="kebab"):
    package: tuple[_Package, ...] = ()  # Poetry, uv
    packages: tuple[_Package, ...] = ()  # pylock.toml
    requires_python: str = ""
    metadata: _Metadata = _Metadata()


class _Source(msgspec.Struct, frozen=True):
    url: str = ""


class _Requires(msgspec.Struct, frozen=True):
    python_version: str = ""


class _Pipfile(msgspec.Struct, frozen=True):
    packages: poetry.Packages = {}
    source: tuple[_Source, ...] = ()
    requires: _Requires = _Requires()


class _PipfileMetadata(msgspec.Struct, frozen=True):
    requires: _Requires = _Requires()
    sources: tuple[_Source, ...] = ()


class _PipfileLock(msgspec.Struct, frozen=True):
    default: dict[str, _Package] = {}
    meta: _PipfileMetadata = msgspec.field(default=_PipfileMetadata(), name="_meta")


def read_lock(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a poetry.lock, uv.lock or pylock.toml says. Raises `UsageError`."""
    written = parse_toml(text, _Lock, source=str(path))
    asked = written.requires_python or written.metadata.python_versions
    if asked and asked != "*":
        said = about_python(poetry.pep_440(asked, str(path)), f"{path}: Python {asked}")
        python = assumed_python(said.wishes.python)
        yield said
    yield from _pinned((*written.package, *written.packages), str(path), python)


def read_pipfile_lock(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a Pipfile.lock says. Raises `UsageError`."""
    written = parse_json(text.encode(), _PipfileLock, source=str(path), limit=MAX_TEXT_BYTES)
    yield from _about_pipenv(written.meta.requires, written.meta.sources, str(path))
    packages = (
        _Package(name, one.version.removeprefix("=="), one.marker) for name, one in written.default.items()
    )
    yield from _pinned(tuple(packages), str(path), python)


def read_pipfile(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a Pipfile says. Raises `UsageError`."""
    written = parse_toml(text, _Pipfile, source=str(path))
    pythons = _about_pipenv(written.requires, written.source, str(path))
    own = parsed(poetry.requirements(written.packages, f"{path}: packages"))
    yield from declared(pythons, own, (), python)


def _about_pipenv(requires: _Requires, sources: tuple[_Source, ...], path: str) -> Iterator[Said]:
    if version := requires.python_version:
        yield about_python(f"=={version}.*", f"{path}: python_version {version}")
    yield from (about_index(one.url, f"{path}: source: {one.url}") for one in sources)


def _pinned(packages: tuple[_Package, ...], path: str, python: str) -> Iterator[Said]:
    for one in packages:
        if not one.version:  # the project itself, a folder, a repository
            continue
        marker = f"; {one.marker}" if one.marker else ""
        origin = f"{path}: {one.name} {one.version}"
        requirement = read_requirement(f"{one.name}=={one.version}{marker}", origin)
        if requirement is None:
            yield Said(origin=f"{origin:.200} (left out: cannot be read)", is_read=False)
        else:
            yield about(requirement, origin, python)
