"""The kernel modules, open or proprietary, against each GPU's generation.

Facts that are absent are settled by the driver having listed the GPU, as under WSL, which has no modules.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.generation import branch_by
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, kind
from envcheck.host.facts import Gpu, Host

SOURCE = "NVIDIA, driver installation guide, kernel modules; read 2026-11-23"

# The open modules began with this branch.
FIRST_OPEN = 515
# A Hopper that only the open modules drive, though its capability is that of cards that both drive.
_GRACE_HOPPER = "GH200"


def modules(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the loaded kernel modules drive each generation among the host's GPUs."""
    driver = host.driver
    if build.cuda is None or not host.gpus or driver is None or driver.open_module is None:
        return ()
    loaded, version = driver.open_module, driver.module_version or driver.version
    branch = branch_by(version, driver.cuda)
    if loaded and branch is not None and branch.branch < FIRST_OPEN and not host.os.wsl:
        found = version or f"of CUDA {branch.cuda} (R{branch.branch})"
        because = f"The open kernel modules began with R{FIRST_OPEN}, and the driver is {found}."
        remedy = "Probe this machine again: these two facts cannot both be."
        return (Reason("modules", "refused", because, remedy, SOURCE),)
    return tuple(
        reason
        for capability, group in by_capability(host.gpus)
        if capability is not None
        for reason in _judge(loaded, version, capability, group)
    )


def _judge(
    loaded: bool, version: Version | None, capability: Version, group: tuple[Gpu, ...]
) -> tuple[Reason, ...]:
    row = tables.capability_of(capability)
    if row is None:
        return ()  # the generation rule says so
    needed: str | None = row.modules
    needing = group
    if needed == "either" and (grace := tuple(gpu for gpu in group if _GRACE_HOPPER in (gpu.name or ""))):
        needed, needing = "open", grace
    if needed is None:
        return ()
    what, here = kind(row.architecture, needing), _named(loaded)
    if needed in ("either", here):
        return (Reason("modules", "fits", f"The {here} kernel modules drive {what}.", source=SOURCE),)
    because = f"The {here} kernel modules are loaded, and {what} needs the {needed} ones."
    return (Reason("modules", "refused", because, _install(needed, version), SOURCE),)


def _install(needed: str, version: Version | None) -> str:
    branch = f" of branch R{version.major}" if version else ""
    suffix = " (Ubuntu: the packages whose name ends in -open)" if needed == "open" else ""
    return f"Install the driver{branch} with the {needed} kernel modules{suffix} and reboot."


def _named(is_open: bool) -> str:
    return "open" if is_open else "proprietary"
