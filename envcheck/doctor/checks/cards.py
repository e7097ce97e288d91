"""NVIDIA cards on the PCI bus: who drives them, and does the driver list them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from envcheck.compat.pci_ids import branch_for, needs_open_module
from envcheck.compat.rules.devices import LINUXS_OWN, unlisted_cards
from envcheck.compat.rules.modules import FIRST_OPEN
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards as gpus_in_words
from envcheck.doctor.branches import known_rows
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.modules import complaints
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.remedies import (
    banish_nouveau,
    hand_over_gpus,
    install_driver,
    install_open_module,
    install_proprietary_module,
    of_the_machine,
)
from envcheck.doctor.verdicts import reasons_of
from envcheck.host.facts import Driver, Host, PciDevice
from envcheck.symptoms.cards import DRIVER_GUIDE, NOUVEAU, OPEN_MODULE, UNBOUND

_GIVEN_AWAY = ("vfio-pci", "pci-stub")

# The open modules need the processor that GPUs have since Turing.
_TURING = (7, 5)


class Nouveau(Check):
    """The card on Linux's own driver, which cannot do CUDA."""

    id = NOUVEAU.id
    title = "No card is driven by nouveau"

    def look(self, case: Case) -> Finding:
        """Look at the kernel driver that each card is bound to."""
        if nothing := _without_cards(self, case.host):
            return nothing
        cards = [card for card in nvidia_cards(case.host) if card.driver in LINUXS_OWN]
        if not cards:
            return ok(self)
        host = case.host
        fix = install_driver(host, cards) if host.driver is None else banish_nouveau(host)
        if host.gpus:
            missing = [card for card in unlisted_cards(host) if card in cards]
            return Finding(
                self.id,
                "warn" if missing else "info",
                "A card beside the GPUs is driven by nouveau, which cannot do CUDA",
                described(missing or cards),
                f"{NOUVEAU.why} As it is, it can draw a screen.",
                fix,
                DRIVER_GUIDE,
            )
        # Beside a card of NVIDIA's driver, which then says nothing, another reason keeps that from answering.
        beside = any(card.driver == "nvidia" for card in nvidia_cards(host))
        return Finding(
            self.id,
            "info" if beside else "error",
            "Beside NVIDIA's driver a card is driven by nouveau" if beside else NOUVEAU.title,
            described(cards),
            NOUVEAU.why
            if host.driver
            else "NVIDIA's driver is not installed, and Linux's own took the card.",
            fix,
            DRIVER_GUIDE,
        )


class GivenAway(Check):
    """A card that a virtual machine has, or will have."""

    id = "card.vfio"
    title = "No card is set aside for virtual machines"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look at the kernel driver that each card is bound to."""
        if nothing := _without_cards(self, case.host):
            return nothing
        cards = [card for card in nvidia_cards(case.host) if card.driver in _GIVEN_AWAY]
        if not cards:
            return ok(self)
        return Finding(
            self.id,
            "info" if case.host.gpus else "warn",
            "A card is set aside for virtual machines",
            described(cards),
            "Its driver hands it over to a virtual machine, and this system cannot use it meanwhile.",
            Fix(
                "To use it here, take it out of vfio's options (kernel command line, modprobe.d) and reboot.",
                needs_root=True,
                reboot=True,
            ),
            "https://docs.kernel.org/driver-api/vfio.html",
        )


class OpenModule(Check):
    """Blackwell and Grace Hopper under the proprietary kernel modules, where NVML lists no device."""

    id = OPEN_MODULE.id
    title = "The kernel modules are of the kind that the cards need"

    def look(self, case: Case) -> Finding:
        """Hold the kind of the loaded modules against the cards that are bound to them and not listed."""
        host = case.host
        refused = [one for one in _of_modules(case) if one.verdict == "refused"]
        if host.driver is not None and refused:
            return self._listed(host, host.driver, refused)
        cards = [card for card in nvidia_cards(host) if card.driver == "nvidia" and needs_open_module(card)]
        if not cards or host.driver is None:
            return skip(self, "No card here runs on the open kernel modules only.")
        missing = [card for card in unlisted_cards(host) if card in cards]
        if host.driver.open_module or not missing:
            return ok(self)
        if host.driver.open_module is None:
            return unknown(self, "/proc/driver/nvidia/version does not say which kernel modules are loaded.")
        version = host.driver.module_version or host.driver.version
        loaded = f"proprietary kernel module {version or ''}".rstrip()
        return Finding(
            self.id,
            "error",
            OPEN_MODULE.title,
            (*described(missing), f"/proc/driver/nvidia/version: {loaded}"),
            f"{OPEN_MODULE.why} {_left_out(host)}".rstrip(),
            install_open_module(host, branch_for(missing, version.major if version else 0)),
            OPEN_MODULE.link,
        )

    def _listed(self, host: Host, driver: Driver, refused: Sequence[Reason]) -> Finding:
        """Return what is said of GPUs that the driver lists under modules of the wrong kind."""
        kinds = {row.modules for _, row in known_rows(host)}
        if {"open", "proprietary"} <= kinds:
            return skip(self, "The GPUs need kernel modules of both kinds, and only one kind can be loaded.")
        version = driver.module_version or driver.version
        if version is None or (driver.open_module and version.major < FIRST_OPEN):
            fix = Fix(refused[0].remedy)
        else:
            install = install_proprietary_module if driver.open_module else install_open_module
            fix = of_the_machine(host, install(host, version.major))
        return Finding(
            self.id,
            "error",
            "The kernel modules are of a kind that does not drive a GPU here",
            tuple(dict.fromkeys(one.because for one in refused)),
            f"{OPEN_MODULE.why[:-1]}, and GPUs before Turing the proprietary ones.",
            fix,
            OPEN_MODULE.link,
        )


def _of_modules(case: Case) -> tuple[Reason, ...]:
    return reasons_of(case.choice, "modules") if case.choice is not None else ()


class Unbound(Check):
    """A card that no kernel driver wants."""

    id = UNBOUND.id
    title = "Every card has a kernel driver"
    caused_by = ("driver.present", "driver.loaded", "driver.too-old")

    def look(self, case: Case) -> Finding:
        """Look for cards to which no kernel driver is bound."""
        if nothing := _without_cards(self, case.host):
            return nothing
        cards = [card for card in nvidia_cards(case.host) if card.driver is None]
        if not cards:
            return ok(self)
        return Finding(
            self.id,
            "error",
            UNBOUND.title,
            described(cards),
            UNBOUND.why,
            UNBOUND.fix,
            UNBOUND.link,
        )


class Listed(Check):
    """A card that is bound to NVIDIA's driver and still not among its GPUs."""

    id = "card.listed"
    title = "The driver lists every card that is on the bus"
    caused_by = (
        "driver.open-module",
        "driver.too-old",
        "card.nouveau",
        "driver.present",
        "driver.module-match",
        "driver.loaded",
        "driver.library",
        "driver.hang",
        "card.bound",
        "driver.answers",
    )

    def look(self, case: Case) -> Finding:
        """Compare the bus with NVML's list; in a container the bus shows more than was handed over."""
        host = case.host
        if nothing := _without_cards(self, host):
            return nothing
        missing = unlisted_cards(host)
        if not missing:
            return ok(self)
        if host.gpus is None and not _has_refused(host) and all(one.driver == "nvidia" for one in missing):
            return unknown(self, host.why("gpus"), *described(missing))
        listed = len(host.gpus or ())
        fix = Fix("The kernel's log says why.", ("sudo dmesg | grep -e NVRM -e Xid",), needs_root=True)
        if case.in_container:
            fix = hand_over_gpus(host, "Start the container with its GPUs.")
        return Finding(
            self.id,
            "warn" if listed else "error",
            f"The driver lists {listed} of {listed + len(missing)} cards"
            if listed
            else "The driver lists no GPU",
            (*described(missing), *complaints(host)),
            "It may have failed on them, or they were not handed to this container or job.",
            fix,
        )


def nvidia_cards(host: Host) -> tuple[PciDevice, ...]:
    """Return NVIDIA's cards on the PCI bus; a snapshot by hand may leave the vendor out."""
    return tuple(card for card in host.pci or () if card.vendor in (None, "10de", "0x10de"))


def own_cards(host: Host) -> tuple[PciDevice, ...]:
    """Return the cards that are not set aside for virtual machines."""
    return tuple(card for card in nvidia_cards(host) if card.driver not in _GIVEN_AWAY)


def described(cards: Iterable[PciDevice]) -> tuple[str, ...]:
    """Return each card as evidence: what the bus says of it, and where."""
    return tuple(
        f"/sys/bus/pci/devices/{card.address}: 10de:{card.device or '????'}"
        + (f", {card.name}" if card.name else "")
        + (f", driver {card.driver}" if card.driver else ", no driver")
        for card in cards
    )


def _has_refused(host: Host) -> bool:
    """Tell whether NVML says, in a code of its own, why it lists nothing."""
    why = host.unknown.get("gpus") or host.unknown.get("driver.version") or ""
    return re.match(r"[A-Z][A-Z_]{3,}\b", why) is not None


def _left_out(host: Host) -> str:
    """Return what the open kernel modules would take away, if anything."""
    older = [
        gpu for gpu in host.gpus or () if gpu.compute_capability and gpu.compute_capability.release < _TURING
    ]
    return f"Those do not drive {gpus_in_words(older)}: one machine cannot use both." if older else ""


def _without_cards(check: Check, host: Host) -> Finding | None:
    """Return the answer where the bus shows no card, or None where there are cards to look at."""
    if host.pci is None:
        return unknown(check, host.unknown.get("pci", "The facts do not show the PCI bus."))
    return None if nvidia_cards(host) else skip(check, "There is no NVIDIA card on the PCI bus.")
