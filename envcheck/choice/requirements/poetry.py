"""Reads Poetry's own tables of pyproject.toml, and writes what stands there as PEP 508 does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from envcheck.errors import UsageError


# A Struct, as its neighbours in `pyproject`: keys are written with hyphens there.
class Package(msgspec.Struct, frozen=True):
    """One package as a table; what has neither version nor url comes from a folder or a repository."""

    version: str = ""
    url: str = ""
    source: str = ""
    markers: str = ""
    python: str = ""
    extras: tuple[str, ...] = ()
    optional: bool = False


Packages = dict[str, str | Package | tuple[Package, ...]]

# "^1.2.3", "~1.2.3" and "1.2.3" stand alone or in a list, between commas.
_CLAUSE = re.compile(r"(?P<sign>[\^~]?)\s*(?P<fields>\d{1,9}(?:\.\d{1,9}){0,3})[\w.+]*(?:\.\*)?")


def variants(package: str | Package | tuple[Package, ...]) -> tuple[Package, ...]:
    """Return the tables of a package: one, or one for each kind of machine."""
    if isinstance(package, str):
        return (Package(version=package),)
    return (package,) if isinstance(package, Package) else package


def requirements(packages: Packages, where: str) -> Iterator[tuple[str, str]]:
    """Yield each package that is not Python as its origin and a requirement. Raises `UsageError`.

    The requirement is empty for a package that no index has.
    """
    for name, written in packages.items():
        for one in variants(written) if name.lower() != "python" else ():
            said = one.version or one.url
            origin = f"{where}.{name}: {said or 'a folder or a repository'}"
            markers = [f"({one.markers})" if one.markers else "", _python_marker(one.python, origin)]
            marker = " and ".join(filter(None, markers))
            extras = f"[{','.join(one.extras)}]" if one.extras else ""
            wanted = f" @ {one.url} " if one.url else pep_440(one.version, origin)
            yield origin, f"{name}{extras}{wanted}{'; ' if marker else ''}{marker}" if said else ""


def pep_440(text: str, origin: str) -> str:
    """Return "^1.13" as ">=1.13,<2", "~1.13" as ">=1.13,<1.14", "1.13" as "==1.13". Raises `UsageError`."""
    if "|" in text:
        raise UsageError(f"{origin:.200}: a choice between ranges is not read", "Name one range.")
    clauses = (_clause(part.strip()) for part in text.split(","))
    return ",".join(clause for clause in clauses if clause != "*")


def _clause(text: str) -> str:
    parsed = _CLAUSE.fullmatch(text)
    if parsed is None:
        return text  # a relation, which PEP 440 reads the same way, or nonsense, which it refuses
    sign, fields = parsed["sign"], [int(one) for one in parsed["fields"].split(".")]
    if not sign:
        return f"=={text}"
    if sign == "~":
        kept = fields[:2]
    else:
        # Up to the first field that is not 0, which is the one that breaks things.
        kept = fields[: next((n for n, one in enumerate(fields, 1) if one), len(fields))]
    after = ".".join(map(str, (*kept[:-1], kept[-1] + 1)))
    return f">={text[1:].strip()},<{after}"


def _python_marker(text: str, origin: str) -> str:
    clauses = re.findall(r"([<>=!~]+)\s*([\d.]+?)(?:\.\*)?(?:,|$)", pep_440(text, origin)) if text else []
    return " and ".join(f"python_version {sign} '{version}'" for sign, version in clauses)
