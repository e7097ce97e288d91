"""What can be fetched: `catalogue.yaml`, typed.

A dataset is a folder and the parts that fill it; a part is one file on a server, of which size and digest are
known. What of it is here is known to `get`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from envcheck.documents import read_yaml
from envcheck.errors import UsageError

FILE = Path(__file__).with_name("catalogue.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file, and what becomes of it: a zip is unpacked, anything else is kept as it is."""

    name: str
    path: str  # below the base address
    size: int  # bytes
    sha256: str  # in hexadecimal; its beginning, where no more of it is published
    into: str = "."  # the folder, below the dataset's
    unpacked_mib: int = 0  # of a zip, rounded up
    holds: dict[str, int] = field(default_factory=dict)  # file or folder -> how many files it is

    @property
    def file_name(self) -> str:
        """The name of the file, here as there."""
        return PurePosixPath(self.path).name

    @property
    def is_zip(self) -> bool:
        """Whether it is to be unpacked."""
        return self.path.endswith(".zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A folder as the configs expect it."""

    name: str
    summary: str
    folder: str  # where the configs look for it
    base: str  # the address that the parts lie below
    parts: tuple[Part, ...]
    afterwards: tuple[str, ...]  # what has to be had elsewhere
    next: str = ""  # a command that makes use of it; {folder} stands for where it is


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    datasets: tuple[Dataset, ...]


def find_dataset(name: str, only: Sequence[str] = ()) -> Dataset:
    """Return a dataset by its name, with the parts that `only` names, else all. Raises `UsageError`."""
    datasets = {one.name: one for one in read_yaml(FILE, _Written).datasets}
    if name not in datasets:
        raise _unknown("There is no dataset", name, tuple(datasets))
    dataset = datasets[name]
    known = tuple(part.name for part in dataset.parts)
    for word in only:
        if word not in known:
            raise _unknown(f"{name} has no part", word, known)
    chosen = tuple(part for part in dataset.parts if not only or part.name in only)
    return replace(dataset, parts=chosen)


def _unknown(sentence: str, name: str, known: tuple[str, ...]) -> UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}"
    return UsageError(f"{sentence} {name!r:.80}", hint)
