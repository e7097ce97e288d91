"""SHA-256 of files: the name under which wheels are kept, and what records say of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def sha256_of(file: Path) -> hashlib._Hash:
    """Return a file's SHA-256. Raises `OSError`."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        for block in iter(lambda: content.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest
