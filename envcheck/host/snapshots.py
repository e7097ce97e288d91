"""Reads the facts of other machines: a snapshot, a folder of them, or JSON lines, each host with its name.

Hosts stream: a fleet of a hundred thousand is never in memory at once. What they mean is not known here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from envcheck.documents import is_json, parse_json, read_json
from envcheck.errors import UsageError
from envcheck.host.facts import SCHEMA, Host

# A machine of sixteen GPUs, each in seven slices, is 40 KiB.
MAX_SNAPSHOT_BYTES = 1024 * 1024
_LINES = (".jsonl", ".ndjson")


def read_hosts(names: Iterable[str]) -> Iterator[tuple[str, Host]]:
    """Yield the hosts of files, folders and, for "-", standard input. Raises `UsageError`.

    A folder stands for the `.json` and `.jsonl` files in it. Standard input may hold one document, or one
    a line.
    """
    for name in names:
        if name == "-":
            if sys.stdin is None:
                raise UsageError("-: there is no stdin", "A file or a folder is read, or - for stdin.")
            yield from _lines_or_one(sys.stdin.buffer, "standard input")
        elif Path(name).is_dir():
            yield from _folder(Path(name))
        else:
            yield from _file(Path(name))


def _folder(folder: Path) -> Iterator[tuple[str, Host]]:
    files = sorted(file for file in folder.iterdir() if file.suffix in (".json", *_LINES))
    if not files:
        hint = "`envcheck probe --output NAME.json` makes one."
        raise UsageError(f"{folder}: no snapshot in this folder", hint)
    for file in files:
        yield from _file(file)


def _file(path: Path) -> Iterator[tuple[str, Host]]:
    if path.suffix not in _LINES:
        yield str(path), read_json(path, Host, schema=SCHEMA, limit=MAX_SNAPSHOT_BYTES)
        return
    try:
        with path.open("rb") as file:
            yield from _lines_or_one(file, str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _lines_or_one(file: BinaryIO, source: str) -> Iterator[tuple[str, Host]]:
    """Yield a host a line; where the first line that says something is no document, the file is one."""
    head = _head(file)
    if not head or not is_json(head[-1]):
        rest = file.read(MAX_SNAPSHOT_BYTES + 1)
        yield source, _parsed(b"".join(head) + rest, source)
        return
    number = len(head)
    line = head[-1]
    while line:
        if line.strip():
            name = f"{source}:{number}"
            yield name, _parsed(line, name)
        line = file.readline(MAX_SNAPSHOT_BYTES + 1)
        number += 1


def _head(file: BinaryIO) -> list[bytes]:
    """Return the first lines, up to one that is not blank or to more than a snapshot may hold."""
    lines: list[bytes] = []
    size = 0
    while size <= MAX_SNAPSHOT_BYTES and (line := file.readline(MAX_SNAPSHOT_BYTES + 1)):
        lines.append(line)
        size += len(line)
        if line.strip():
            break
    return lines


def _parsed(data: bytes, source: str) -> Host:
    return parse_json(data, Host, source=source, schema=SCHEMA, limit=MAX_SNAPSHOT_BYTES)
