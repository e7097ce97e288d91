"""A zip that nobody vouches for, read within bounds: no member is unpacked whole, nothing is written.

A wheel of torch weighs gigabytes and may be anybody's file. Whatever its table of contents claims, at most
the limits below are held in memory, and what breaks a limit or does not unpack is a `UsageError`.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envcheck.errors import UsageError

# The largest single read: torch's own table of contents has 13,000 names in 1.5 MB, and a name costs ten
# times its bytes in memory once it is read.
_READ_BYTES = 8 << 20
_TEXT_BYTES = 256 << 10  # torch's METADATA has 36 KB
_LIBRARY_BYTES = 512 << 20  # libtorch_python.so has 35 MB
_WINDOW_BYTES = 1 << 20
# Two windows share this much, so that a text on their border is whole in one of them.
_OVERLAP_BYTES = 1024

_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # bz2 and lzma unpack a block whole, however large


@dataclass(frozen=True, slots=True)
class Archive:
    """An open zip."""

    path: Path
    zip: zipfile.ZipFile

    def text(self, name: str) -> str:
        """Return a small member as text."""
        with self._member(name) as member:
            data = member.read(_TEXT_BYTES + 1)
        if len(data) > _TEXT_BYTES:
            raise UsageError(f"{self.path}: {name} is larger than {_TEXT_BYTES >> 10} KiB")
        return data.decode("utf-8", "replace")

    def windows(self, name: str) -> Iterator[bytes]:
        """Yield a large member piece by piece, each piece beginning with the end of the one before."""
        total = 0
        kept = b""
        with self._member(name) as member:
            while piece := member.read(_WINDOW_BYTES):
                total += len(piece)
                if total > _LIBRARY_BYTES:
                    raise UsageError(f"{self.path}: {name} is larger than {_LIBRARY_BYTES >> 20} MiB")
                window = kept + piece
                yield window
                kept = window[-_OVERLAP_BYTES:]

    def _member(self, name: str) -> zipfile.ZipExtFile:
        try:
            info = self.zip.getinfo(name)
        except KeyError:
            raise UsageError(
                f"{self.path} has no {name}", "Only torch's own wheels for Linux are measured."
            ) from None
        if info.compress_type not in _PACKED:
            raise UsageError(f"{self.path}: {name} is packed in a way that wheels are not")
        member = self.zip.open(info)
        assert isinstance(member, zipfile.ZipExtFile)  # noqa: S101 - as it always is for reading
        return member


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip; while it is open, whatever is wrong with it is a `UsageError` that names the file."""
    try:
        opened = io.FileIO(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    try:
        with _Bounded(opened) as file, zipfile.ZipFile(file) as archive:
            outside = next((name for name in archive.namelist() if ".." in name.split("/")), None)
            if outside is not None:
                raise UsageError(f"{path}: names {outside!r:.80}, a file outside of itself")
            yield Archive(path, archive)
    except (
        OSError,  # an offset beyond what a file can have, or the disk's own
        EOFError,  # cut off inside a member
        ValueError,  # an offset before the file's beginning
        RuntimeError,  # encrypted; NotImplementedError too: a zip of a kind that zipfile does not know
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UsageError(f"{path} is no whole wheel: {error}", "Is the file complete?") from None


class _Bounded(io.BufferedReader):
    """A file that refuses to be read in one enormous piece, as `zipfile` reads a table of contents."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes."""
        if size is None or size < 0:
            return super().read(_READ_BYTES)
        if size > _READ_BYTES:
            raise zipfile.BadZipFile(f"it wants {size:,} bytes at once")
        return super().read(size)
