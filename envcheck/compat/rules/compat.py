"""cuda-compat on the library path: a libcuda that is not the driver's own.

Such a libcuda has to be newer than the driver, on data-centre GPUs and with the driver branches that its
package names; elsewhere CUDA does not start with it. The CUDA that programs see is libcuda's.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards, fact_paths
from envcheck.host.facts import Driver, Gpu, Host

SOURCE = (
    'NVIDIA, "CUDA Compatibility", forward compatibility; brands and branches from the notes in'
    " compat/libcuda.so, test data of nvidia-container-toolkit@d34b304; read 2026-11-23"
)

# The device numbers of the notes read as NVML's brands.
_SERVED = frozenset(
    {
        "quadro",
        "tesla",
        "nvidia vapps",
        "nvidia vpc",
        "nvidia vcs",
        "nvidia vws",
        "nvidia cloud gaming",
        "quadro rtx",
        "nvidia rtx",
        "nvidia",
    }
)
NOT_SERVED = frozenset({"nvs", "grid", "geforce", "geforce rtx", "titan", "titan rtx"})

# The driver branches on which a package runs, by its CUDA; for other packages, what all of these name.
_BRANCHES = {
    Version("12.9"): frozenset({535, 550, 560, 565, 570, 575}),
    Version("13.1"): frozenset({535, 550, 570, 575, 580, 590}),
}
_ALWAYS_NAMED = frozenset.intersection(*_BRANCHES.values())

_TAKE_OFF = "Take cuda-compat off the library path (LD_LIBRARY_PATH, /etc/ld.so.conf.d)."


def compat(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether CUDA starts with the libcuda on the library path; () where it is the driver's own."""
    if build.cuda is None or not host.gpus or host.driver is None:
        return ()
    own, found = own_cuda(host.driver), host.driver.libcuda
    if found is None or found == own:
        return ()
    if own is None:
        because = f"libcuda is CUDA {found}; `driver.cuda` would settle whether that is the driver's own."
        return (Reason("compat", "unknown", because, source=SOURCE),)
    subject = f"libcuda is CUDA {found} and the driver is CUDA {own}: cuda-compat is on the library path"
    if found > own:
        return (_newer(host, host.gpus, host.driver, found, subject),)
    because = f"{subject}, and it has to be newer than the driver for CUDA to start with it."
    return (Reason("compat", "refused", because, _TAKE_OFF, SOURCE),)


def own_cuda(driver: Driver) -> Version | None:
    """Return the CUDA that the driver itself is.

    Its branch says so more surely than NVML, which asks the libcuda that it finds. Branches that the tables
    do not have, such as Windows' and Jetson's, leave it to NVML.
    """
    row = tables.branch_of(driver.version) if driver.version is not None else None
    if row is not None and driver.version is not None and row.branch == driver.version.major:
        return row.cuda
    return driver.cuda


def program_cuda(driver: Driver) -> Version | None:
    """Return the CUDA that programs get: libcuda's where it is known, else the driver's."""
    if driver.libcuda is not None or driver.cuda is not None:
        return driver.libcuda or driver.cuda
    row = tables.branch_of(driver.version) if driver.version is not None else None
    return row.cuda if row is not None else None


def _newer(host: Host, gpus: tuple[Gpu, ...], driver: Driver, found: Version, subject: str) -> Reason:
    if barred := [gpu for gpu in gpus if gpu.brand in NOT_SERVED]:
        because = f"{subject}, and CUDA does not start with it on {_branded(barred)}."
        return Reason("compat", "refused", because, _TAKE_OFF, SOURCE)
    nameless = [gpu for gpu in gpus if gpu.brand not in _SERVED]
    if nameless and host.os.jetson is None:  # boards are served, and NVML knows no brand of them
        because = (
            f"{subject}, which serves data-centre GPUs and never GeForce:"
            f" {fact_paths(host, nameless, 'brand')} would settle which {cards(nameless)} is."
        )
        return Reason("compat", "unknown", because, _TAKE_OFF, SOURCE)
    named = _BRANCHES.get(found, _ALWAYS_NAMED)
    if host.os.wsl or driver.version is None or driver.version.major not in named:
        branches = ", ".join(f"R{branch}" for branch in sorted(named))
        system = "Windows" if host.os.wsl else "Linux"
        on = f"this is {driver.version} of {system}" if driver.version else "`driver.version` is not known"
        because = f"{subject}; it is known to run on Linux drivers {branches}, and {on}."
        return Reason("compat", "unknown", because, _TAKE_OFF, SOURCE)
    because = f"{subject}, and {_branded(gpus)} with driver {driver.version} may use it."
    return Reason("compat", "fits", because, source=SOURCE)


def _branded(gpus: Iterable[Gpu]) -> str:
    gpus = tuple(gpus)
    brands = ", ".join(sorted({gpu.brand for gpu in gpus if gpu.brand}))
    return f"{cards(gpus)} (brand {brands})" if brands else cards(gpus)
