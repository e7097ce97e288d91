"""Driver branch and kernel modules against the GPU's generation.

A GPU in the host's list was listed by its driver, so facts that are absent are settled by that. Facts that
are given and contradict the tables refuse: snapshots are also written by hand, to plan an upgrade.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Build, Capability
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, cards
from envcheck.host.facts import Gpu, Host


def generation(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the driver's branch and kernel modules drive each generation among the host's GPUs."""
    if build.cuda is None:
        return ()
    reasons: list[Reason] = []
    for capability, group in by_capability(host.gpus or ()):
        if capability is None:
            continue  # the code rule says so
        row = tables.capability_of(capability)
        if row is None:
            because = f"{cards(group)}: the tables do not know compute capability {capability}."
            reasons.append(
                Reason("generation", "unknown", because, "Add its row to compat/tables/gpus.yaml.")
            )
            continue
        reasons += [*_branch(host, row, group), *_modules(host, row, group)] or _fits(host, row, group)
    return tuple(reasons)


def _branch(host: Host, row: Capability, group: tuple[Gpu, ...]) -> list[Reason]:
    version = host.driver.version if host.driver else None
    branch = tables.branch_of(version) if version else None
    if version is None or branch is None:
        return []
    subject = f"Driver {version} (R{branch.branch})"
    if row.last_branch is not None and branch.branch > row.last_branch:
        because = f"{subject} is too new: R{row.last_branch} is the last branch for {_kind(row, group)}."
        remedy = f"Install a driver of branch R{row.last_branch}."
        return [Reason("generation", "refused", because, remedy, row.source)]
    if row.first_branch is not None and branch.branch < row.first_branch:
        because = f"{subject} is too old: R{row.first_branch} is the first branch for {_kind(row, group)}."
        return [Reason("generation", "refused", because, _install_branch(row, host), row.source)]
    return []


def _modules(host: Host, row: Capability, group: tuple[Gpu, ...]) -> list[Reason]:
    is_open = host.driver.open_module if host.driver else None
    if is_open is None or row.modules in (None, "either") or is_open == (row.modules == "open"):
        return []
    loaded = "open" if is_open else "proprietary"
    because = f"The {loaded} kernel modules are loaded, and {_kind(row, group)} needs the {row.modules} ones."
    version = host.driver.version if host.driver else None
    return [Reason("generation", "refused", because, _install_modules(row, version), row.source)]


def _fits(host: Host, row: Capability, group: tuple[Gpu, ...]) -> list[Reason]:
    version = host.driver.version if host.driver else None
    by = f"Driver {version}" if version else "The driver"
    return [Reason("generation", "fits", f"{by} lists {_kind(row, group)}.", source=row.source)]


def _install_modules(row: Capability, version: Version | None) -> str:
    branch = f" of branch R{version.major}" if version else ""
    suffix = " (Ubuntu: the packages whose name ends in -open)" if row.modules == "open" else ""
    return f"Install the driver{branch} with the {row.modules} kernel modules{suffix} and reboot."


def _install_branch(row: Capability, host: Host) -> str:
    where = " in Windows" if host.os.wsl else ""
    return f"Install a driver of branch R{row.first_branch} or newer{where}."


def _kind(row: Capability, group: tuple[Gpu, ...]) -> str:
    return f"{row.architecture} ({cards(group)})"
