"""Where the dynamic loader finds a library: LD_LIBRARY_PATH, the cache that ldconfig made, its own folders.

Nothing is loaded here. Every function takes the root of the file system, so that a folder can stand in for a
machine; the paths that come back are those of that machine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MAX_CACHE_BYTES = 4 << 20  # 20 to 200 KiB on real machines
_MAX_FOLDERS = 64
_PATH_BYTES = 4096

# glibc's elf/cache.c: a header of 48 bytes and entries of 24; an older format may stand before it, which
# every glibc since 2.2 passes over. In an entry's flags the second byte names the processor.
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("=20sII20x")
_ENTRY = struct.Struct("=iIIIQ")
_PROCESSOR = 0xFF00
_PROCESSORS = {"x86_64": 0x0300, "aarch64": 0x0A00, "ppc64le": 0x0500}

_LAST = ("lib64", "usr/lib64", "lib", "usr/lib", "usr/local/lib")


@dataclass(frozen=True, slots=True)
class Loader:
    """What the loader of one machine knows."""

    root: Path
    first: tuple[str, ...]  # the folders of LD_LIBRARY_PATH
    cached: Mapping[str, tuple[str, ...]]  # a library's name -> its files, in the cache's order

    def find(self, name: str) -> tuple[str, ...]:
        """Return the files that `name` could be, in the order in which the loader takes them."""
        places = (
            *(f"{folder}/{name}" for folder in self.first),
            *self.cached.get(name, ()),
            *(f"/{folder}/{name}" for folder in _LAST),
        )
        there: dict[str, str] = {}
        for path in places:
            real = os.path.realpath(self.root / path.lstrip("/"))
            if os.path.isfile(real):  # noqa: PTH113 - Path's own raises where a folder is closed
                there.setdefault(real, path)
        return tuple(there.values())


def read_loader(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Loader:
    """Return what the loader knows; an unreadable cache is as good as none."""
    named = environ.get("LD_LIBRARY_PATH", "").replace(";", ":").split(":")
    folders = dict.fromkeys(folder.rstrip("/") for folder in named if folder.startswith("/"))
    return Loader(root, tuple(folders)[:_MAX_FOLDERS], _cache(root))


def _cache(root: Path) -> dict[str, tuple[str, ...]]:
    try:
        with (root / "etc/ld.so.cache").open("rb") as file:
            data = file.read(_MAX_CACHE_BYTES)
    except OSError:
        return {}
    start = data.find(_MAGIC)
    if start < 0:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, path in _entries(data[start:], _PROCESSORS.get(os.uname().machine)):
        found[name] = (*found.get(name, ()), path)
    return found


def _entries(cache: bytes, processor: int | None) -> Iterator[tuple[str, str]]:
    """Yield the names and files of a cache that are for this processor; a cut one ends where it is cut."""
    try:
        _, count, _ = _HEADER.unpack_from(cache)
        for place in range(count):
            flags, key, value, _, _ = _ENTRY.unpack_from(cache, _HEADER.size + place * _ENTRY.size)
            if processor in (None, flags & _PROCESSOR):
                yield _string(cache, key), _string(cache, value)
    except struct.error:
        return


def _string(cache: bytes, start: int) -> str:
    """Return the text that ends with a NUL; "" where none does within a path's length."""
    end = cache.find(b"\0", start, start + _PATH_BYTES)
    return cache[start : max(start, end)].decode("utf-8", "replace")
