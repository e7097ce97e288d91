"""What a project declares of itself, whatever file that stands in: its Python, its packages, its extras.

Extras and groups are read when the project itself does not name torch, and then only those that do: they are
where such a project keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.choice.requirements.asked import Said, about, assumed_python, read_requirement
from envcheck.choice.wishes import Wishes, checked, minors
from envcheck.errors import UsageError

# An origin, and the requirement that stands there; None where no index has it, "" where it cannot be read.
Listed = list[tuple[str, Requirement | Literal[""] | None]]


def declared(pythons: Iterable[Said], own: Listed, groups: Iterable[Listed], python: str) -> Iterator[Said]:
    """Yield what a project declares; markers are read for its own Python, else for `python`."""
    told = list(pythons)
    yield from told
    python = assumed_python(told[0].wishes.python) if told else python
    listed = [*own]
    if not _names_torch(own):
        listed += [one for group in groups if _names_torch(group) for one in group]
    for origin, requirement in listed:
        if requirement is None:
            yield Said(origin=f"{origin:.200} (left out: no index has it)")
        elif requirement == "":
            yield Said(origin=f"{origin:.200} (left out: cannot be read)", is_read=False)
        else:
            yield about(requirement, origin, python)


def about_python(text: str, origin: str) -> Said:
    """Return what a project says of its Python. Raises `UsageError`."""
    try:
        return Said(origin=origin, wishes=Wishes(python=minors(checked(SpecifierSet(text), origin))))
    except InvalidSpecifier:
        raise UsageError(f"{origin:.200}: is no set of versions", "Like this: '>=3.9'") from None


def parsed(texts: Iterable[tuple[str, str]]) -> Listed:
    """Return requirements with their origins. Raises `UsageError`."""
    return [(origin, (read_requirement(text, origin) or "") if text else None) for origin, text in texts]


def _names_torch(listed: Listed) -> bool:
    return any(one and canonicalize_name(one.name) == "torch" for _, one in listed)
