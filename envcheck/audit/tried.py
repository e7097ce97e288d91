"""What a recipe's lock is held against: the indexes, torch's own wheel, an environment built from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envcheck.audit.result import Result, failed, not_verified, passed
from envcheck.compat.tables import Build
from envcheck.documents import parse_json
from envcheck.environments.author import resolve_anywhere
from envcheck.environments.place import Watcher
from envcheck.environments.venv import built
from envcheck.environments.wheelhouse import PYTORCH_INDEX, Wheelhouse
from envcheck.errors import EnvcheckError, UsageError
from envcheck.measure.wheel import Measured, read_wheel
from envcheck.processes import capture
from envcheck.recipes import Pin, Recipe
from envcheck.uv import Target

# torch.cuda.get_arch_list() is empty without a GPU; the flags are what was compiled in. What pose loads
# beside torch, and an array handed over, show wheels that resolve together and do not run together.
_ASK = """
import json, cv2, pycocotools.mask, torch
torch.zeros(1).numpy()
flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)() or ""
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "flags": flags}))
"""
_IMPORT_SECONDS = 120.0
# How uv proves that requirements contradict each other; that the indexes at hand lack a wheel, which it tells
# in the same way, says nothing against the lock.
_CONTRADICTION = re.compile(r"Because (?!.*(?:no version of|not found in|no wheels with|no usable wheels))")


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
        resolved = resolve_anywhere(bounded, python, recipe.machine, watch, chosen=True)
    except EnvcheckError as error:
        made = failed if _CONTRADICTION.search(error.message) else not_verified
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


def wheel(
    recipe: Recipe, python: str, pins: Sequence[Pin], house: Wheelhouse, fetching: Watcher | None
) -> Result:
    """Say whether torch's own wheel is what the table's row says; it is fetched where `fetching` watches."""
    pin = next((pin for pin in pins if pin.name == "torch"), None)
    if pin is None:
        return failed("torch is not in the lock.")
    here = house.find(pin)
    try:
        if here is not None:
            return _measured(recipe.build, read_wheel(here))
        if fetching is None:
            return not_verified("It is not in the wheelhouse (--deep fetches it).")
        log = house.folder.parent / "logs" / f"check-{recipe.name}.log"
        options = _pip_options(recipe, python)
        with house.borrow(pin, options, recipe.size.download_mib, log=log, watch=fetching) as borrowed:
            return _measured(recipe.build, read_wheel(borrowed))
    except EnvcheckError as error:
        return not_verified(error.message)


def _measured(build: Build, seen: Measured) -> Result:
    if (seen.torch, seen.cuda) != (build.torch, build.cuda):
        return failed(f"It is torch {seen.torch} with CUDA {seen.cuda}.")
    if seen.numpy is not None and seen.numpy != build.numpy:
        return failed(f"It is compiled for numpy{seen.numpy or '>=2'}, and the table's row says otherwise.")
    return code(build, seen.code, "It")


def _pip_options(recipe: Recipe, python: str) -> list[str]:
    """Return what tells pip for whom to fetch, and where builds with a tag are besides."""
    target = Target(python, recipe.machine, recipe.glibc)
    index = ("--extra-index-url", PYTORCH_INDEX.format(tag=recipe.tag)) if "+" in recipe.requirement else ()
    return [*target.pip_options, *index]


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
        return failed(f"Its environment does not load: {last:.200}")
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
