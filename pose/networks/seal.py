"""A digest that a weights file carries in itself, so that a copy of it can be held against it.

It stands in the comment of the zip archive that torch.save writes, where readers of zip files, torch.load
among them, pass over it: `sha256:` and the digest of every byte before the comment.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import BinaryIO

from pose.digests import add_file
from pose.networks.safe_pickle import Refused

END = b"PK\x05\x06"  # of the archive's last record, 22 bytes that end in the length of the comment
END_BYTES = 22
COMMENT = re.compile(rb"sha256:[0-9a-f]{64}")
COMMENT_BYTES = 71
LONGEST_COMMENT = 2**16 - 1  # of any zip archive
AGAIN = "fetch or copy it again"


def seal(path: Path) -> None:
    """Writes the digest into the archive.

    Raises:
        OSError: when the disk does not take it.
        ValueError: when it is no archive that ends without a comment.
    """
    with path.open("r+b") as file:
        file.seek(-END_BYTES, 2)
        last = file.read()
        if not last.startswith(END) or not last.endswith(b"\0\0"):
            raise ValueError(path)
        file.seek(-2, 2)
        file.write(struct.pack("<H", COMMENT_BYTES))
        length = file.tell()
        file.write(b"sha256:" + _digest(file, length))


def check(file: BinaryIO) -> None:
    """Nothing, where the archive is what its digest says or has none; the file is left at its beginning.

    Raises:
        Refused: where it is cut short, was lengthened or changed.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(END)
    comment = tail[at + END_BYTES :] if at >= 0 else tail
    declared = int.from_bytes(tail[at + END_BYTES - 2 : at + END_BYTES], "little") if at >= 0 else None
    if declared != COMMENT_BYTES and not COMMENT.search(comment):
        file.seek(0)
        return  # the archive's own checks are all that it has
    is_shaped = declared == COMMENT_BYTES and COMMENT.fullmatch(comment)
    if not is_shaped or not comment.endswith(_digest(file, size - COMMENT_BYTES)):
        raise Refused("is cut short or damaged: it is not what its digest says", AGAIN)
    file.seek(0)


def _digest(file: BinaryIO, length: int) -> bytes:
    """The SHA-256 of the first bytes, in hexadecimal digits; the file is left behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    add_file(digest, file, length)
    file.seek(length)
    return digest.hexdigest().encode()
