"""Reads pyproject.toml: the standard's tables, Poetry's, and the index that uv or Poetry has torch from.

Extras and groups are read when the project itself does not name torch, and then only those that do: they are
where such a project keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.choice.requirements import poetry
from envcheck.choice.requirements.asked import (
    Said,
    about,
    about_index,
    about_wheel,
    assumed_python,
    holds,
    index_tag,
    named_tag,
    read_requirement,
)
from envcheck.choice.wishes import Wishes, checked, minors
from envcheck.documents import parse_toml
from envcheck.errors import UsageError


# Structs, not dataclasses: their keys are written with hyphens.
class _Project(msgspec.Struct, frozen=True, rename="kebab"):
    requires_python: str = ""
    dependencies: tuple[str, ...] = ()
    optional_dependencies: dict[str, tuple[str, ...]] = {}


class _Group(msgspec.Struct, frozen=True):
    dependencies: poetry.Packages = {}


class _Index(msgspec.Struct, frozen=True):
    name: str = ""
    url: str = ""


class _Poetry(msgspec.Struct, frozen=True, rename="kebab"):
    dependencies: poetry.Packages = {}
    dev_dependencies: poetry.Packages = {}
    group: dict[str, _Group] = {}
    source: tuple[_Index, ...] = ()


class _UvSource(msgspec.Struct, frozen=True):
    index: str = ""
    url: str = ""
    marker: str = ""


class _Uv(msgspec.Struct, frozen=True, rename="kebab"):
    sources: dict[str, _UvSource | tuple[_UvSource, ...]] = {}
    index: tuple[_Index, ...] = ()
    index_url: str = ""
    extra_index_url: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


class _Tool(msgspec.Struct, frozen=True):
    poetry: _Poetry = _Poetry()
    uv: _Uv = _Uv()


class _Pyproject(msgspec.Struct, frozen=True, rename="kebab"):
    project: _Project = _Project()
    # A group that includes another one names it in a table.
    dependency_groups: dict[str, tuple[str | dict[str, str], ...]] = {}
    tool: _Tool = _Tool()


# An origin, and the requirement that stands there; None where no index has it, or it cannot be read.
_Listed = list[tuple[str, Requirement | None]]


def read_pyproject(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a pyproject.toml says. Raises `UsageError`."""
    written = parse_toml(text, _Pyproject, source=str(path))
    pythons = list(_pythons(written, str(path)))
    yield from pythons
    python = assumed_python(pythons[0].wishes.python) if pythons else python
    listed = _own(written, str(path))
    if not _names_torch(listed):
        listed += [one for group in _groups(written, str(path)) if _names_torch(group) for one in group]
    for origin, requirement in listed:
        if requirement is None:
            yield Said(origin=f"{origin:.200} (left out: no index has it, or it cannot be read)")
        else:
            yield about(requirement, origin, python)
    yield from _sources(written.tool, str(path), python)


def _pythons(written: _Pyproject, path: str) -> Iterator[Said]:
    if text := written.project.requires_python:
        yield _about_python(text, f"{path}: project.requires-python: {text}")
    for one in poetry.variants(written.tool.poetry.dependencies.get("python", ())):
        origin = f"{path}: tool.poetry.dependencies.python: {one.version}"
        yield _about_python(poetry.pep_440(one.version, origin), origin)


def _about_python(text: str, origin: str) -> Said:
    try:
        return Said(origin=origin, wishes=Wishes(python=minors(checked(SpecifierSet(text), origin))))
    except InvalidSpecifier:
        raise UsageError(f"{origin:.200}: is no set of versions", "Like this: '>=3.9'") from None


def _own(written: _Pyproject, path: str) -> _Listed:
    """Return what the project itself depends on."""
    plain = _parsed((f"{path}: project.dependencies: {text}", text) for text in written.project.dependencies)
    where = f"{path}: tool.poetry.dependencies"
    packages = written.tool.poetry.dependencies.items()
    always = {name: one for name, one in packages if not any(each.optional for each in poetry.variants(one))}
    return plain + _parsed(poetry.requirements(always, where))


def _groups(written: _Pyproject, path: str) -> Iterator[_Listed]:
    """Yield what each extra and each group of the project depends on."""
    for name, texts in written.project.optional_dependencies.items():
        where = f"{path}: project.optional-dependencies.{name}"
        yield _parsed((f"{where}: {text}", text) for text in texts)
    for name, items in written.dependency_groups.items():
        where = f"{path}: dependency-groups.{name}"
        yield _parsed((f"{where}: {text}", text) for text in items if isinstance(text, str))
    own = written.tool.poetry
    groups = {name: group.dependencies for name, group in own.group.items()}
    optional = {
        name: one
        for name, one in own.dependencies.items()
        if any(each.optional for each in poetry.variants(one))
    }
    for name, packages in (*groups.items(), ("dev", own.dev_dependencies), ("optional", optional)):
        yield _parsed(poetry.requirements(packages, f"{path}: tool.poetry, {name}"))


def _parsed(texts: Iterable[tuple[str, str]]) -> _Listed:
    return [(origin, read_requirement(text, origin) if text else None) for origin, text in texts]


def _names_torch(listed: _Listed) -> bool:
    return any(one is not None and canonicalize_name(one.name) == "torch" for _, one in listed)


def _sources(tool: _Tool, path: str, python: str) -> Iterator[Said]:
    """Yield what is said of where torch comes from: its index first, the project's indexes otherwise."""
    named = {one.name: one.url for one in (*tool.uv.index, *tool.poetry.source)}
    written = tool.uv.sources.get("torch", ())
    for one in (written,) if isinstance(written, _UvSource) else written:
        origin = f"{path}: tool.uv.sources.torch: {one.index or one.url}"
        marker = read_requirement(f"torch; {one.marker}", origin) if one.marker else None
        if marker is not None and not holds(marker, origin, python):
            continue
        if one.url:
            yield about_wheel(one.url, origin, python) or Said(origin=f"{origin} (no wheel)")
        else:
            yield _about_named_index(one.index, named, origin)
    for package in poetry.variants(tool.poetry.dependencies.get("torch", ())):
        if package.source:
            origin = f"{path}: tool.poetry.dependencies.torch: source {package.source}"
            yield _about_named_index(package.source, named, origin)
    for address in (tool.uv.index_url, *tool.uv.extra_index_url, *tool.uv.find_links):
        yield about_index(address, f"{path}: tool.uv: {address}")


def _about_named_index(name: str, named: dict[str, str], origin: str) -> Said:
    tag = index_tag(named.get(name, "")) or named_tag(name)
    return Said(origin=origin, wishes=Wishes(tag=tag), by="index") if tag else Said(origin=origin)
