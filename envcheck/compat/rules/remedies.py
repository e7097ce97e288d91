"""Which driver is advised: the lowest that is enough for a build and for every GPU; none where there is none.

What makes a driver too old or too new is not known here; that is the rules' to say.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.tables import Capability
from envcheck.compat.words import cards
from envcheck.host.facts import Gpu, Host


def install_driver(host: Host, needed: Version) -> str:
    """Return how to get a driver from `needed` on, "" where a GPU's last branch lies before it."""
    lowest = _lowest(host, needed)
    if host.os.jetson is not None:
        return f"A Jetson's driver comes with its JetPack: install one with {lowest} or newer."
    last = _last(host)
    if last is None:
        return f"Install NVIDIA driver {lowest} or newer{_place(host)}."
    if _branch(lowest) > last[0]:
        return ""
    return f"Install NVIDIA driver {lowest} or newer, of branch R{last[0]} at most{_place(host)}."


def toolkit_driver(host: Host, cuda: Version) -> Version | None:
    """Return the oldest driver that is surely CUDA `cuda` itself, a Windows one for WSL; None: not known."""
    row = tables.toolkit_of(cuda)
    if row is None:
        return None
    return row.windows if host.os.wsl else row.native


def dead_end(host: Host, needed: Version) -> str:
    """Return which GPUs' drivers end before `needed`, "" where none does."""
    last = _last(host)
    if last is None or _branch(_lowest(host, needed)) <= last[0]:
        return ""
    return f"R{last[0]} is the last driver branch for {last[1]}"


def _lowest(host: Host, needed: Version) -> Version:
    """Return `needed`, or the first branch of the newest GPU where that comes later."""
    first = max((row.first_branch for _, row in _rows(host) if row.first_branch is not None), default=0)
    return Version(str(first)) if first > _branch(needed) else needed


def _last(host: Host) -> tuple[int, str] | None:
    """Return the newest branch that still drives every GPU, and the cards that end there."""
    ends = [(row.last_branch, gpu) for gpu, row in _rows(host) if row.last_branch is not None]
    if not ends:
        return None
    first_end = min(end for end, _ in ends)
    return first_end, cards(gpu for end, gpu in ends if end == first_end)


def _rows(host: Host) -> list[tuple[Gpu, Capability]]:
    known = [(gpu, gpu.compute_capability) for gpu in host.gpus or () if gpu.compute_capability is not None]
    rows = [(gpu, tables.capability_of(capability)) for gpu, capability in known]
    return [(gpu, row) for gpu, row in rows if row is not None]


def _branch(driver: Version) -> int:
    row = tables.branch_of(driver)
    return row.branch if row is not None else driver.major


def _place(host: Host) -> str:
    return " in Windows, whose driver WSL uses" if host.os.wsl else ""
