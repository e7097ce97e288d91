"""What a PCI device id tells of a card that no driver lists: its generation, and so branch and modules.

Sources of the ids: from Ada on, NVIDIA's list of GPUs that the open kernel modules drive, README of
github.com/NVIDIA/open-gpu-kernel-modules, read 2026-11-24 (there the last of Ada is 28f8, the first of
Blackwell 2901, and every later GPU has a higher id); before, the public list of PCI ids (pci.ids) of
2023-04-11, read 2026-11-25, by the chip's name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from envcheck.compat import tables
from envcheck.compat.tables import Capability
from envcheck.host.facts import PciDevice

# Where each run of ids begins, and the generation of its cards; None: of one that the tables don't know.
_RUNS: tuple[tuple[int, str | None], ...] = (
    (0x0000, None),
    (0x0FC0, "Kepler"),
    (0x1040, None),
    (0x1180, "Kepler"),
    (0x1200, None),
    (0x1280, "Kepler"),
    (0x1340, "Maxwell"),
    (0x15F0, "Pascal"),
    (0x1617, "Maxwell"),
    (0x1725, "Pascal"),
    (0x174D, "Maxwell"),
    (0x1B00, "Pascal"),
    (0x1D81, "Volta"),
    (0x1E02, "Turing"),
    (0x2082, "Ampere"),
    (0x2182, "Turing"),
    (0x2200, "Ampere"),
    (0x2302, "Hopper"),
    (0x2414, "Ampere"),
    (0x2681, "Ada"),
    (0x2900, "Blackwell"),
    (0x3180, "Blackwell Ultra"),
)
_GRACE_HOPPER = range(0x2340, 0x2350)
# The first tag of the open modules that lists a GH200 is 535.43.19.
_GRACE_HOPPER_BRANCH = 535


def generation_of(card: PciDevice) -> Capability | None:
    """Return the row of the capability with which a card's generation began, None where it is not known.

    Rows of one generation agree on the last branch and the modules; its first branch is the earliest.
    """
    place = bisect_right(_RUNS, _number(card), key=lambda run: run[0])
    architecture = _RUNS[place - 1][1]
    return _first_of(architecture) if architecture is not None else None


def needs_open_module(card: PciDevice) -> bool:
    """Return whether only the open kernel modules drive a card.

    Source: docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html.
    """
    row = generation_of(card)
    return _number(card) in _GRACE_HOPPER or (row is not None and row.modules == "open")


def branch_for(cards: Iterable[PciDevice], loaded: int) -> int:
    """Return the `loaded` driver branch if it is new enough for such cards, else the first that is."""
    return max(loaded, *(_first_branch(card) for card in cards))


def is_dropped(card: PciDevice, branch: int) -> bool:
    """Return whether a driver branch no longer drives a card; before Kepler all ended long ago."""
    row = generation_of(card)
    if row is None:
        return _number(card) > 0
    return row.last_branch is not None and branch > row.last_branch


def _first_branch(card: PciDevice) -> int:
    if _number(card) in _GRACE_HOPPER:
        return _GRACE_HOPPER_BRANCH
    row = generation_of(card)
    return row.first_branch or 0 if row is not None else 0


@lru_cache(maxsize=32)
def _first_of(architecture: str) -> Capability:
    # No card is known of a row without names: 8.8 is a target of the compiler.
    rows = [
        row
        for row in tables.gpus().capabilities
        if row.architecture == architecture and row.names and not row.tegra
    ]
    return min(rows, key=lambda row: row.first_branch or 0)


def _number(card: PciDevice) -> int:
    try:
        return max(int(card.device or "0", 16), 0)
    except ValueError:
        return 0
