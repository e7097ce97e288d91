"""How a thing of the cache is removed while others use it: never what a run holds or a fetch brings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Literal

from envcheck.cache.kept import Kept
from envcheck.environments.held import let_go, remove
from envcheck.environments.wheelhouse import no_fetch

# "left": by now there is no reason any more, or somebody else has removed it.
Fate = Literal["removed", "held", "left"]


def removed(one: Kept, is_due: Callable[[], bool], *, dry_run: bool = False) -> Fate:
    """Remove a thing unless somebody holds it, and tell what became of it, or would with `dry_run`.

    `is_due` is asked when nobody can begin to use it any more: what was listed may be another thing by now.
    """
    try:
        with contextlib.ExitStack() as stack:
            wheels = one.path.parent
            if wheels.name == "wheels" and not stack.enter_context(no_fetch(wheels)):
                return "held"
            if not stack.enter_context(let_go(one.path)):
                return "held"
            if not is_due():
                return "left"
            if not dry_run:
                remove(one.path)
    except FileNotFoundError:  # somebody else was faster
        return "left"
    return "removed"
