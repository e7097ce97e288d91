"""The code rule: does the wheel hold something that every GPU can execute?

Machine code (SASS) runs on its own major version, from its minor version up. PTX runs on anything from its
own capability up, but the driver compiles it, and refuses what a newer toolkit than its own CUDA made.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, cards, code_text
from envcheck.host.facts import Gpu, Host

# Until this toolkit, desktop and server code did not run on Tegra even within a major version.
TEGRA_UNIFIED = Version("13.2")


def code(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say for each capability among the host's GPUs which code of the build runs on it."""
    if build.cuda is None:
        return ()
    if host.gpus is None:
        why = host.unknown.get("gpus")
        because = f"Which GPUs there are is not known{f' ({why})' if why else ''}: `gpus` would settle it."
        return (Reason("code", "unknown", because, source=build.source),)
    return tuple(
        _judge(host, build, build.cuda, capability, group) for capability, group in by_capability(host.gpus)
    )


def _judge(
    host: Host, build: Build, cuda: Version, capability: Version | None, group: tuple[Gpu, ...]
) -> Reason:
    if capability is None:
        because = (
            f"{cards(group)}: the compute capability is not known; `compute_capability` would settle it."
        )
        return Reason("code", "unknown", because, source=build.source)
    subject = f"{cards(group)} ({capability})"
    if capability in (*build.sass, *build.exact):
        because = f"{subject}: the wheel holds {code_text([capability])}, its own code."
        return Reason("code", "fits", because, source=build.source)
    if near := [one for one in build.sass if sass_runs(one, capability, cuda)]:
        because = (
            f"{subject}: runs the wheel's {code_text([max(near)])}, of the same major version and not newer."
        )
        return Reason("code", "fits", because, source=build.source)
    if below := [one for one in build.ptx if one <= capability]:
        return _by_ptx(host, build, cuda, subject, max(below))
    because = (
        f"{subject}: no code for it; the wheel holds {code_text([*build.sass, *build.exact]) or 'none'},"
        " and machine code runs within its major version only, from its minor version up."
    )
    return Reason("code", "refused", because, source=build.source)


def sass_runs(code: Version, capability: Version, cuda: Version) -> bool:
    """Tell whether machine code made by toolkit `cuda` runs on a GPU of `capability`."""
    if code == capability:
        return True
    if code.major != capability.major or code.minor > capability.minor or _is_tegra(code):
        return False
    return cuda >= TEGRA_UNIFIED or not _is_tegra(capability)


def _by_ptx(host: Host, build: Build, cuda: Version, subject: str, ptx: Version) -> Reason:
    what = (
        f"{subject}: the driver has to compile the wheel's {code_text([ptx], 'compute')}, made by CUDA {cuda}"
    )
    own = host.driver.cuda if host.driver else None
    if own is None:
        because = f"{what}; the driver's own CUDA is not known: `driver.cuda` would settle it."
        return Reason("code", "unknown", because, source=build.source)
    if own >= cuda:
        return Reason("code", "fits", f"{what}; the driver is CUDA {own}.", source=build.source)
    row = tables.toolkit_of(cuda)
    from_on = f", for example {row.native}" if row and row.native and not host.os.wsl else ""
    remedy = f"Install an NVIDIA driver that is CUDA {cuda} or newer{from_on}."
    return Reason(
        "code", "refused", f"{what}; the driver is CUDA {own} and refuses it.", remedy, build.source
    )


def _is_tegra(capability: Version) -> bool:
    row = tables.capability_of(capability)
    return row is not None and row.tegra
