"""The driver floor: from which driver on a CUDA toolkit's machine code runs."""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Build, Floor
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards
from envcheck.host.facts import Driver, Gpu, Host


def driver(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the driver is at or above the floor of the build's CUDA; under WSL it is a Windows one."""
    if build.cuda is None or host.gpus == ():
        return ()
    floor = tables.floor_of(build.cuda)
    if floor is None:
        because = f"The tables know no driver floor for CUDA {build.cuda}."
        return (Reason("driver", "unknown", because, "Add its row to compat/tables/cuda.yaml."),)
    if host.driver is None:
        return (_without_driver(host, build.cuda, floor),)
    if host.driver.version is None:
        return (_by_cuda(host.driver, build.cuda, floor, host.unknown.get("driver.version", "")),)
    return (_by_version(host, host.driver.version, floor),)


def _by_version(host: Host, version: Version, floor: Floor) -> Reason:
    # Windows numbers have two fields (572.60): a third one settles where a snapshot does not say.
    is_wsl = False if host.os.wsl is None and len(version.release) > 2 else host.os.wsl  # noqa: PLR2004
    floors = {
        is_windows: _floor(floor, is_windows) for is_windows in (False, True) if is_wsl in (None, is_windows)
    }
    enough = {version >= needed for needed in floors.values()}
    if len(enough) > 1:
        because = (
            f"Driver {version} is enough as a Windows number or as a Linux number, not as both"
            f" ({' and '.join(map(str, floors.values()))}): `os.wsl` would settle it."
        )
        return Reason("driver", "unknown", because, source=floor.source)
    needed = floors[bool(is_wsl)]
    the_floor = f"{needed}, the floor of {_served(floor)}"
    if enough == {True}:
        because = f"Driver {version} is at or above {the_floor}."
        return Reason("driver", "fits", because, source=floor.source)
    because = f"Driver {version} is below {the_floor}"
    end = _last_branch(host.gpus or ())
    if end is not None and floor.linux.major > end[0]:
        because += f", and R{end[0]} is the last driver branch for {end[1]}"
        return Reason("driver", "refused", f"{because}.", source=floor.source)
    return Reason("driver", "refused", f"{because}.", _install(needed, bool(is_wsl)), floor.source)


def _by_cuda(driver: Driver, cuda: Version, floor: Floor, why: str) -> Reason:
    """Judge a driver by the CUDA version that it is, where its own version is not known."""
    if driver.cuda is not None and driver.cuda >= cuda:
        because = f"The driver is CUDA {driver.cuda} itself, so it runs CUDA {cuda}."
        return Reason("driver", "fits", because, source=floor.source)
    if driver.cuda is not None and (floor.minor is not None or driver.cuda.major < floor.major):
        because = f"The driver is CUDA {driver.cuda} itself, below {_served(floor)}."
        return Reason("driver", "refused", because, _install(floor.linux, is_windows=False), floor.source)
    because = (
        f"The driver's version is not known{f' ({why})' if why else ''}: `driver.version` would settle it."
    )
    return Reason("driver", "unknown", because, source=floor.source)


def _without_driver(host: Host, cuda: Version, floor: Floor) -> Reason:
    if why := host.unknown.get("driver"):
        because = f"Whether there is an NVIDIA driver is not known ({why}): `driver` would settle it."
        return Reason("driver", "unknown", because, source=floor.source)
    because = f"There is no NVIDIA driver, and CUDA {cuda} needs {floor.linux} or newer."
    return Reason(
        "driver", "refused", because, _install(_floor(floor, host.os.wsl), bool(host.os.wsl)), floor.source
    )


def _floor(floor: Floor, is_windows: bool | None) -> Version:
    return floor.windows if is_windows else floor.linux


def _served(floor: Floor) -> str:
    return f"every CUDA {floor.major}" if floor.minor is None else f"CUDA {floor.major}.{floor.minor}"


def _install(needed: Version, is_windows: bool) -> str:
    if is_windows:
        return f"Install NVIDIA driver {needed} or newer in Windows; WSL uses that one."
    return f"Install NVIDIA driver {needed} or newer."


def _last_branch(gpus: tuple[Gpu, ...]) -> tuple[int, str] | None:
    """Return the newest driver branch that still drives every GPU, and the cards that end there."""
    ends: dict[int, list[Gpu]] = {}
    for gpu in gpus:
        row = tables.capability_of(gpu.compute_capability) if gpu.compute_capability else None
        if row is not None and row.last_branch is not None:
            ends.setdefault(row.last_branch, []).append(gpu)
    return (min(ends), cards(ends[min(ends)])) if ends else None
