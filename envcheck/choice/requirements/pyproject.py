"""Reads pyproject.toml: the standard's tables, Poetry's, and the index that uv or Poetry has torch from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from envcheck.choice.requirements import poetry
from envcheck.choice.requirements.asked import (
    Said,
    about_index,
    about_wheel,
    assumed_python,
    holds,
    index_tag,
    named_tag,
    read_requirement,
)
from envcheck.choice.requirements.declared import Listed, about_python, declared, parsed
from envcheck.choice.wishes import Wishes
from envcheck.documents import parse_toml


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


def read_pyproject(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a pyproject.toml says. Raises `UsageError`."""
    written = parse_toml(text, _Pyproject, source=str(path))
    pythons = list(_pythons(written, str(path)))
    yield from declared(pythons, _own(written, str(path)), _groups(written, str(path)), python)
    python = assumed_python(pythons[0].wishes.python) if pythons else python
    yield from _sources(written.tool, str(path), python)


def _pythons(written: _Pyproject, path: str) -> Iterator[Said]:
    if text := written.project.requires_python:
        yield about_python(text, f"{path}: project.requires-python: {text}")
    for one in poetry.variants(written.tool.poetry.dependencies.get("python", ())):
        origin = f"{path}: tool.poetry.dependencies.python: {one.version}"
        yield about_python(poetry.pep_440(one.version, origin), origin)


def _own(written: _Pyproject, path: str) -> Listed:
    """Return what the project itself depends on."""
    plain = parsed((f"{path}: project.dependencies: {text}", text) for text in written.project.dependencies)
    where = f"{path}: tool.poetry.dependencies"
    packages = written.tool.poetry.dependencies.items()
    always = {name: one for name, one in packages if not any(each.optional for each in poetry.variants(one))}
    return plain + parsed(poetry.requirements(always, where))


def _groups(written: _Pyproject, path: str) -> Iterator[Listed]:
    """Yield what each extra and each group of the project depends on."""
    for name, texts in written.project.optional_dependencies.items():
        where = f"{path}: project.optional-dependencies.{name}"
        yield parsed((f"{where}: {text}", text) for text in texts)
    for name, items in written.dependency_groups.items():
        where = f"{path}: dependency-groups.{name}"
        yield parsed((f"{where}: {text}", text) for text in items if isinstance(text, str))
    own = written.tool.poetry
    groups = {name: group.dependencies for name, group in own.group.items()}
    optional = {
        name: one
        for name, one in own.dependencies.items()
        if any(each.optional for each in poetry.variants(one))
    }
    for name, packages in (*groups.items(), ("dev", own.dev_dependencies), ("optional", optional)):
        yield parsed(poetry.requirements(packages, f"{path}: tool.poetry, {name}"))


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
