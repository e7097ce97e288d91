"""What compiles here: CUDA toolkits, nvcc, a C compiler, and the headers of Python.

Versions are read from the files beside a program; it is asked only where there are none. Every function
takes the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from envcheck.host.files import is_file, is_folder, is_there, names, plain, text
from envcheck.processes import capture

_NVCC_S = 2.0
_RELEASE = re.compile(r"release (\d+\.\d+)(?:, V(\d+\.\d+\.\d+))?")
_OLD_VERSION = re.compile(r"CUDA Version (\d+(?:\.\d+)+)")  # version.txt, before CUDA 11


def toolkits(root: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the CUDA toolkits by their folder, each once: /usr/local/cuda is a link to one."""
    named = [environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")]
    local = [f"/usr/local/{name}" for name in names(root / "usr/local") or () if name.startswith("cuda")]
    found: dict[str, tuple[str, str]] = {}
    for path in (*reversed(local), "/opt/cuda", *(name for name in named if name.startswith("/"))):
        folder = root / path.lstrip("/")
        if version := _version_beside(folder) or _version_in_name(folder):
            found.setdefault(os.path.realpath(folder), (plain(path.rstrip("/")), version))
    return dict(sorted(found.values()))


def nvcc(root: Path, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the version of the nvcc on PATH, "none" where there is none, None where it does not say."""
    program = _on_path(root, "nvcc", environ)
    if program is None:
        return "none"
    if version := _version_beside(Path(os.path.realpath(program)).parent.parent):
        return version
    said = _RELEASE.search(capture([str(program), "--version"], seconds=_NVCC_S).stdout)
    return (said[2] or said[1]) if said else None


def compiler(root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the C compiler that torch.compile's parts take: CC, else gcc, else clang; else "none"."""
    for name in (environ.get("CC", ""), "gcc", "clang"):
        command = name.split()[0] if name.split() else ""
        found = _on_path(root, command, environ)
        if found is not None:
            return plain(f"/{found.relative_to(root)}")
    return "none"


def python_headers(root: Path) -> bool:
    """Return whether the headers of the running Python are installed."""
    minor = "python{}.{}".format(*sys.version_info[:2])
    headers = root / sys.base_prefix.lstrip("/") / "include" / f"{minor}{sys.abiflags}"
    return is_file(headers / "Python.h")


def _version_beside(folder: Path) -> str | None:
    try:
        version = json.loads(text(folder / "version.json") or "")["cuda"]["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        said = _OLD_VERSION.search(text(folder / "version.txt") or "")
        return said[1] if said else None
    return plain(version)[:20] if isinstance(version, str) else None


def _version_in_name(folder: Path) -> str | None:
    """Return "12.4" for cuda-12.4, as distributions' packages leave it without a file that says more."""
    named = re.fullmatch(r"cuda-(\d{1,3}\.\d{1,3})", folder.name)
    return named[1] if named and is_there(folder / "bin/nvcc") else None


def _on_path(root: Path, command: str, environ: Mapping[str, str]) -> Path | None:
    """Return the program that a command starts, by PATH where it is no path itself."""
    path = environ.get("PATH", os.defpath).split(os.pathsep)
    places = [command] if "/" in command else [f"{folder}/{command}" for folder in path]
    for place in places if command else ():
        program = root / place.lstrip("/")
        if place.startswith("/") and os.access(program, os.X_OK) and not is_folder(program):
            return program
    return None
