"""What is run with a bundle: its recipe, its copy of pose, and the config and files of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envcheck.bundle.unpack import Unpacked, unpack
from envcheck.environments.place import Watcher
from envcheck.errors import UsageError
from envcheck.paths import cache_dir
from envcheck.runs.order import Order
from envcheck.runs.record import Record

# Stages that are told by a config what to do.
_CONFIGURED = ("train", "test", "pred", "export", "check-data")
_CFG = "--cfg"


def with_bundle(order: Order, file: Path | None, watch: Watcher) -> Order:
    """Return an order that is carried out from a bundle alone, with nothing fetched; without one the order.

    Raises `UsageError` for a recipe beside it, and for a bundle that cannot be used.
    """
    if file is None:
        return order
    if order.recipe is not None:
        raise UsageError(
            f"--recipe {order.recipe:.80} and --bundle {file} both say what to run in", "Give one of the two."
        )
    bundle = unpack(file, cache_dir(), watch)
    return replace(
        from_bundle(order, bundle),
        arguments=tuple(_arguments(order, bundle)) if order.is_stage else order.arguments,
    )


def from_bundle(order: Order, bundle: Unpacked) -> Order:
    """Return an order that runs its words in what a bundle brings."""
    return replace(
        order,
        recipe=str(bundle.recipe),
        program=bundle.program,
        bundle=bundle.digest,
        carried=bundle.carried,
    )


def _arguments(order: Order, bundle: Unpacked) -> Iterator[str]:
    """Yield a stage's words; one that is told no config gets that of the bundle's run."""
    stage, *words = order.arguments
    yield stage
    record = bundle.record
    is_told = any(word == _CFG or word.startswith(f"{_CFG}=") for word in words)
    if stage in _CONFIGURED and not is_told and bundle.config is not None and record is not None:
        yield from (_CFG, str(bundle.config))
        yield from bundled_inputs(record, bundle.inputs())
    yield from words


def bundled_inputs(record: Record, inputs: Mapping[str, Path]) -> Iterator[str]:
    """Yield the overrides that lead a run's config to the files that a bundle brings: KEY VALUE."""
    read = {one.path: inputs[one.sha256] for one in record.inputs if one.sha256 in inputs}
    directory = Path(record.working_directory)
    for key, value in _texts("", record.config or {}):
        if value and (here := read.get(str(directory / value))):
            yield from (key, str(here))


def _texts(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _texts(f"{prefix}{key}.", value)
        elif isinstance(value, str):
            yield f"{prefix}{key}", value
