"""Reading the small files and folders in which the kernel and the distribution publish facts."""

from __future__ import annotations

import os
from pathlib import Path

# Such files are lines, not megabytes; anything larger is not what its name says.
_MAX_BYTES = 64 * 1024


def plain(said: str) -> str:
    """Return a name or a variable's value as text that can be written: bytes that are none become "?"."""
    return said.encode("utf-8", "replace").decode("utf-8")


def is_file(path: Path) -> bool:
    """Tell whether a file is there and to be seen; Path's own raises where a folder above it is closed."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Tell the same of a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: Path) -> bool:
    """Tell the same of anything."""
    return os.path.exists(path)  # noqa: PTH110


def names(folder: Path) -> list[str] | None:
    """Return what lies in a folder, in order; None where it is absent or closed."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return None


def text(path: Path) -> str | None:
    """Return a file's text without the white space around it; None where it is absent, closed or empty."""
    try:
        with path.open("rb") as file:
            # Device-tree texts end with a NUL byte.
            return file.read(_MAX_BYTES).decode("utf-8", "replace").strip("\0 \t\r\n") or None
    except OSError:
        return None
