"""A log of any size and make, as blocks of plain text.

A compressed one is unpacked, UTF-16 becomes UTF-8, and colours are taken out. Any other encoding stays as
it is: the texts that are looked for are ASCII. Nothing here knows what is looked for.
"""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from envcheck.errors import UsageError
from envcheck.relay import CONTROL_SEQUENCE

_HINT = "A log file is explained, or - for stdin."
_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What text does not hold: numbers and machine code have zeros in plenty, and of what is compressed every
# tenth byte is one of these. A log that lost its beginning while it was written starts with zeros only.
_NO_TEXT = bytes(set(range(0x20)) - set(b"\a\b\t\n\v\f\r\x1b"))
_MOST_NO_TEXT = 0.02
# A control sequence that is not whole waits for the next block; none that means something is longer.
_SEQUENCE_BYTES = 256


@contextmanager
def opened(name: str) -> Iterator[io.BufferedReader]:
    """While open, the bytes of a file, or of stdin for "-". Raises `UsageError`."""
    if name == "-":
        if sys.stdin is None:
            raise UsageError("-: there is no stdin", _HINT)
        yield cast("io.BufferedReader", sys.stdin.buffer)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - what is said of opening is not said of what follows
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}: {why}", _HINT) from None
    with file:
        yield file


def blocks(file: io.BufferedReader, source: str) -> Iterator[bytes]:
    """Yield the log as plain text, about a mebibyte at a time; `source` names it in errors.

    Raises `UsageError` for what is no text, and for what ends in the middle of its compression.
    """
    return _without_sequences(_plain(_read(file, source), source))


def _read(file: io.BufferedReader, source: str) -> Iterator[bytes]:
    try:
        plain = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(_GZIP) else file
        while block := plain.read(_BLOCK_BYTES):
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{source}: cannot be unpacked: {error}", "Is the file complete?") from None
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror or error}", _HINT) from None


def _plain(raw: Iterator[bytes], source: str) -> Iterator[bytes]:
    first = next(raw, b"")
    if first.startswith(_UTF16):
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        first, raw = _utf8(first, decoder), (_utf8(block, decoder) for block in raw)
    text = first.lstrip(b"\0")
    if len(text) - len(text.translate(None, _NO_TEXT)) > _MOST_NO_TEXT * len(text):
        raise UsageError(f"{source}: not a text", _HINT)
    yield text
    yield from raw


def _utf8(block: bytes, decoder: codecs.IncrementalDecoder) -> bytes:
    return decoder.decode(block).encode("utf-8", "replace")


def _without_sequences(plain: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in plain:
        text = rest + block
        start = text.rfind(b"\x1b", -_SEQUENCE_BYTES)
        text, rest = (text[:start], text[start:]) if start >= 0 else (text, b"")
        yield _cleaned(text)
    yield _cleaned(rest)


def _cleaned(text: bytes) -> bytes:
    return CONTROL_SEQUENCE.sub(b"", text) if b"\x1b" in text else text
