"""Which packages the lines of a file put into one environment, and in which versions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.doctor.project.facts import AskedPackage

if TYPE_CHECKING:
    from envcheck.choice.requirements.asked import Said


def together(said: Sequence[Said]) -> dict[str, AskedPackage]:
    """Return the packages that pip is told about, by name."""
    lines: dict[str, list[Said]] = {}
    for one in said:
        if (requirement := one.written or one.constraint) is not None:
            lines.setdefault(canonicalize_name(requirement.name), []).append(one)
    return {name: _package(name, told) for name, told in lines.items()}


def _package(name: str, told: Sequence[Said]) -> AskedPackage:
    requirements = [one.written or one.constraint for one in told]
    clauses = dict.fromkeys(str(one.specifier) for one in requirements if one is not None and one.specifier)
    return AskedPackage(
        name,
        SpecifierSet(",".join(clauses)),
        tuple(one.line for one in told),
        any(one.written is not None for one in told),
    )
