"""A RUN on the command line: a run's folder, its record, or its id, found below the working directory."""

from __future__ import annotations

from pathlib import Path

from envcheck.bundle.archive import is_bundle
from envcheck.bundle.unpack import Unpacked, record_in, unpack
from envcheck.documents import read_bytes
from envcheck.environments.place import Watcher
from envcheck.errors import UsageError
from envcheck.paths import cache_dir
from envcheck.runs.record import Record, parse_record
from envcheck.runs.told import with_told

_FILE = "record.json"
# Where runs lie: beside where they were started, and in folders that --output named.
_WHERE = ("runs", "*/runs", "*/*/runs")


def find_run(name: str) -> tuple[Path, Record]:
    """Return a run's folder and its record. Raises `UsageError` for none, for several, for a damaged one.

    Of a run whose envcheck was killed the record has no end; what the stage left beside it is added.
    """
    try:
        folder = _folder(name)
    except (OSError, ValueError):  # longer than a file's name can be, or no name at all
        raise UsageError(f"There is no run {name!r:.60}", _HINT) from None
    file = folder / _FILE
    record = parse_record(read_bytes(file), str(file))
    return folder, record if record.ended is not None else with_told(record, folder)


def find_record(name: str) -> Record:
    """Return the record of a run, or of the run in a bundle's file. Raises `UsageError`."""
    return record_in(Path(name)) if is_bundle(name) else find_run(name)[1]


def find_repeatable(name: str, watch: Watcher) -> tuple[Record, Unpacked | None]:
    """Return the record of a run, and the bundle that it came in, unpacked, None where it did not."""
    if not is_bundle(name):
        return find_run(name)[1], None
    record = record_in(Path(name))
    return record, unpack(Path(name), cache_dir(), watch)


def _folder(name: str) -> Path:
    if not name.strip():
        raise UsageError("The name of a run is empty", _HINT)
    path = Path(name)
    if path.name == _FILE and path.is_file():
        return path.parent
    if (path / _FILE).is_file():
        return path
    if path.exists():
        raise UsageError(f"{name:.200} is no run: it has no {_FILE}", _HINT)
    if "/" in name:
        raise UsageError(f"There is no run {name!r:.200}", _HINT)
    records = (record for where in _WHERE for record in Path().glob(f"{where}/*/{_FILE}"))
    found = sorted({record.parent for record in records if name in record.parent.name})
    exact = [folder for folder in found if folder.name == name]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    if found:
        several = ", ".join(map(str, found[:5]))
        raise UsageError(f"{name!r:.60} is the name of {len(found)} runs: {several}", "Say more of it.")
    raise UsageError(f"There is no run {name!r:.60} below {Path.cwd()}", _HINT)


_HINT = "A run is a folder runs/<time>-<stage>-<id>, or the id."
