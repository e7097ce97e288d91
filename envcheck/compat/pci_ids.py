"""What a PCI device id tells of a card that no driver lists: which kernel modules and branch it needs.

Source of the ids: NVIDIA's list of GPUs that the open kernel modules drive, README of
github.com/NVIDIA/open-gpu-kernel-modules, read 2026-11-24. There the last of Ada is 28f8 and the first of
Blackwell 2901, and every later GPU has a higher id.
"""

from __future__ import annotations

from collections.abc import Iterable

from envcheck.host.facts import PciDevice

_FIRST_BLACKWELL = 0x2900
_FIRST_BLACKWELL_ULTRA = 0x3180
_GRACE_HOPPER = range(0x2340, 0x2350)

# The first driver branches. Source: the first tags of the open modules that list an RTX 5090 and a B300.
_BLACKWELL_BRANCH = 570
_BLACKWELL_ULTRA_BRANCH = 580


def needs_open_module(card: PciDevice) -> bool:
    """Return whether only the open kernel modules drive a card.

    Source: docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html.
    """
    number = _number(card)
    return number >= _FIRST_BLACKWELL or number in _GRACE_HOPPER


def branch_for(cards: Iterable[PciDevice], loaded: int) -> int:
    """Return the `loaded` driver branch if it is new enough for such cards, else the first that is."""
    ultra = any(_number(card) >= _FIRST_BLACKWELL_ULTRA for card in cards)
    return max(loaded, _BLACKWELL_ULTRA_BRANCH if ultra else _BLACKWELL_BRANCH)


def _number(card: PciDevice) -> int:
    try:
        return int(card.device or "0", 16)
    except ValueError:
        return 0
