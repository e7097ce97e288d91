"""What can be read off a recipe and its locks alone: no network, no wheel, no environment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envcheck.audit.result import Result, failed, not_verified, passed
from envcheck.recipes import Pin, Recipe

# An address, an option of pip that brings one, or a bare host: where from is the user's own setting.
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*|\bfile:\S+|(?<!\S)(?:-i|-f)(?= )|--(?:extra-)?index(?:-url)?\b|--find-links\b"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|dev|cn|edu|gov|internal|local)\b",
    re.IGNORECASE,
)


def base_image(recipe: Recipe) -> Result:
    """Say whether the base image is pinned by what it holds."""
    image, digest = recipe.base.image, recipe.base.digest
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return failed(f"{image} is named with {digest!r:.80}, which is no SHA-256 digest.")
    return passed(f"{image} is named with its SHA-256.")


def container(recipe: Recipe) -> Result:
    """Say whether there is a lock for the Python inside the base image."""
    python = recipe.container_python
    if recipe.lock_for(python) is None:
        return not_verified(f"No lock for Python {python}, which the base image has: it builds no container.")
    return passed(f"Python {python}, which the base image has, has a lock.")


def locks(recipe: Recipe) -> Result:
    """Say whether the recipe speaks of exactly the locks that are there."""
    here = {key for seen in recipe.machines() for key in map(seen.key, seen.pythons)}
    said = {key for key, check in recipe.checked.items() if check.state != "no"}
    if said - here:
        return failed(f"`checked` speaks of locks that are not there: {', '.join(sorted(said - here))}.")
    if not here:
        return failed("There is no lock: the recipe serves nobody.")
    if here - said:
        return not_verified(f"`checked` does not say how these were tried: {', '.join(sorted(here - said))}.")
    return passed("There is a lock for each that `checked` speaks of.")


def addresses(*files: Path) -> Result:
    """Say whether anything names the place that wheels come from."""
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            found = _ADDRESS.search(line)
            if found:
                return failed(f"{file.name}:{number} names an address: {found[0]:.60}")
    return passed("No address is named.")


def pinned(lock: Path, pins: Sequence[Pin]) -> Result:
    """Say whether each package is pinned once, at a version, and none was lost since the lock was made.

    That each pin has one hash, reading it has shown.
    """
    counted = Counter(canonicalize_name(pin.name) for pin in pins)
    twice = sorted(name for name, count in counted.items() if count > 1)
    if twice:
        return failed(f"Pinned more than once: {', '.join(twice)}.")
    odd = [pin for pin in pins if not _is_version(pin.version)]
    if odd:
        return failed(f"{odd[0].name} is pinned to {odd[0].version!r:.60}, which is no version.")
    made = re.search(r"^# Complete, (\d+) wheels", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if made is None:
        return not_verified("Its head does not say how many pins it was made with.")
    if int(made[1]) != len(pins):
        return failed(f"It was made with {made[1]} pins, and has {len(pins)}.")
    return passed("Every pin is there, once, with one hash.")


def versions(recipe: Recipe, pins: Sequence[Pin]) -> Result:
    """Say whether the pins are what the recipe asks for: its torch, within its bounds."""
    found = _versions(pins)
    for text in (recipe.requirement, *recipe.constraints):
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            return failed(f"{text!r:.60} is no requirement.")
        version = found.get(canonicalize_name(asked.name))
        if version is None and text == recipe.requirement:
            return failed(f"{asked.name} is not in the lock.")
        if version is not None and not asked.specifier.contains(version, prereleases=True):
            return failed(f"The recipe asks for {asked}, and the lock has {version}.")
    return passed(f"{recipe.requirement}, within the recipe's bounds.")


def numpy(recipe: Recipe, pins: Sequence[Pin]) -> Result:
    """Say whether numpy is one that the build was compiled for."""
    version, rule = _versions(pins).get("numpy"), recipe.build.numpy
    if version is None:
        return failed("numpy is not in the lock.")
    if not SpecifierSet(rule).contains(version, prereleases=True):
        return failed(f"{recipe.build.name} is compiled for numpy{rule}, and the lock has {version}.")
    return passed(f"numpy {version.major} fits the build.")


def _versions(pins: Sequence[Pin]) -> dict[str, Version]:
    return {str(canonicalize_name(pin.name)): Version(pin.version) for pin in pins}


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
