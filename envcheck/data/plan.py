"""What of a dataset is in its folder already, what is missing, and the room that it takes; the disk is asked.

What was unpacked is known again by its receipt: the archive's digest and the sizes of its files, as hashing
18 GiB at every call would take minutes. Weights are hashed. What is not ready lies in a folder of ours,
`.envcheck`, in the folder that it is meant for: they may be on different disks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from envcheck.data.catalogue import Dataset, Part, find_dataset
from envcheck.data.source import Source, check_address
from envcheck.digests import sha256_of
from envcheck.documents import read_json
from envcheck.environments.failures import require_disk
from envcheck.errors import EnvcheckError, UsageError

RECEIPT_SCHEMA = "envcheck.receipt/1"

# "here": brought by us, and as it was; "found": brought by others, its files are there, unchecked.
Standing = Literal["here", "found", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an archive."""

    schema: str = RECEIPT_SCHEMA
    sha256: str
    files: dict[str, int]  # below the folder that it was unpacked into -> bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A part, and how it stands with it."""

    part: Part
    source: Source
    home: Path  # the folder that it goes into
    state: Standing = "missing"
    files: int = 0  # that are there
    arrived: int = 0  # bytes of the file, where the part is missing

    @property
    def kept(self) -> Path:
        """Where the file lies for good: weights, or an archive that somebody wants to have."""
        return self.home / self.part.file_name

    @property
    def workshop(self) -> Path:
        """The folder for what is not ready."""
        return self.home / ".envcheck"

    @property
    def archive(self) -> Path:
        """Where a whole archive waits to be unpacked."""
        return self.workshop / self.part.file_name

    @property
    def beginning(self) -> Path:
        """Where the file lies as long as it is not whole."""
        return self.workshop / f"{self.part.file_name}.part"

    @property
    def receipt(self) -> Path:
        """Where it stands what became of the archive."""
        return self.workshop / f"{self.part.name}.json"

    @property
    def needed_mib(self) -> int:
        """The room that bringing it takes."""
        return -(-(self.part.size - self.arrived) // (1 << 20)) + self.part.unpacked_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done for a dataset."""

    dataset: Dataset
    folder: Path
    base: str  # the address that is asked
    keep: bool  # the archives, beside what they hold
    items: tuple[Item, ...]

    @property
    def missing(self) -> tuple[Item, ...]:
        """What has to be brought."""
        return tuple(item for item in self.items if item.state == "missing")

    def rooms(self) -> dict[Path, int]:
        """Return how much room is needed at most, in MiB, by a folder for each disk that is concerned."""
        folders: dict[int, Path] = {}
        taken: dict[int, int] = {}
        most: dict[int, int] = {}
        for item in self.missing:
            home = item.home.absolute()
            folder = next(one for one in (home, *home.parents) if one.exists())
            disk = folder.stat().st_dev
            folders.setdefault(disk, folder)
            before = taken.get(disk, 0)
            most[disk] = max(most.get(disk, 0), before + item.needed_mib)
            stays = item.needed_mib if self.keep or not item.part.is_zip else item.part.unpacked_mib
            taken[disk] = before + stays
        return {folders[disk]: need for disk, need in most.items()}

    def require_room(self) -> None:
        """Raise `EnvcheckError` when a disk has not the room for what is missing."""
        hint = "Free some space, or --to DIR names a folder on another disk; --only PART,... takes less."
        for folder, need in self.rooms().items():
            require_disk(folder, need, f"{self.dataset.name} needs", hint)


def plan(name: str, only: Sequence[str], to: Path | None, mirror: str | None, *, keep: bool = False) -> Plan:
    """Return what is to be done to have a dataset in a folder.

    Raises `UsageError`, and `EnvcheckError` for a file in the way of one that is wanted.
    """
    dataset = find_dataset(name, only)
    folder = to or Path(dataset.folder)
    base = check_address(mirror) if mirror is not None else dataset.base
    items = tuple(_look(part, folder, base) for part in dataset.parts)
    return Plan(dataset=dataset, folder=folder, base=base, keep=keep, items=items)


def _in_the_way(path: Path, why: str) -> EnvcheckError:
    """Return the error for a file that is not ours to replace."""
    return EnvcheckError(f"{path} is another file: {why}", "Move it away; the same command then fetches it.")


def check_kept(item: Item, *, by_digest: bool) -> None:
    """Raise `EnvcheckError` when what lies in a file's place is not that file."""
    if not item.kept.is_file() or item.kept.stat().st_size != item.part.size:
        raise _in_the_way(item.kept, f"one of {item.part.size:,} bytes is expected")
    if by_digest and not (digest := sha256_of(item.kept).hexdigest()).startswith(item.part.sha256):
        raise _in_the_way(item.kept, f"its SHA-256 is {digest}, expected {item.source.expected}")


def _look(part: Part, folder: Path, base: str) -> Item:
    """Return how it stands with a part."""
    item = Item(
        part=part, source=Source(f"{base}/{part.path}", part.size, part.sha256), home=folder / part.into
    )
    if not part.is_zip and item.kept.exists():
        check_kept(item, by_digest=True)
        return replace(item, state="here", files=1)
    if files := _received(item):
        return replace(item, state="here", files=files)
    counted = {path: _count(folder / path) for path in part.holds}
    if part.holds and all(counted[path] >= count for path, count in part.holds.items()):
        return replace(item, state="found", files=sum(counted.values()))
    if item.kept.exists():
        check_kept(item, by_digest=False)  # it is hashed when it is used
    here = next((one for one in (item.kept, item.archive, item.beginning) if one.exists()), None)
    return replace(item, arrived=min(here.stat().st_size, part.size)) if here else item


def _received(item: Item) -> int:
    """Return how many files a part's receipt names; 0 without one, or where any of them has gone.

    Raises `EnvcheckError` for one that is another file now.
    """
    try:
        receipt = read_json(item.receipt, Receipt, schema=RECEIPT_SCHEMA)
    except UsageError:
        return 0
    if receipt.sha256 != item.part.sha256:
        return 0
    sizes = {name: _size(item.home / name) for name in receipt.files}
    for name, size in receipt.files.items():
        if sizes[name] not in (None, size):
            raise _in_the_way(item.home / name, f"one of {size:,} bytes was unpacked")
    return 0 if None in sizes.values() else len(sizes)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _count(path: Path) -> int:
    """Return how many files a path is: a folder's, or one."""
    if not path.is_dir():
        return int(path.is_file())
    with os.scandir(path) as entries:
        return sum(entry.is_file() for entry in entries)
