"""A dataset brought to its folder, part by part; another call goes on where one was stopped."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock

from envcheck.data.download import PATIENT, Fetcher, Patience
from envcheck.data.plan import Item, Plan, Receipt, check_kept
from envcheck.data.unpack import unpack
from envcheck.documents import write_json
from envcheck.environments.place import Watcher
from envcheck.errors import RetryError

SCHEMA = "envcheck.data/1"

Done = Literal["fetched", "here", "found"]  # the last two as in `plan.Standing`

# An archive that claims to hold more than so many times what its part is known to hold is another one.
_MOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A part that is in its place."""

    name: str
    state: Done
    folder: Path
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A dataset that is in its place."""

    schema: str = SCHEMA
    dataset: str
    folder: Path
    parts: tuple[Brought, ...]
    afterwards: tuple[str, ...]  # what has to be had elsewhere
    next: str  # a command that makes use of it


def get(plan: Plan, watch: Watcher, patience: Patience = PATIENT) -> Got:
    """Do what is planned for a dataset.

    Raises `EnvcheckError`: before the first byte where a disk has no room for all or a server lacks a file.
    """
    plan.require_room()
    fetcher = Fetcher(patience)
    asked = [item for item in plan.missing if item.arrived < item.part.size]
    if asked:
        with watch.step(f"ask {asked[0].source.server} for {_counted(asked)}") as update:
            for item in asked:
                fetcher.ask(item.source, update)
    parts = []
    for item in plan.items:
        state: Done = "fetched" if item.state == "missing" else item.state
        files = _bring(item, fetcher, watch, keep=plan.keep) if state == "fetched" else item.files
        parts.append(Brought(name=item.part.name, state=state, folder=item.home, files=files))
    return Got(
        dataset=plan.dataset.name,
        folder=plan.folder,
        parts=tuple(parts),
        afterwards=plan.dataset.afterwards,
        next=plan.dataset.next.replace("{folder}", shlex.quote(str(plan.folder))),
    )


def mib(size: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / 2**20:,.0f} MiB"


def _bring(item: Item, fetcher: Fetcher, watch: Watcher, *, keep: bool) -> int:
    """Bring a part to its place and return how many files it is."""
    item.workshop.mkdir(parents=True, exist_ok=True)
    with _locked(item.workshop):
        if not item.part.is_zip:
            _fetch(item, fetcher, watch).replace(item.kept)
            return 1
        archive = item.archive
        if item.kept.exists():
            with watch.step(f"check {item.kept}"):
                check_kept(item, by_digest=True)
            archive = item.kept
        elif not archive.exists():
            _fetch(item, fetcher, watch).replace(archive)
        with watch.step(f"unpack {item.part.file_name}") as update:
            staging = item.workshop / f"{item.part.name}.unpacking"
            files = unpack(
                archive, item.home, staging, limit_mib=_MOST * item.part.unpacked_mib, update=update
            )
        write_json(item.receipt, Receipt(sha256=item.part.sha256, files=files))
        if keep:
            archive.replace(item.kept)
        elif archive != item.kept:  # which is somebody's own
            archive.unlink()
        return len(files)


def _fetch(item: Item, fetcher: Fetcher, watch: Watcher) -> Path:
    with watch.step(f"fetch {item.part.file_name}, {mib(item.part.size)}") as update:
        fetcher.fetch(item.source, item.beginning, update)
    return item.beginning


@contextlib.contextmanager
def _locked(workshop: Path) -> Iterator[None]:
    """While open, nobody else brings anything there. Raises `RetryError` when somebody does."""
    lock = filelock.FileLock(workshop / "lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RetryError(
            f"Another envcheck is fetching into {workshop.parent}", "Wait until it has finished."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _counted(items: Sequence[Item]) -> str:
    first, *others = [item.part.file_name for item in items]
    return f"{first} and {len(others)} more" if others else first
