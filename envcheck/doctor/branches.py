"""Driver branches against generations of GPUs: what the loaded branch has dropped or does not know yet."""

from __future__ import annotations

from dataclasses import dataclass

from envcheck.compat import tables
from envcheck.compat.pci_ids import generation_of
from envcheck.compat.rules.devices import unlisted_cards
from envcheck.compat.rules.generation import branch_by
from envcheck.compat.tables import Capability
from envcheck.host.facts import Gpu, Host


@dataclass(frozen=True, slots=True)
class Misfits:
    """What the loaded driver's branch does not drive."""

    last: int | None  # the branch that a dropped generation ends with; None: none is dropped
    is_listed: bool  # whether any of it is among the driver's own GPUs
    apart: bool  # no branch drives all that is here


def misfits(host: Host) -> Misfits | None:
    """Return what the branch does not drive of GPUs and of cards that it does not list; None: nothing."""
    driver = host.driver
    if driver is None or host.gpus is None:
        return None
    branch = branch_by(driver.module_version or driver.version, driver.cuda)
    if branch is None:
        return None
    listed = [row for _, row in known_rows(host)]
    bus = [card for card in unlisted_cards(host) if card.driver in ("nvidia", None)]
    found = [row for card in bus if (row := generation_of(card)) is not None]
    wrong = [row for row in (*listed, *found) if not _drives(branch.branch, row)]
    if not wrong:
        return None
    ends = [row.last_branch for row in (*listed, *found) if row.last_branch is not None]
    first = max(row.first_branch or 0 for row in (*listed, *found))
    dropped = [
        row.last_branch for row in wrong if row.last_branch is not None and branch.branch > row.last_branch
    ]
    return Misfits(
        last=min(dropped) if dropped else None,
        is_listed=any(row in listed for row in wrong),
        apart=bool(ends) and first > min(ends),
    )


def known_rows(host: Host) -> list[tuple[Gpu, Capability]]:
    """Return the GPUs whose generation the tables know, each with its row."""
    rows = [
        (gpu, tables.capability_of(gpu.compute_capability))
        for gpu in host.gpus or ()
        if gpu.compute_capability is not None
    ]
    return [(gpu, row) for gpu, row in rows if row is not None]


def _drives(branch: int, row: Capability) -> bool:
    first, last = row.first_branch, row.last_branch
    return (first is None or branch >= first) and (last is None or branch <= last)
