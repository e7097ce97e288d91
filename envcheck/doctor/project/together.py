"""Which packages a file of a repository puts into one environment, and in which versions. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.doctor.project.facts import Listing


@dataclass(frozen=True, slots=True)
class Package:
    """One package, as all lines of a file together ask for it."""

    name: str
    asked: SpecifierSet = field(default_factory=SpecifierSet)  # constraints included
    lines: tuple[str, ...] = ()
    is_asked_for: bool = False  # and not bound by constraints only, should another package bring it

    @property
    def version(self) -> str | None:
        """The version that it is pinned to, None where pip chooses one."""
        pins = [one.version for one in self.asked if one.operator in ("==", "===")]
        return pins[0] if pins and not pins[0].endswith(".*") else None


def together(listing: Listing) -> dict[str, Package]:
    """Return the packages that pip is told about, by name."""
    packages: dict[str, Package] = {}
    for said in listing.said:
        requirement = said.written or said.constraint
        if requirement is not None:
            name = canonicalize_name(requirement.name)
            known = packages.get(name, Package(name))
            packages[name] = Package(
                name,
                known.asked & requirement.specifier,
                (*known.lines, said.line),
                known.is_asked_for or said.written is not None,
            )
    return packages


def asked_for(listing: Listing) -> dict[str, Package]:
    """Return the packages that pip is asked for, by name."""
    return {name: one for name, one in together(listing).items() if one.is_asked_for}
