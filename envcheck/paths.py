"""Where envcheck finds what it ships, and where it keeps what it makes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs

Folder = Literal["recipes", "containers", "pose"]


def shipped(name: Folder) -> Path:
    """Return a folder that ships with envcheck: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_shipped" / name
    return installed if installed.is_dir() else package.parent / name


def cache_dir() -> Path:
    """Return the folder for wheels, environments and copies of pose; ENVCHECK_CACHE moves it."""
    chosen = os.environ.get("ENVCHECK_CACHE")
    return Path(chosen).absolute() if chosen else Path(platformdirs.user_cache_dir("envcheck"))
