"""The packages in a folder, by the names of their metadata and by files that they cannot do without.

A folder "numpy-2.1.0.dist-info" is numpy 2.1.0 (the specification of recorded projects says so); METADATA is
not read. Only packages that matter to torch and its pictures are told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from envcheck.host.facts import InstalledPackage
from envcheck.host.files import is_there, text
from envcheck.host.torch_files import assignments, numpy_headers

# What is told, and the module that it installs.
_MODULES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "scipy": "scipy",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "opencv-contrib-python": "cv2",
    "opencv-contrib-python-headless": "cv2",
    "pycocotools": "pycocotools",
    "xtcocotools": "xtcocotools",
}

# numpy-2.1.0.dist-info; numpy-1.24.2.egg-info and numpy-1.24.2-py3.11.egg-info of older tools.
_METADATA = re.compile(
    r"([A-Za-z0-9][\w.]{0,63})-([0-9][\w.+!]{0,63})(?:-py3[.0-9]*)?\.(?:dist|egg)-info", re.ASCII
)

# Whose version in a file says more than the metadata's: "2.10.0+cu128" instead of "2.10.0".
_SAY_VERSION = ("torch", "torchvision", "torchaudio")
# Their compiled part is one small file.
_SMALL = ("pycocotools", "xtcocotools")

# Requires-Dist: nvidia-cudnn-cu12 (==8.9.2.26) ; platform_system == "Linux" and platform_machine == "x86_64"
_PIN = re.compile(
    r"^Requires-Dist: (nvidia-[a-z0-9-]{1,60}) ?\(?==([0-9][0-9a-z.]{0,40})\)?(?: ?;|$)", re.MULTILINE
)

_MOST_ENTRIES = 20_000
_MOST_BYTES = 8 << 20

Origin = Literal["wheel", "built here", "conda", "system"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """A package's metadata in a folder of packages."""

    name: str  # "opencv-python"
    version: str
    path: Path  # its folder; of older tools, sometimes a file


def metadata_in(folder: Path) -> list[Metadata]:
    """Return the metadata that lies in a folder, by the names of its entries. Raises `OSError`."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, _MOST_ENTRIES))
    found = filter(None, map(_METADATA.fullmatch, names))
    return [Metadata(normalized(one[1]), one[2], folder / one[0]) for one in found]


def packages_in(found: Iterable[Metadata]) -> Iterator[InstalledPackage]:
    """Yield the packages among `found` that matter here."""
    for one in found:
        if one.name in _MODULES:
            yield _package(one.name, one.version, one.path.parent, one.path)


def unmet(torch: Path, found: Iterable[Metadata]) -> tuple[str, ...]:
    """Return the libraries in `found` of another version than the metadata at `torch` pins.

    One that is not there at all may belong to another machine: markers are not read.
    """
    # The requirements stand before the description, which is long.
    pins = dict(_PIN.findall(text(torch / "METADATA") or ""))
    first = {one.name: one.version for one in reversed(tuple(found))}
    there = {name: first[name] for name in sorted(pins) if name in first}
    return tuple(
        f"{name} {version}, not {pins[name]}" for name, version in there.items() if version != pins[name]
    )


def normalized(name: str) -> str:
    """Return a package's name as all tools compare it: "opencv_python" is "opencv-python".

    As `packaging.utils` has it, which takes 5 ms to load.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(name: str, version: str, folder: Path, metadata: Path) -> InstalledPackage:
    said = ""
    if name in _SAY_VERSION:
        said = assignments(text(folder / name / "version.py") or "").get("__version__", "")
    same = said.partition("+")[0] == version.partition("+")[0]
    broken = _broken(name, folder, metadata)
    if broken is None and said and not same:
        broken = f"its files are of {said}"
    return InstalledPackage(
        name=name,
        version=said if said and same else version,
        folder=str(folder),
        origin=_origin(metadata),
        numpy=_numpy(folder / name) if name in _SMALL else None,
        broken=broken,
    )


def _origin(metadata: Path) -> Origin:
    """Return who built a package, as far as its metadata says."""
    installer = (text(metadata / "INSTALLER") or "").lower()
    if installer == "conda":
        return "conda"
    wheel = text(metadata / "WHEEL")
    if wheel is None or installer in ("rpm", "debian"):
        return "system"
    # Nobody uploads such a wheel but PyTorch, to an index of its own.
    tags = re.findall(r"^Tag: \S+-(linux_\w+)$", wheel, re.MULTILINE)
    return "built here" if tags and not metadata.name.startswith("torch") else "wheel"


def _broken(name: str, folder: Path, metadata: Path) -> str | None:
    """Return what a package's files lack: its module, or the libraries that its wheel brought along."""
    needed = [f"{_MODULES[name]}/__init__.py"]
    if name not in _SAY_VERSION:  # they have theirs inside, and a list of files of megabytes
        needed.append(f"{metadata.name.partition('-')[0]}.libs")
    missing = [path for path in needed if not is_there(folder / path)]
    # Not every package has such libraries, and what somebody works on lies elsewhere: the list of files says.
    recorded = _start(metadata / "RECORD").decode("utf-8", "replace") if missing else ""
    listed = (path for path in missing if re.search(rf"^{re.escape(path)}[/,]", recorded, re.MULTILINE))
    return next((f"{path} is missing" for path in listed), None)


def _numpy(module: Path) -> Literal["1", "2"] | None:
    """Return whose headers the compiled part was made with; None where there is none, or it does not say."""
    try:
        compiled = next(iter(sorted(module.glob("_mask*.so"))), None)
    except OSError:
        return None
    return numpy_headers(_start(compiled)) if compiled else None


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return b""
