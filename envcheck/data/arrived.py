"""What has arrived of a file, on disk: its bytes, their digest, and which edition of the file they are of."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from envcheck.documents import read_json, write_json
from envcheck.errors import EnvcheckError, UsageError

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Edition:
    """How a server named the edition of a file."""

    url: str
    validator: str  # an ETag or a date, as If-Range takes it; "": it has named none


class Arrived:
    """The beginning of a file; its edition stands in a document beside it, for a later try."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            self._hash.update(block)
            self.size += len(block)

    @property
    def digest(self) -> str:
        """The SHA-256 of what is here, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def edition(self) -> Edition | None:
        """Which edition of the file this is of; None where nobody knows."""
        with contextlib.suppress(UsageError):
            return read_json(self._notes, Edition)
        return None

    @edition.setter
    def edition(self, edition: Edition) -> None:
        write_json(self._notes, edition)

    def take(self, block: bytes) -> None:
        """Append what has come. Raises `EnvcheckError` where it cannot be written."""
        try:
            self._file.write(block)
            self._file.flush()
        except OSError as error:
            raise EnvcheckError(
                f"{self.path}: {error.strerror or error}",
                "What has arrived is kept; the same command goes on from there.",
                "disk.full" if error.errno == errno.ENOSPC else "",
            ) from None
        self._hash.update(block)
        self.size += len(block)

    def restart(self) -> None:
        """Forget what is here."""
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.size = 0

    def settle(self) -> None:
        """Let the disk have all of it; its edition is of no more interest."""
        os.fsync(self._file.fileno())
        self._notes.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")


@contextlib.contextmanager
def open_arrived(path: Path) -> Iterator[Arrived]:
    """Open what has arrived of a file, nothing at first; nothing is not kept."""
    with path.open("a+b") as file:
        file.seek(0)
        arrived = Arrived(path, file)
        try:
            yield arrived
        finally:
            if not arrived.size:
                arrived.clear()
