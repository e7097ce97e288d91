"""How a bundle lies in its file: a tar of plain files in the order of `bundle.json`, which comes first.

Any tar program reads it. Here it is read by its headers alone, each of which must be the one that
`bundle.json` makes one expect: so links, devices, folders, doubles and hidden extensions have no place.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envcheck.bundle.manifest import FIRST, MOST_BYTES, Manifest, Member, parse_manifest
from envcheck.errors import UsageError

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
_BEGINNING = f"{FIRST}\0".encode()
_READ_BYTES = 1 << 20
_DAMAGED = "It was damaged on its way, or changed: copy it again, or make it anew with envcheck bundle."

Sink = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A bundle that is open for reading, every member where `bundle.json` says."""

    file: Path
    stream: IO[bytes]
    first: bytes  # bundle.json as it is
    digest: str  # of that, which has everybody else's: the bundle's own
    manifest: Manifest
    begins: dict[str, int]  # where each member's bytes begin

    def copy(self, member: Member, sink: Sink) -> None:
        """Give a member's bytes to `sink`, block by block.

        Raises `UsageError` when all were given and they are not what `bundle.json` says: what the sink has
        made of them by then is to be thrown away.
        """
        digest = hashlib.sha256()
        for block in self._blocks(member):
            digest.update(block)
            sink(block)
        if digest.hexdigest() != member.sha256:
            raise UsageError(
                f"{self.file}: {member.path} is damaged: it has the SHA-256 {digest.hexdigest()[:16]}..., and"
                f" {FIRST} names {member.sha256[:16]}...",
                _DAMAGED,
            )

    def content(self, member: Member) -> bytes:
        """Return the bytes of a small member, checked. Raises `UsageError`."""
        content = bytearray()
        self.copy(member, content.extend)
        return bytes(content)

    def _blocks(self, member: Member) -> Iterator[bytes]:
        self.stream.seek(self.begins[member.path])
        left = member.bytes
        while left:
            block = self.stream.read(min(left, _READ_BYTES))
            if not block:
                raise _cut_off(self.file, member.path)
            left -= len(block)
            yield block


def is_bundle(name: str) -> bool:
    """Tell whether that is a file which begins as a bundle does."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - a run's id, or what is no path at all
            return file.read(len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def reading(file: Path) -> Iterator[BundleFile]:
    """Open a bundle; nothing of it is unpacked. Raises `UsageError` for what is none, or is not whole."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    with stream:
        first = _header(stream, file, FIRST)
        if first is None or first.name != FIRST or not first.isreg():
            raise UsageError(
                f"{file} is no bundle: it does not begin with {FIRST}", "envcheck bundle makes one."
            )
        if not 0 <= first.size <= MOST_BYTES:
            raise UsageError(f"{file}: {FIRST} has {first.size >> 20:,} MiB, and at most {MOST_BYTES >> 20}")
        text = stream.read(first.size)
        if len(text) < first.size:
            raise _cut_off(file, FIRST)
        manifest = parse_manifest(text, str(file))
        begins = dict(_begins(stream, file, manifest, BLOCK + padded(first.size)))
        yield BundleFile(file, stream, text, hashlib.sha256(text).hexdigest(), manifest, begins)


def header(path: str, size: int) -> bytes:
    """Return the header of a member: a plain file, nobody's, of no time; three blocks for a long name."""
    info = tarfile.TarInfo(path)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def padded(size: int) -> int:
    """Return what so many bytes take in a tar, without their header."""
    return size + len(padding(size))


def padding(size: int) -> bytes:
    """Return what follows so many bytes, so that the next header begins with a block."""
    return bytes(-size % BLOCK)


def length(members: Iterable[tuple[str, int]]) -> int:
    """Return how long a tar of members of these paths and sizes is."""
    return sum(len(header(path, size)) + padded(size) for path, size in members) + len(END)


def _begins(stream: IO[bytes], file: Path, manifest: Manifest, at: int) -> Iterator[tuple[str, int]]:
    """Yield where each member begins, from the end of `bundle.json` on."""
    named = {one.path for one in manifest.members}
    for member in manifest.members:
        stream.seek(at)
        # A long name lies before its header, which is then read as nothing but what it has to be.
        whole = header(member.path, member.bytes)
        if len(whole) == BLOCK or stream.read(len(whole)) != whole:
            whole = whole[-BLOCK:]
            stream.seek(at)
            found = _header(stream, file, member.path)
            if found is None:
                raise UsageError(f"{file}: {member.path} is missing, which {FIRST} names", _DAMAGED)
            _refuse_other(found, member, named, file)
        at += len(whole)
        yield member.path, at
        at += padded(member.bytes)
    stream.seek(at)
    rest = stream.read(len(END) + 1)
    if len(rest) < len(END):
        raise _cut_off(file, manifest.members[-1].path if manifest.members else FIRST)
    if rest.strip(b"\0") or len(rest) > len(END):
        stream.seek(at)
        more = _header(stream, file, "its end")
        what = f"{more.name!r:.120}, which {FIRST} does not name" if more else "something behind its end"
        raise UsageError(f"{file} holds {what}", _DAMAGED)


def _refuse_other(found: tarfile.TarInfo, member: Member, named: set[str], file: Path) -> None:
    if found.name != member.path:
        why = "comes twice, or out of its order" if found.name in named else f"is not named by {FIRST}"
        raise UsageError(f"{file}: the member {found.name!r:.120} {why}", _DAMAGED)
    if found.type != tarfile.REGTYPE:
        raise UsageError(f"{file}: {member.path} is no plain file", _DAMAGED)
    if found.size != member.bytes:
        raise UsageError(
            f"{file}: {member.path} has {found.size:,} bytes, and {FIRST} names {member.bytes:,}", _DAMAGED
        )


def _header(stream: IO[bytes], file: Path, path: str) -> tarfile.TarInfo | None:
    """Return the next header; None for the tar's end."""
    block = stream.read(BLOCK)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        if len(block) < BLOCK and os.fstat(stream.fileno()).st_size:
            raise _cut_off(file, path) from None
        if block.strip(b"\0"):
            raise UsageError(f"{file}: where {path} should begin is something else", _DAMAGED) from None
        return None


def _cut_off(file: Path, path: str) -> UsageError:
    return UsageError(f"{file} is cut off: it ends before the end of {path}", _DAMAGED)
