"""A bundle's file, written: the same content gives the same bytes, and what is not whole is never there."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from envcheck.bundle.archive import END, header, length, padding
from envcheck.bundle.gather import Bundling, Content, Gathered, gather
from envcheck.bundle.manifest import FIRST, IMAGE, INPUTS, Manifest
from envcheck.documents import naming, open_to_everybody, to_json
from envcheck.environments.failures import require_disk
from envcheck.environments.held import hold, let_go, remove
from envcheck.environments.place import Watcher
from envcheck.environments.prepare import save_image
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.probe import probe

SCHEMA = "envcheck.bundled/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """The document `envcheck.bundled/1`: a bundle that was written."""

    schema: str = SCHEMA
    file: Path
    bytes: int
    sha256: str  # of bundle.json in it, which has everything else's: the bundle's digest
    recipe: str
    run: str | None
    stage: str | None
    pythons: tuple[str, ...]
    members: int
    inputs_bytes: int  # what the single files weigh that the run read
    left_out: tuple[str, ...]


def bundle(asked: Bundling, file: Path, watch: Watcher, *, image: bool) -> Bundled:
    """Write a bundle, with the image of its environment where that is asked for.

    Raises `EnvcheckError`; whatever keeps it from being whole leaves no file, and the one that was there.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder, and a bundle is a file", "--output FILE")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {file.parent}", "--output FILE says where the bundle goes.")
    _sweep(file)
    if not image:
        return _write(gather(asked, watch), file, watch)
    found = gather(asked.with_image(), watch)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=_prefix(file)) as folder:
        hold(Path(folder))
        archive = Path(folder) / IMAGE
        size = asked.recipe.size.installed_mib
        require_disk(file.parent, 2 * size, "The image and its copy in the bundle need")
        saved = save_image(asked.recipe, probe(), archive, watch)
        return _write(found.with_image(saved, archive), file, watch)


def _write(found: Gathered, file: Path, watch: Watcher) -> Bundled:
    manifest = found.manifest
    text = to_json(manifest).encode()
    total = length(((FIRST, len(text)), *((one.path, one.bytes) for one in manifest.members)))
    require_disk(file.parent, total >> 20, "The bundle needs")
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=_prefix(file))
    temporary = Path(name)
    hold(temporary)
    try:
        with (
            naming(file),
            watch.step(f"write {file.name}, each member held against its digest") as update,
        ):
            with os.fdopen(handle, "wb") as sink:
                _put(sink, FIRST, len(text), iter((text,)))
                for number, one in enumerate(found.contents, 1):
                    update(
                        f"{sink.tell() / 2**20:,.0f} of {total / 2**20:,.0f} MiB, {number}: {one.member.name}"
                    )
                    _put(sink, one.member.path, one.member.bytes, _checked(one))
                sink.write(END)
                sink.flush()
                os.fsync(sink.fileno())
            open_to_everybody(temporary)
            temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return _bundled(manifest, file, total, hashlib.sha256(text).hexdigest())


def _prefix(file: Path) -> str:
    """Return how a bundle is called until it is whole."""
    return f".{file.name}.envcheck-new-"


def _sweep(file: Path) -> None:
    """Remove what killed ones have left of a bundle of this name; what is being written is held."""
    for stale in file.parent.glob(f"{glob.escape(_prefix(file))}*"):
        with contextlib.suppress(OSError), let_go(stale) as is_free:
            if is_free:
                remove(stale)


def _bundled(manifest: Manifest, file: Path, total: int, digest: str) -> Bundled:
    return Bundled(
        file=file,
        bytes=total,
        sha256=digest,
        recipe=manifest.recipe,
        run=manifest.run,
        stage=manifest.stage,
        pythons=manifest.pythons,
        members=len(manifest.members),
        inputs_bytes=sum(one.bytes for one in manifest.within(INPUTS)),
        left_out=manifest.left_out,
    )


def _put(sink: IO[bytes], path: str, size: int, blocks: Iterator[bytes]) -> None:
    sink.write(header(path, size))
    for block in blocks:
        sink.write(block)
    sink.write(padding(size))


def _checked(one: Content) -> Iterator[bytes]:
    """Yield a member's bytes. Raises `EnvcheckError` at the end where they are not what is said of them."""
    digest, size = hashlib.sha256(), 0
    for block in _blocks(one.source):
        digest.update(block)
        size += len(block)
        yield block
    if (size, digest.hexdigest()) != (one.member.bytes, one.member.sha256):
        raise EnvcheckError(
            f"{one.source if isinstance(one.source, Path) else one.member.path} changed while it was bundled:"
            f" it has another digest than {one.member.sha256[:16]}...",
            "Nothing was written. The same command tries again.",
        )


def _blocks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as content:
        yield from iter(lambda: content.read(1 << 20), b"")
