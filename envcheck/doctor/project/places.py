"""Finds the line of a file on which something stands, where its format's reader does not say. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envcheck.choice.requirements.asked import Said

# Of each, the whole file is searched.
_MOST_SEARCHED = 200


def numbered(said: tuple[Said, ...], file: str, text: str) -> tuple[Said, ...]:
    """Return what a file says, with ":8" behind the file's name where one line alone can be meant."""
    lines = text.splitlines()
    return tuple(
        replace(one, origin=_numbered(one.origin, file, lines), line=_numbered(one.line, file, lines))
        if place < _MOST_SEARCHED
        else one
        for place, one in enumerate(said)
    )


def _numbered(origin: str, file: str, lines: list[str]) -> str:
    """Return "pyproject.toml:8: project.dependencies: torch" for the same without a number."""
    if not origin.startswith(f"{file}: "):
        return origin
    written = origin.removeprefix(f"{file}: ").partition(" (left out")[0]
    *keys, value = written.split(": ")
    key = keys[-1].rpartition(".")[2] if keys else ""
    found = [number for number, line in enumerate(lines, 1) if value in line]
    if len(found) > 1:
        found = [number for number in found if key and key in lines[number - 1]]
    return f"{file}:{found[0]}{origin.removeprefix(file)}" if len(found) == 1 else origin
