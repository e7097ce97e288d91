"""The code rule: does the wheel hold something that every GPU can execute?

Machine code (SASS) runs on its own major version, from its minor version up. PTX runs on anything from its
own capability up, if the driver compiles it: whether it does is the `ptx` rule's to say. A GPU younger than
the whole toolkit would need PTX of cuBLAS and cuDNN as well, which nobody has read.
"""

from __future__ import annotations

from functools import lru_cache

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.compat import own_cuda
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, cards, code_text, fact_paths
from envcheck.host.facts import Gpu, Host

# Until this CUDA, desktop and server code did not run on Tegra even within a major version.
TEGRA_UNIFIED = Version("13.2")

# One chip, Thor, that CUDA 13.0 renamed: each runs the other's code.
_RENAMED = frozenset({Version("10.1"), Version("11.0")})


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
        settle = fact_paths(host, group, "compute_capability")
        because = f"{cards(group)}: the compute capability is not known; {settle} would settle it."
        return Reason("code", "unknown", because, source=build.source)
    subject = f"{cards(group)} ({capability})"
    if capability in build.sass or capability in build.exact:
        because = f"{subject}: the wheel holds {code_text((capability,))}, its own code."
        return Reason("code", "fits", because, source=build.source)
    if near := [one for one in build.sass if sass_runs(one, capability, cuda)]:
        return _by_near(host, build, subject, capability, near)
    if below := [one for one in build.ptx if one <= capability]:
        row = tables.capability_of(capability)
        if row is not None and row.first_toolkit > cuda:
            return _older_libraries(build, cuda, subject, max(below), row.first_toolkit)
        because = (
            f"{subject}: the wheel holds {code_text((max(below),), 'compute')}, which the driver compiles."
        )
        return Reason("code", "fits", because, source=build.source)
    because = (
        f"{subject}: no code for it; the wheel holds {code_text((*build.sass, *build.exact)) or 'none'},"
        " and machine code runs within its major version only, from its minor version up."
    )
    return Reason("code", "refused", because, source=build.source)


def _by_near(host: Host, build: Build, subject: str, capability: Version, near: list[Version]) -> Reason:
    """Judge a GPU that has no code of its own in the wheel, and runs what is `near`."""
    newest = max(near)
    if _is_tegra(capability) and not _is_tegra(newest):
        own = own_cuda(host.driver) if host.driver else None
        if own is None or own < TEGRA_UNIFIED:
            because = (
                f"{subject}: boards run servers' {code_text((newest,))} from CUDA {TEGRA_UNIFIED} on, and"
                " whether the toolkit alone has to be that or the driver too is not known: a `driver.cuda` of"
                f" {TEGRA_UNIFIED} or newer would settle it."
            )
            return Reason("code", "unknown", because, source=build.source)
    because = f"{subject}: runs the wheel's {code_text((newest,))}, of the same major version and not newer."
    if capability in _RENAMED:
        because = f"{subject}: runs the wheel's {code_text(tuple(near))}, the same chip by another number."
    return Reason("code", "fits", because, source=build.source)


def _older_libraries(build: Build, cuda: Version, subject: str, ptx: Version, first: Version) -> Reason:
    """Return that PTX is torch's alone: what the wheel's cuBLAS and cuDNN hold is in no table."""
    because = (
        f"{subject}: torch's own kernels are there as {code_text((ptx,), 'compute')}, but cuBLAS and cuDNN of"
        f" CUDA {cuda} are older than the GPU, which CUDA {first} was the first to know; whether they hold"
        " code for it is not known."
    )
    remedy = "Add what they hold to compat/tables/torch.yaml."
    return Reason("code", "unknown", because, remedy, build.source)


@lru_cache(maxsize=4096)  # the same few answers for every machine of a fleet
def sass_runs(code: Version, capability: Version, cuda: Version) -> bool:
    """Tell whether machine code made by toolkit `cuda` runs on a GPU of `capability`."""
    if code == capability or {code, capability} == _RENAMED:
        return True
    if code.major != capability.major or code.minor > capability.minor or _is_tegra(code):
        return False
    return cuda >= TEGRA_UNIFIED or not _is_tegra(capability)


def needed_ptx(build: Build, cuda: Version, capability: Version) -> Version | None:
    """Return the PTX that a GPU would run because the build has no machine code for it, None where it has."""
    if capability in build.exact or any(sass_runs(one, capability, cuda) for one in build.sass):
        return None
    return max((one for one in build.ptx if one <= capability), default=None)


def _is_tegra(capability: Version) -> bool:
    row = tables.capability_of(capability)
    return row is not None and row.tegra
