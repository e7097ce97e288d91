"""Finds the files of a repository that say what is installed; opens none of them.

Environments, caches and other people's repositories inside are left aside, links are followed only to what
lies inside, and there is an end to what is looked through.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envcheck.doctor.project.facts import Unread

# The name decides, as it does for those who read such files by hand.
_LISTING = re.compile(
    r"(?:[\w.-]*requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|(?:conda[\w.-]*|environment[\w.-]*)\.ya?ml"
    r"|(?:dockerfile|containerfile)(?:[._-].*)?|.*\.(?:dockerfile|containerfile)|setup\.(?:py|cfg)"
    r"|pipfile|(?:poetry|uv|pipfile)\.lock|pylock(?:\..+)?\.toml)",
    re.IGNORECASE,
)
_COMPOSE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml", re.IGNORECASE)
_IN_A_FOLDER_OF_REQUIREMENTS = re.compile(r".*\.(?:txt|in)", re.IGNORECASE)
_NOT_A_FILE_OF_IT = re.compile(r".*\.(?:dockerignore|bak|orig|md|j2|jinja2?|template|tmpl)", re.IGNORECASE)

_LEFT_ASIDE = frozenset({
    *("node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist", "wheels"),
})  # fmt: skip
_HIDDEN_AND_LOOKED_INTO = (".devcontainer", ".docker")
_MOST_FOLDERS_DEEP = 4
_MOST_ENTRIES = 20_000
_MOST_FILES = 60


@dataclass(frozen=True, slots=True)
class FilesFound:
    """Files within a repository, in the order of their names."""

    listings: tuple[str, ...]
    compose: tuple[str, ...]
    unread: tuple[Unread, ...]


def find(folder: Path) -> FilesFound:
    """Return what there is to read in a repository."""
    listings: list[str] = []
    compose: list[str] = []
    unread: list[Unread] = []
    for file in _files(folder, unread):
        kind = listings if is_listing(file) else compose if is_compose(file) else None
        if kind is None:
            continue
        if len(listings) + len(compose) >= _MOST_FILES:
            unread.append(Unread(file, f"Only the first {_MOST_FILES} such files are read."))
            break
        if _leads_out(folder, file):
            unread.append(Unread(file, "It is a link that leads out of the repository, or nowhere."))
        else:
            kind.append(file)
    return FilesFound(tuple(listings), tuple(compose), tuple(unread))


def is_listing(file: str) -> bool:
    """Tell whether a file says what is installed, by its name."""
    *folders, name = file.split("/")
    if _NOT_A_FILE_OF_IT.fullmatch(name):
        return False
    if folders and folders[-1].lower() == "requirements" and _IN_A_FOLDER_OF_REQUIREMENTS.fullmatch(name):
        return True
    return _LISTING.fullmatch(name) is not None


def is_compose(file: str) -> bool:
    """Tell whether a file is one of `docker compose`, by its name."""
    return _COMPOSE.fullmatch(file.rpartition("/")[2]) is not None


def _files(folder: Path, unread: list[Unread]) -> list[str]:
    """Return every file, those nearest to the top first; adds what could not be looked into."""
    files: list[str] = []
    entries = 0

    def cannot(error: OSError) -> None:
        place = os.path.relpath(error.filename or folder, folder)
        unread.append(Unread(place, error.strerror or str(error)))

    for place, folders, names in os.walk(folder, onerror=cannot):
        within = Path(place).relative_to(folder)
        entries += len(names) + len(folders)
        if entries > _MOST_ENTRIES:
            unread.append(Unread(str(within), f"Only the first {_MOST_ENTRIES} entries were looked through."))
            break
        is_deepest = len(within.parts) >= _MOST_FOLDERS_DEEP
        looked_into = (
            () if is_deepest else [one for one in folders if _is_looked_into(Path(place, one), cannot)]
        )
        folders[:] = sorted(looked_into)
        files += ((within / name).as_posix() for name in names)
    return sorted(files, key=lambda file: (file.count("/"), file))


def _is_looked_into(folder: Path, cannot: Callable[[OSError], None]) -> bool:
    """Return whether a folder can say what is installed; `cannot` hears of one that is closed to us."""
    name = folder.name
    if name in _LEFT_ASIDE or (name.startswith(".") and name not in _HIDDEN_AND_LOOKED_INTO):
        return False
    # Of another repository, or an environment.
    try:
        return not any((folder / mark).exists() for mark in ("pyvenv.cfg", "conda-meta"))
    except OSError as error:  # what a container's root has made in a volume
        error.filename = folder
        cannot(error)
        return False


def _leads_out(folder: Path, file: str) -> bool:
    try:
        real = (folder / file).resolve(strict=True)
    except (OSError, RuntimeError):  # a loop of links is either, by the version of Python
        return True
    return not real.is_file() or not real.is_relative_to(folder.resolve())
