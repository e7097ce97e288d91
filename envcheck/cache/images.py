"""The images that envcheck built, which lie with an engine: listed beside the cache, removed by the engine.

A file in the cache, named like the image, says when it was used last and is held while it is in use. Where
there is none, when it was made counts. What an image shares with another of ours is counted once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from envcheck.cache.careful import Fate
from envcheck.cache.kept import Contents, Kept, last_used, written
from envcheck.engine import images
from envcheck.engine.failures import innermost
from envcheck.environments.docker import client_of
from envcheck.environments.held import let_go
from envcheck.environments.images import mark_of
from envcheck.host.engines import read_engines
from envcheck.host.facts import Engine


def with_images(contents: Contents) -> Contents:
    """Return the cache with the images of every engine that answers, and a note on each that does not."""
    engines, unknown = read_engines()
    notes = [f"images are not listed: {unknown['engines']}"] if "engines" in unknown else []
    kept: list[Kept] = []
    for engine in engines or ():
        found, why = _asked(engine, contents.folder)
        kept += found
        notes += [f"images are not listed: {engine.name}: {why}"] if why else []
    kept.sort(key=lambda one: (one.used, one.name))
    return replace(
        contents,
        bytes=contents.bytes + sum(one.bytes for one in kept),
        kept=(*contents.kept, *kept),
        notes=tuple(notes),
    )


def image_removed(one: Kept, is_due: Callable[[], bool], *, dry_run: bool = False) -> Fate:
    """Remove an image unless somebody uses it, and tell what became of it; see `careful.removed`."""
    engine = next((engine for engine in read_engines()[0] or () if engine.address == one.engine), None)
    if engine is None:
        return "left"
    if not one.path.exists():
        _date(one)
    try:
        with let_go(one.path) as is_free:
            if not is_free:
                return "held"
            if not is_due():
                return "left"
            if not dry_run:
                if not images.remove(client_of(engine), one.name):
                    return "held"
                one.path.unlink(missing_ok=True)
    except FileNotFoundError:  # somebody else was faster
        return "left"
    return "removed"


def clear_builds(addresses: Collection[str]) -> None:
    """Remove what killed builds have left, nameless, in the engines at some addresses."""
    for engine in read_engines()[0] or ():
        if engine.address in addresses:
            images.clear(client_of(engine))


def _date(one: Kept) -> None:
    """Make the file that an image of another cache lacks."""
    one.path.parent.mkdir(parents=True, exist_ok=True)
    one.path.touch()
    used = datetime.fromisoformat(one.used.replace("Z", "+00:00")).timestamp()
    os.utime(one.path, (used, used))


def _asked(engine: Engine, cache: Path) -> tuple[list[Kept], str]:
    """Return an engine's images, or why there is no answer."""
    try:
        return list(_kept(engine, cache)), ""
    except Exception as error:  # noqa: BLE001 - the SDK lets errors of four libraries through
        return [], innermost(error)


def _kept(engine: Engine, cache: Path) -> Iterator[Kept]:
    found = images.ours(client_of(engine))
    for name, facts in found.items():
        mark = mark_of(cache, name)
        own = int(facts.get("Size") or 0) - _below(facts, list(found.values()))
        used = last_used(mark) if mark.exists() else _made(facts)
        yield Kept("image", name, mark, own, used, engine=engine.address or "")


def _below(facts: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> int:
    """Return the bytes of the largest other image on which this one stands."""
    layers = _layers(facts)
    sizes = [
        int(other.get("Size") or 0)
        for other in others
        if 0 < len(_layers(other)) < len(layers) and layers[: len(_layers(other))] == _layers(other)
    ]
    return max(sizes, default=0)


def _layers(facts: Mapping[str, Any]) -> list[str]:
    return list((facts.get("RootFS") or {}).get("Layers") or ())


def _made(facts: Mapping[str, Any]) -> str:
    """Return when an image was made, of an engine's "2026-11-30T04:12:00.123456789Z"."""
    try:
        return written(datetime.fromisoformat(f"{str(facts.get('Created'))[:19]}+00:00"))
    except ValueError:  # nobody says: it is not the oldest
        return written(datetime.now(timezone.utc))
