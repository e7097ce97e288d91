"""Whether what was installed is still what the wheels held, by the RECORD that each of them brings.

`missing_parts` looks at the compiled libraries alone, by their size, which costs milliseconds: every run can
afford it. `changed_files` holds each file against its hash, which reads all of them.
"""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from envcheck.digests import sha256_of

_LIBRARY = re.compile(r"^(?P<path>[^,\n]+\.so[^,/\n]*),sha256=[^,\n]+,(?P<size>[0-9]+)$", re.MULTILINE)


def missing_parts(home: Path) -> Iterator[str]:
    """Yield the compiled libraries of the environment `home` that are gone, or not as long as they were."""
    for record in _records(home):
        text = record.read_text(encoding="utf-8", errors="replace")
        packages = record.parent.parent
        for line in _LIBRARY.finditer(text):
            library = packages / line["path"]
            try:
                size = library.stat().st_size
            except OSError:
                yield f"{line['path']} is gone"
                continue
            if size != int(line["size"]):
                yield f"{line['path']} has {size:,} bytes, and had {int(line['size']):,}"


def changed_files(home: Path) -> Iterator[str]:
    """Yield the installed files of the environment `home` that are gone, or not what their wheel held."""
    for record in _records(home):
        packages = record.parent.parent
        with record.open(encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.reader(file):
                path, said = (*row, "", "")[:2]
                # What pip writes itself has no hash; a script names the interpreter, and moved with it.
                if not said.startswith("sha256=") or path.startswith("../"):
                    continue
                try:
                    found = digest_of(packages / path)
                except OSError:
                    yield f"{path} is gone"
                    continue
                if found != said.removeprefix("sha256="):
                    yield f"{path} is not what its wheel held"


def installed(home: Path) -> tuple[str, ...]:
    """Return what is installed in the environment `home`: "torch-2.13.0+cpu.dist-info"."""
    return tuple(record.parent.name for record in _records(home))


def unrecorded(home: Path, wanted: Iterable[str]) -> Iterator[str]:
    """Yield what of the `wanted` is not installed in `home`: without a RECORD its files are not looked at."""
    found = set(installed(home))
    if not found:
        yield "nothing is installed in it"
    for name in wanted:
        if name not in found:
            yield f"{name} is gone"


def digest_of(file: Path) -> str:
    """Return a file's SHA-256 as RECORD writes it: base64 for addresses, without its padding."""
    return base64.urlsafe_b64encode(sha256_of(file).digest()).rstrip(b"=").decode("ascii")


def _records(home: Path) -> list[Path]:
    return sorted(home.glob("lib/python3*/site-packages/*.dist-info/RECORD"))
