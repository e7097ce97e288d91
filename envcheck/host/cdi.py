"""The CDI specifications of this machine: which GPUs, libraries and devices engines are to hand over.

`nvidia-ctk cdi generate` writes one key on each line, thousands of them for eight cards. They are read line
by line: a YAML parser takes seconds for what is needed of them. Whether a spec is right is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from packaging.version import Version

from envcheck.documents import parse_json, read_text
from envcheck.errors import UsageError
from envcheck.host.facts import Cdi
from envcheck.versions import Spelled

GPU = "nvidia.com/gpu"
# In the order of their weight: what stands in the last one counts.
FOLDERS = ("/etc/cdi", "/var/run/cdi")

_MOST_SPECS = 64  # a folder of more is not what its name says
_MOST_DEVICES = 1024  # 16 cards in slices, each by number and by UUID, are 256
_MOST_FILES = 512  # looked for; a spec of eight cards names a hundred
_MOST_MISSING = 32
_LONGEST = 256  # characters of a name; those of NVIDIA have 45

_LINE = re.compile(
    r"^(?P<indent>[ \t]*)(?:- )?(?P<key>kind|name|hostPath|path):[ \t]*(?P<value>\S.*)$", re.MULTILINE
)
# The library of the driver whose name holds its version; WSL's and Tegra's are called libcuda.so.1.1.
_DRIVER = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.(?P<version>[0-9]{3,4}(?:\.[0-9]{1,4}){1,2})")


def read_cdi(root: Path = Path("/")) -> tuple[tuple[Cdi, ...], dict[str, str]]:
    """Return the specs that describe NVIDIA's GPUs or cannot be read, and why what is missing is missing."""
    specs: list[Cdi] = []
    unknown: dict[str, str] = {}
    for path in _files(root, FOLDERS):
        where = f"/{path.relative_to(root)}"
        try:
            pairs = _pairs(path)
        except UsageError as error:
            unknown[f"cdi[{len(specs)}]"] = error.message.removeprefix(f"{path}: ")
            specs.append(Cdi(where))
            continue
        if ("kind", GPU) in pairs:
            spec = _spec(where, pairs, root)
            if spec.driver is None:
                unknown[f"cdi[{len(specs)}].driver"] = "no library that it names tells a driver's version"
            specs.append(spec)
    return tuple(specs), unknown


def kinds(folders: Iterable[str], root: Path = Path("/")) -> Iterator[str]:
    """Yield what kinds of devices the readable specs in these folders describe."""
    for path in _files(root, folders):
        try:
            pairs = _pairs(path)
        except UsageError:  # somebody else's file: one that is unreadable describes nothing to hand over
            continue
        yield from (value for key, value in pairs if key == "kind")


def _files(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        place = root / folder.lstrip("/")
        try:
            with os.scandir(place) as entries:
                names = sorted(entry.name for entry in islice(entries, _MOST_SPECS))
        except OSError:  # there is none, or it is closed: engines that run as this user see as little
            continue
        yield from (place / name for name in names if name.endswith((".yaml", ".yml", ".json")))


def _pairs(path: Path) -> list[tuple[str, str]]:
    """Return the kind, the devices' names and all paths, in their order. Raises `UsageError`."""
    text = read_text(path)
    if path.suffix == ".json":
        return list(_walked(parse_json(text.encode(), dict[str, Any], source=str(path))))
    pairs = [(match["key"], _scalar(match["value"])) for match in _LINE.finditer(text) if _stands(match)]
    if not any(key == "kind" for key, _ in pairs):
        raise UsageError(f"{path}: no kind of device stands on a line of its own")
    return pairs


def _stands(match: re.Match[str]) -> bool:
    """Tell whether a line is what its key says: the spec's kind is not indented, everything else can be."""
    return match["key"] != "kind" or not match["indent"]


def _scalar(value: str) -> str:
    value = value.rstrip()
    quote = value[0]
    return value[1:-1] if len(value) > 1 and quote in "\"'" and value[-1] == quote else value


def _walked(value: object) -> Iterator[tuple[str, str]]:
    """Yield what `_pairs` is after, from JSON; msgspec refuses what is nested too deep for a stack."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("kind", "name", "hostPath", "path") and isinstance(inner, str):
                yield key, inner
            else:
                yield from _walked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walked(inner)


def _spec(where: str, pairs: list[tuple[str, str]], root: Path) -> Cdi:
    paths = dict.fromkeys(value for key, value in pairs if key in ("hostPath", "path"))
    names = dict.fromkeys(value for key, value in pairs if key == "name" and len(value) <= _LONGEST)
    return Cdi(
        where,
        kind=GPU,
        driver=_driver(paths),
        devices=tuple(islice(names, _MOST_DEVICES)),
        missing=tuple(islice(_missing(islice(paths, _MOST_FILES), root), _MOST_MISSING)),
    )


def _driver(paths: Iterable[str]) -> Version | None:
    return next((Spelled(match["version"]) for path in paths if (match := _DRIVER.search(path))), None)


def _missing(paths: Iterable[str], root: Path) -> Iterator[str]:
    return (path for path in paths if _is_gone(root / path.lstrip("/")))


def _is_gone(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # closed to this user, or no path at all: nothing is known of it
        return False
    return False
