"""What a recipe's lock is held against: the indexes, torch's own wheel, an environment built from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envcheck.compat.tables import Build
from envcheck.documents import parse_json
from envcheck.environments.author import resolve_anywhere
from envcheck.environments.place import Watcher
from envcheck.environments.venv import built
from envcheck.environments.wheelhouse import Pin
from envcheck.errors import EnvcheckError, UsageError
from envcheck.processes import capture
from envcheck.proof.finding import Result, failed, not_verified, passed
from envcheck.recipes import Recipe
from envcheck.uv import IndexUnreachableError

# torch.cuda.get_arch_list() is empty without a GPU; this one is what was compiled in.
_ASK = """
import json, torch
flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)() or ""
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "flags": flags}))
"""
_IMPORT_SECONDS = 120.0
# uv's ways to say that the indexes do not have a wheel, which says nothing against the lock.
_NOT_AT_HAND = re.compile(r"no version of|not found in|no wheels with|no usable wheels")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an environment's torch says of itself."""

    torch: str
    flags: str
    cuda: str | None = None


def completeness(recipe: Recipe, python: str, pins: Sequence[Pin], watch: Watcher) -> Result:
    """Say whether the lock is just what the recipe's requirements come to, by resolving within its pins."""
    within = tuple(f"{pin.name}=={pin.version}" for pin in pins)
    bounded = replace(recipe, constraints=(*recipe.constraints, *within))
    try:
        resolved = resolve_anywhere(bounded, python, recipe.machine, watch)
    except IndexUnreachableError as error:
        return not_verified(error.message)
    except EnvcheckError as error:
        made = not_verified if _NOT_AT_HAND.search(error.message) else failed
        return made(error.message)
    needed = {pin.name: (pin.version, pin.sha256) for pin in resolved.pins}
    locked = {pin.name: (pin.version, pin.sha256) for pin in pins}
    differences = [
        *(f"lacks {name} {needed[name][0]}" for name in sorted(needed.keys() - locked.keys())),
        *(f"holds {name}, which nothing requires" for name in sorted(locked.keys() - needed.keys())),
        *(
            f"has another wheel of {name} than the index"
            for name in sorted(needed.keys() & locked.keys())
            if needed[name] != locked[name]
        ),
    ]
    if differences:
        return failed(f"The lock {'; '.join(differences)}.")
    if resolved.note:
        return not_verified("torch's own wheel was out of reach; all else is complete.")
    return passed("Resolved anew within its pins: the same wheels.")


def environment(recipe: Recipe, lock: Path, cache: Path) -> Result:
    """Say whether torch in an environment that was built from the lock holds the code of the table's row."""
    python = built(cache, lock)
    if python is None:
        return not_verified("No environment is built from it here.")
    answer = capture([str(python), "-I", "-c", _ASK], seconds=_IMPORT_SECONDS)
    try:
        seen = parse_json(answer.stdout.encode(), _Seen, source="torch")
    except UsageError:
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return failed(f"Its environment does not import torch: {last:.200}")
    build = recipe.build
    if (seen.torch.partition("+")[0], seen.cuda) != (
        str(build.torch),
        str(build.cuda) if build.cuda else None,
    ):
        return failed(f"Its environment holds torch {seen.torch} with CUDA {seen.cuda}.")
    return code(build, seen.flags, "Its environment")


def code(build: Build, flags: str, where: str) -> Result:
    """Say whether a wheel's list of code, "sm_80 sm_90 compute_90", is that of the table's row."""
    found, promised = set(flags.split()), _flags(build)
    if found != promised:
        more, less = " ".join(sorted(found - promised)), " ".join(sorted(promised - found))
        differences = (
            (f"has {more} beside the table's row", more),
            (f"lacks {less} of the table's row", less),
        )
        return failed(f"{where} {' and '.join(text for text, some in differences if some)}.")
    return passed(f"{where} holds the code of the table's row.")


def _flags(build: Build) -> set[str]:
    return {
        f"{kind}_{one.major}{one.minor}{suffix}"
        for kind, suffix, ones in (
            ("sm", "", build.sass),
            ("sm", "a", build.exact),
            ("compute", "", build.ptx),
        )
        for one in ones
    }
