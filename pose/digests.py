"""SHA-256 of files, read a part at a time: annotations and pictures may be larger than memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK = 1 << 20  # bytes


def add_file(digest: _Hash, file: BinaryIO, length: int | None = None) -> None:
    """Adds the file's bytes from where it is, all of them or so many, and leaves the file behind them."""
    left = BLOCK if length is None else length
    while left and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        if length is not None:
            left -= len(block)


def digest_of(path: Path) -> str:
    """The file's digest, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        add_file(digest, file)
    return digest.hexdigest()
