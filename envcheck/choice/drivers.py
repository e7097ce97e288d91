"""The lowest driver with which something runs, found by trying the ones at which a verdict can turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from packaging.version import Version

from envcheck.choice.candidates import runs
from envcheck.choice.wishes import Wishes
from envcheck.compat import tables
from envcheck.host.facts import Host
from envcheck.recipes import Recipe


def lowest_driver(seen: Host, recipes: Sequence[Recipe], wishes: Wishes) -> tuple[Version, str] | None:
    """Return the lowest newer driver with which a recipe that is wished for runs, and that recipe's name.

    A cuda-compat on the library path stays there whatever the driver is: then no driver is the answer.
    """
    driver = seen.driver
    if driver is None or driver.version is None or not seen.gpus:
        return None
    if driver.libcuda not in (None, driver.cuda):
        return None
    for version in _turning_points(seen, recipes):
        branch = tables.branch_of(version)
        if branch is None or version <= driver.version:
            continue
        other = replace(driver, version=version, module_version=None, cuda=branch.cuda, libcuda=None)
        recipe = runs(replace(seen, driver=other), recipes, wishes)
        if recipe is not None:
            return version, recipe.name
    return None


def _turning_points(seen: Host, recipes: Sequence[Recipe]) -> list[Version]:
    """Return the drivers at which a verdict can turn, in order.

    They are the floors and the native drivers of the recipes' CUDA, and the first known driver of each branch
    with which the support of one of the GPUs begins.
    """
    is_windows = bool(seen.os.wsl)
    natives = {kit.cuda: kit.windows if is_windows else kit.native for kit in tables.cuda().toolkits}
    known = sorted(one for one in natives.values() if one is not None)
    points: set[Version | None] = set()
    for cuda in {recipe.cuda for recipe in recipes if recipe.cuda is not None}:
        points.add(natives.get(cuda))
        if (floor := tables.floor_of(cuda)) is not None:
            points.add(floor.windows if is_windows else floor.linux)
    for capability in {gpu.compute_capability for gpu in seen.gpus or () if gpu.compute_capability}:
        row = tables.capability_of(capability)
        first = row.first_branch if row is not None else None
        points.add(next((one for one in known if first is not None and one.major >= first), None))
    return sorted(one for one in points if one is not None)
