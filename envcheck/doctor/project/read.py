"""Reads a repository: each file that says what is installed, and what is picked for it on a machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from envcheck.choice.choose import choose
from envcheck.choice.requirements.asked import Said, shown
from envcheck.choice.requirements.read import read
from envcheck.doctor.project.compose import read_compose
from envcheck.doctor.project.facts import Listing, Project, Service, Unread
from envcheck.doctor.project.find import FilesFound, find
from envcheck.doctor.project.packages import together
from envcheck.doctor.project.places import numbered
from envcheck.documents import read_text
from envcheck.errors import UsageError
from envcheck.host.facts import Host
from envcheck.recipes import Recipe, load_recipes

_LOCK = re.compile(r"(?:^|/)(?:(?:poetry|uv|pipfile)\.lock|pylock(?:\.[^/]+)?\.toml)$", re.IGNORECASE)
_BESIDE_LOCK = re.compile(r"(?:^|/)(?:pyproject\.toml|pipfile)$", re.IGNORECASE)

# Locks have a few hundred lines each, and cost a tenth of a millisecond a line.
_MOST_LINES = 20_000


def read_project(folder: Path, host: Host) -> Project:
    """Return a repository as it lies there. Raises `UsageError` where there is no such folder."""
    if not os.path.isdir(folder):  # noqa: PTH112 - a Path raises where it may not look
        raise UsageError(f"--project {folder}: there is no such folder", "Name the folder of a repository.")
    found = find(folder)
    of_files = [
        *_listings(folder, found.listings, host),
        *(one for file in found.compose for one in _services(folder, file)),
    ]
    listings = [one for one in of_files if isinstance(one, Listing)]
    services = tuple(one for one in of_files if isinstance(one, Service))
    unread = [one for one in of_files if isinstance(one, Unread)]
    return Project(
        folder=str(folder),
        listings=_unlocked(listings),
        services=services,
        unread=(*found.unread, *unread, *_not_understood(listings), *_not_found(services, found)),
    )


def _listings(folder: Path, files: Sequence[str], host: Host) -> Iterator[Listing | Unread]:
    """Yield what each file says, up to as much as any repository says."""
    recipes = load_recipes()
    lines = 0
    for file in files:
        if lines > _MOST_LINES:
            yield Unread(file, f"The files before it have more than {_MOST_LINES} lines.")
            break
        one = _listing(folder, file, host, recipes)
        lines += len(one.said) if isinstance(one, Listing) else 0
        yield one


def _listing(folder: Path, file: str, host: Host, recipes: tuple[Recipe, ...]) -> Listing | Unread:
    path = folder / file
    try:
        asked = read(path, within=folder)
        choice = choose(host, recipes, replace(asked.wishes, requirements=str(path)))
        text = read_text(path)
    except UsageError as error:
        return _unread(folder, file, error)
    said = numbered(tuple(_within(folder, one) for one in asked.said), file, text)
    return Listing(
        file=file,
        path=str(path),
        said=said,
        packages=together(said),
        wishes=asked.wishes,
        choice=choice,
    )


def _unlocked(listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """Return the listings without those whose versions a lock beside them has settled."""
    locked = {one.file.rpartition("/")[0] for one in listings if _LOCK.search(one.file)}
    return tuple(
        one
        for one in listings
        if not (_BESIDE_LOCK.search(one.file) and one.file.rpartition("/")[0] in locked)
    )


def _not_understood(listings: Iterable[Listing]) -> Iterator[Unread]:
    """Yield the lines that a reader passed over: only a shell, or Python, could tell what they say."""
    for listing in listings:
        for said in listing.said:
            if not said.is_read:
                yield Unread(said.origin, "Whether it matters is not known.")


def _not_found(services: Iterable[Service], found: FilesFound) -> Iterator[Unread]:
    """Yield the services whose Dockerfile is not among those that were found."""
    for one in services:
        if one.dockerfile and one.dockerfile not in found.listings:
            yield Unread(one.place, f"{one.dockerfile} is not among the files that were read.")


def _services(folder: Path, file: str) -> Iterator[Service | Unread]:
    try:
        yield from read_compose(read_text(folder / file), file)
    except UsageError as error:
        yield _unread(folder, file, error)


def _within(folder: Path, said: Said) -> Said:
    """Return what a line says with its place within the repository, fit to be shown."""
    origin, line = (shown(_inside(folder, text)) for text in (said.origin, said.line))
    return replace(said, origin=origin, line=line)


def _unread(folder: Path, file: str, error: UsageError) -> Unread:
    """Return an error of a reader, which begins with the place, as what could not be read."""
    place, _, why = _inside(folder, f"{error.message}. {error.hint}".strip()).partition(": ")
    if not place.startswith(file):
        place, why = file, f"{place}: {why}"
    return Unread(shown(place), shown(why))


def _inside(folder: Path, text: str) -> str:
    """Return a text with the paths of the repository's files as the repository has them."""
    return text if folder == Path() else re.sub(rf"(?<![\w./-]){re.escape(str(folder))}/", "", text)
