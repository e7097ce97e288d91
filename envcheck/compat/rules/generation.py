"""The driver's branch against each GPU's generation.

A GPU in the host's list was listed by its driver, so facts that are absent are settled by that. Facts that
are given and contradict the tables refuse: snapshots are also written by hand, to plan an upgrade.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Branch, Build, Capability
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, cards, kind
from envcheck.host.facts import Gpu, Host


def generation(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the driver's branch drives each generation among the host's GPUs."""
    if build.cuda is None or not host.gpus:
        return ()
    branch = branch_by(host.driver.version, host.driver.cuda) if host.driver else None
    # A GPU of unknown capability is left to the code rule, which says so.
    return tuple(
        _judge(host, branch, capability, group)
        for capability, group in by_capability(host.gpus)
        if capability is not None
    )


def branch_by(version: Version | None, cuda: Version | None) -> Branch | None:
    """Return a driver's branch by its version or else by the CUDA that it is, None where neither says."""
    if version is not None:
        return tables.branch_of(version)
    return next((row for row in tables.cuda().branches if row.cuda == cuda), None)


def _judge(host: Host, branch: Branch | None, capability: Version, group: tuple[Gpu, ...]) -> Reason:
    row = tables.capability_of(capability)
    if row is None:
        because = f"{cards(group)}: the tables do not know compute capability {capability}."
        remedy = "Add its row to compat/tables/gpus.yaml."
        return Reason("generation", "unknown", because, remedy, "compat/tables/gpus.yaml")
    what = kind(row.architecture, group)
    if host.driver is None or branch is None:
        return Reason("generation", "fits", f"The driver lists {what}.", source=row.source)
    version = host.driver.version
    driver = f"Driver {version}" if version else f"The driver of CUDA {branch.cuda}"
    return _by_branch(host, driver, branch.branch, row, what)


def _by_branch(host: Host, driver: str, branch: int, row: Capability, what: str) -> Reason:
    if row.last_branch is not None and branch > row.last_branch:
        because = f"{driver} (R{branch}) is too new: R{row.last_branch} is the last branch for {what}."
        remedy = f"Install a driver of branch R{row.last_branch}."
        return Reason("generation", "refused", because, remedy, row.source)
    if row.first_branch is not None and branch < row.first_branch:
        because = f"{driver} (R{branch}) is too old: R{row.first_branch} is the first branch for {what}."
        where = " in Windows" if host.os.wsl else ""
        remedy = f"Install a driver of branch R{row.first_branch} or newer{where}."
        return Reason("generation", "refused", because, remedy, row.source)
    return Reason("generation", "fits", f"{driver} lists {what}.", source=row.source)
