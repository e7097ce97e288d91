"""Which packages a file of a repository puts into one environment, and in which versions. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.doctor.project.facts import Listing


@dataclass(frozen=True, slots=True)
class Package:
    """One package, as all lines of a file together ask for it."""

    name: str
    asked: SpecifierSet  # constraints included
    lines: tuple[str, ...]

    @property
    def version(self) -> str | None:
        """The version that it is pinned to, None where pip chooses one."""
        pins = [one.version for one in self.asked if one.operator in ("==", "===")]
        return pins[0] if pins and not pins[0].endswith(".*") else None


def together(listing: Listing) -> dict[str, Package]:
    """Return the packages that pip is asked for, by name."""
    packages: dict[str, Package] = {}
    asked = [(one.written, one.line) for one in listing.said if one.written is not None]
    bounds = [(one.constraint, one.line) for one in listing.said if one.constraint is not None]
    named = {canonicalize_name(requirement.name) for requirement, _ in asked}
    for requirement, line in (*asked, *bounds):
        name = canonicalize_name(requirement.name)
        if name in named:
            known = packages.get(name, Package(name, SpecifierSet(), ()))
            packages[name] = Package(name, known.asked & requirement.specifier, (*known.lines, line))
    return packages
