"""The driver floor: from which driver on a CUDA toolkit's machine code runs."""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.compat import compat, own_cuda
from envcheck.compat.rules.remedies import dead_end, install_driver
from envcheck.compat.tables import Build, Floor
from envcheck.compat.verdict import Reason, join
from envcheck.host.facts import Driver, Host


def driver(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the driver is at or above the floor of the build's CUDA; under WSL it is a Windows one."""
    if build.cuda is None or host.gpus == ():
        return ()
    floor = tables.floor_of(build.cuda)
    if floor is None:
        because = f"The tables know no driver floor for CUDA {build.cuda}."
        remedy = "Add its row to compat/tables/cuda.yaml."
        return (Reason("driver", "unknown", because, remedy, "compat/tables/cuda.yaml"),)
    if host.driver is None:
        return (_without_driver(host, build.cuda, floor),)
    if host.driver.version is None:
        reason = _by_cuda(host, host.driver, build.cuda, floor)
    else:
        reason = _by_version(host, host.driver.version, floor)
    return (reason if reason.verdict == "fits" else _carried(host, host.driver, build, floor, reason),)


def _by_version(host: Host, version: Version, floor: Floor) -> Reason:
    # Windows numbers have two fields (572.60): a third one settles where a snapshot does not say.
    is_wsl = False if host.os.wsl is None and len(version.release) > 2 else host.os.wsl  # noqa: PLR2004
    floors = {
        is_windows: _number(floor, is_windows) for is_windows in (False, True) if is_wsl in (None, is_windows)
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
    return _too_old(host, f"Driver {version} is below {the_floor}", floor)


def _by_cuda(host: Host, driver: Driver, cuda: Version, floor: Floor) -> Reason:
    """Judge a driver by the CUDA version that it is, where its own version is not known."""
    branch = tables.branch_of(floor.linux)
    if driver.cuda is not None and branch is not None:
        # A floor lies inside a branch, unless it is the branch: drivers of one CUDA are on both sides of it.
        is_whole = floor.linux == floor.windows == Version(str(branch.branch))
        if driver.cuda > branch.cuda or (driver.cuda == branch.cuda and is_whole):
            because = f"The driver is CUDA {driver.cuda} itself, so it runs CUDA {cuda}."
            return Reason("driver", "fits", because, source=floor.source)
        if driver.cuda < branch.cuda:
            return _too_old(host, f"The driver is CUDA {driver.cuda} itself, below {_served(floor)}", floor)
    why = host.unknown.get("driver.version")
    because = (
        f"The driver's version is not known{f' ({why})' if why else ''}: `driver.version` would settle it."
    )
    return Reason("driver", "unknown", because, source=floor.source)


def _carried(host: Host, driver: Driver, build: Build, floor: Floor, reason: Reason) -> Reason:
    """Return what becomes of a driver's `reason` where cuda-compat brings a libcuda that is newer than it."""
    own, found = own_cuda(driver), driver.libcuda
    if own is None or found is None or build.cuda is None or found <= own:
        return reason
    verdict = join(compat(host, build))
    if verdict == "refused" or (found < build.cuda if floor.minor is not None else found.major < floor.major):
        return reason
    may = "carries" if verdict == "fits" else "would carry"
    because = (
        f"{reason.because.rstrip('.')}, but cuda-compat's libcuda, CUDA {found}, {may} {_served(floor)}."
    )
    return Reason("driver", verdict, because, source=floor.source)


def _without_driver(host: Host, cuda: Version, floor: Floor) -> Reason:
    if why := host.unknown.get("driver"):
        because = f"Whether there is an NVIDIA driver is not known ({why}): `driver` would settle it."
        return Reason("driver", "unknown", because, source=floor.source)
    needed = _number(floor, host.os.wsl)
    return _too_old(host, f"There is no NVIDIA driver, and CUDA {cuda} needs {needed} or newer", floor)


def _too_old(host: Host, because: str, floor: Floor) -> Reason:
    needed = _number(floor, host.os.wsl)
    end = dead_end(host, needed)
    because = f"{because}, and {end}." if end else f"{because}."
    return Reason("driver", "refused", because, install_driver(host, needed), floor.source)


def _number(floor: Floor, is_windows: bool | None) -> Version:
    return floor.windows if is_windows else floor.linux


def _served(floor: Floor) -> str:
    return f"every CUDA {floor.major}" if floor.minor is None else f"CUDA {floor.major}.{floor.minor}"
