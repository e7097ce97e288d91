"""What the kernel's log tells of the GPUs since the machine was started: their faults, and programs'."""

from __future__ import annotations

from collections.abc import Collection

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding
from envcheck.host.facts import Host, Xid
from envcheck.symptoms.cards import FAULTY, PROGRAM_FAULT
from envcheck.symptoms.xids import GOES_ON, OF_PROGRAMS, RESET

FALLEN_OFF = 79  # RESTART_BM; gpu.lost tells it

# Told by another check, or beside another Xid: which way back from that one there is.
_OTHERS = (FALLEN_OFF, 154)


class Faults(Check):
    """A GPU that reported a fault of its hardware, and has to be reset before it is relied on."""

    id = FAULTY.id
    title = "No GPU has reported a fault of its hardware"
    caused_by = FAULTY.caused_by

    def look(self, case: Case) -> Finding:
        """Look for Xids after which NVIDIA resets the GPU, and for those that announce such."""
        if nothing := _nothing_to_read(self, case.host):
            return nothing
        broken = _among(case.host, RESET)
        going_on = _among(case.host, GOES_ON)
        if not broken and not going_on:
            return self._not_known(case.host) or _not_whole(self, case.host) or ok(self)
        if broken:
            return Finding(
                self.id,
                "error",
                FAULTY.title,
                (*_told(broken, RESET), *_told(going_on, GOES_ON)),
                f"{FAULTY.why} A reset mends it; the log tells of it until the next start.",
                FAULTY.fix,
                FAULTY.link,
            )
        return Finding(
            self.id,
            "warn",
            "A GPU's memory has had errors, and it goes on",
            _told(going_on, GOES_ON),
            "The GPU contained or repaired them; the program that was hit has ended.",
            FAULTY.fix,
            FAULTY.link,
        )

    def _not_known(self, host: Host) -> Finding | None:
        known = {*RESET, *GOES_ON, *OF_PROGRAMS, *_OTHERS}
        others = tuple(xid for xid in host.kernel.xids or () if xid.code not in known)
        if not others:
            return None
        return Finding(
            self.id,
            "info",
            "A GPU has reported an Xid that is not known here",
            _told(others, dict.fromkeys((xid.code for xid in others), "not known here")),
            "It may be a fault of the hardware, a program's, or a mere note: NVIDIA's catalogue says which.",
            link=FAULTY.link,
        )


class ProgramFaults(Check):
    """Programs that asked a GPU for what it cannot do; the GPU is as good as before."""

    id = PROGRAM_FAULT.id
    title = "No program has made a GPU fault"
    worst = "info"
    caused_by = PROGRAM_FAULT.caused_by

    def look(self, case: Case) -> Finding:
        """Look for Xids that NVIDIA has the application examined for."""
        if nothing := _nothing_to_read(self, case.host):
            return nothing
        found = _among(case.host, OF_PROGRAMS)
        if not found:
            return _not_whole(self, case.host) or ok(self)
        return Finding(
            self.id,
            "info",
            "A program has made a GPU fault",
            _told(found, OF_PROGRAMS),
            PROGRAM_FAULT.why,
            PROGRAM_FAULT.fix,
            PROGRAM_FAULT.link,
        )


def fallen_off(host: Host) -> tuple[str, ...]:
    """Return as evidence the GPUs that the log calls lost; one that answers again was brought back."""
    answering = {gpu.pci_address for gpu in host.gpus or () if gpu.uuid}
    lost = tuple(xid for xid in _among(host, (FALLEN_OFF,)) if xid.pci_address not in answering)
    return _told(lost, {FALLEN_OFF: "fallen off the bus"})


def _nothing_to_read(check: Check, host: Host) -> Finding | None:
    """Return the answer where there is no driver that writes a log, or no log that can be read."""
    if host.driver is None:
        return skip(check, "There is no driver.")
    if host.os.wsl or host.os.jetson:
        return skip(check, "The driver of this system writes no such lines.")
    return unknown(check, host.why("kernel.xids")) if host.kernel.xids is None else None


def _not_whole(check: Check, host: Host) -> Finding | None:
    """Return the answer where the log has lines, and has lost others."""
    return unknown(check, host.unknown["kernel.xids"]) if "kernel.xids" in host.unknown else None


def _among(host: Host, codes: Collection[int]) -> tuple[Xid, ...]:
    return tuple(xid for xid in host.kernel.xids or () if xid.code in codes)


def _told(xids: tuple[Xid, ...], meanings: dict[int, str]) -> tuple[str, ...]:
    return tuple(
        f"kernel log: {xid.text or f'Xid {xid.code}'}"
        f" ({meanings[xid.code]}; GPU at {xid.pci_address or '?'}"
        f"{f', {xid.count} times' if xid.count > 1 else ''})"
        for xid in xids
    )
