"""What brings a card on the PCI bus into the driver's list, by who holds it and by its generation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envcheck.compat import tables
from envcheck.compat.pci_ids import branch_for, generation_of, needs_open_module
from envcheck.compat.rules.generation import branch_by
from envcheck.compat.rules.modules import SOURCE as MODULES_SOURCE
from envcheck.compat.tables import Capability
from envcheck.compat.words import cards
from envcheck.host.facts import Driver, Host, PciDevice


@dataclass(frozen=True, slots=True)
class Way:
    """A way back into the driver's list; where the card's generation says why it is not there, with that."""

    remedy: str
    because: str = ""
    source: str = ""


def way_back(host: Host, card: PciDevice) -> Way:
    """Return what would make the driver list `card`."""
    if card.driver == "nvidia" and host.os.container is not None:
        return Way("Start the container with its GPUs (docker run --gpus all)")
    # A driver that answers nothing has other troubles than the card's generation.
    if (card.driver != "nvidia" or host.gpus is not None) and (way := _by_generation(host, card)):
        return way
    if card.driver == "nvidia" or (card.driver is None and _is_loaded(host)):
        return Way("`envcheck doctor` and the kernel's log say why (dmesg | grep -e NVRM -e Xid)")
    if card.driver is not None and host.driver is not None:
        return Way(f"Keep {card.driver} off it (blacklist it in /etc/modprobe.d) and reboot")
    row = generation_of(card)
    at_most = f" of branch R{row.last_branch} at most" if row is not None and row.last_branch else ""
    then = " and reboot" if card.driver else ", or load it (modprobe nvidia)"
    return Way(f"Install NVIDIA's driver{at_most}{then}")


def _by_generation(host: Host, card: PciDevice) -> Way | None:
    """Return what the loaded driver's branch and modules are to the card's generation, None if nothing."""
    row, driver = generation_of(card), host.driver
    if row is None or driver is None:
        return None
    version = driver.module_version or driver.version
    branch = branch_by(version, driver.cuda)
    if branch is None:
        return None
    found = f"the driver is {version}" if version else f"the driver is of CUDA {branch.cuda}"
    first, last = row.first_branch, row.last_branch
    if last is not None and branch.branch > last:
        because = f"R{last} is the last driver branch for {row.architecture}, and {found}"
        what = f"a driver of branch R{last}"
        remedy = _unless_lost(host, what, lambda other: (other.first_branch or 0) <= last)
        return Way(remedy, because, row.source)
    if first is not None and branch.branch < first:
        because = f"R{first} is the first driver branch for {row.architecture}, and {found}"
        with_open = " with the open kernel modules" if needs_open_module(card) else ""
        what = f"a driver of branch R{first} or newer{with_open}"
        remedy = _unless_lost(host, what, lambda other: _serves(other, first, card))
        return Way(remedy, because, row.source)
    return _by_modules(host, driver, card, row, branch.branch)


def _by_modules(host: Host, driver: Driver, card: PciDevice, row: Capability, branch: int) -> Way | None:
    needed = "open" if needs_open_module(card) else row.modules
    if driver.open_module is None or needed not in ("open", "proprietary"):
        return None
    loaded = "open" if driver.open_module else "proprietary"
    if needed == loaded:
        return None
    suffix = "-open" if needed == "open" else ""
    what = f"the {needed} kernel modules (nvidia-driver-{branch_for((card,), branch)}{suffix})"
    because = f"it needs the {needed} kernel modules, and the {loaded} ones are loaded"
    remedy = _unless_lost(host, what, lambda other: other.modules != loaded)
    return Way(remedy, because, MODULES_SOURCE)


def _serves(other: Capability, first: int, card: PciDevice) -> bool:
    """Tell whether a driver that is new enough for `card` still drives another generation."""
    if needs_open_module(card) and other.modules == "proprietary":
        return False
    return other.last_branch is None or other.last_branch >= first


def _unless_lost(host: Host, what: str, drives: Callable[[Capability], bool]) -> str:
    """Return the advice to install `what`, or which listed GPUs it would not drive."""
    known = [(gpu, gpu.compute_capability) for gpu in host.gpus or () if gpu.compute_capability is not None]
    rows = [(gpu, tables.capability_of(capability)) for gpu, capability in known]
    if lost := [gpu for gpu, row in rows if row is not None and not drives(row)]:
        return f"{what[0].upper()}{what[1:]} would drop {cards(lost)}: one machine cannot use both"
    return f"Install {what} and reboot"


def _is_loaded(host: Host) -> bool:
    """Tell whether NVIDIA's kernel module is there, if only for other cards."""
    return bool(host.gpus) or (host.driver is not None and host.driver.module_version is not None)
