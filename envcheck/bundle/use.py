"""What is run with a bundle: its recipe, its copy of pose, and the config and files of its run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envcheck.bundle.unpack import Unpacked, unpack
from envcheck.bundle.words import with_config
from envcheck.environments.place import Watcher
from envcheck.errors import UsageError
from envcheck.paths import cache_dir
from envcheck.runs.order import Order


def with_bundle(order: Order, file: Path, watch: Watcher) -> Order:
    """Return an order that is carried out from a bundle alone, with nothing fetched.

    Raises `UsageError` for a recipe beside it, and for a bundle that cannot be used.
    """
    if order.recipe is not None:
        raise UsageError(
            f"--recipe {order.recipe:.80} and --bundle {file} both say what to run in", "Give one of the two."
        )
    bundle = unpack(file, cache_dir(), watch)
    words = with_config(order.arguments, bundle, bundle.record) if order.is_stage else order.arguments
    return from_bundle(replace(order, arguments=words), bundle)


def from_bundle(order: Order, bundle: Unpacked) -> Order:
    """Return an order that runs its words in what a bundle brings."""
    return replace(
        order,
        recipe=str(bundle.recipe),
        program=bundle.program,
        bundle=bundle.digest,
        carried=bundle.carried,
    )
