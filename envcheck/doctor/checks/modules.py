"""Why a kernel module is not loaded: what firmware, headers, DKMS and the kernel's log say of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from envcheck.doctor.finding import Fix
from envcheck.doctor.remedies import REBOOT, build_module, enrol_key
from envcheck.host.facts import Host

_SECURE_BOOT = "EFI variable SecureBoot: on"


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """One reason for it, the facts that show it, and the way out."""

    evidence: tuple[str, ...]
    cause: str
    fix: Fix


def not_loaded_because(host: Host) -> NotLoaded | None:
    """Return the reason that the facts name; None where they name none."""
    kernel = host.kernel
    said = complaints(host)
    running = host.os.kernel or "the running kernel"
    if kernel.dkms == "broken":
        return NotLoaded(
            (*said, "/var/lib/dkms: the source of NVIDIA's module is gone"),
            "DKMS has an entry for NVIDIA's module and cannot build it: its source was taken away.",
            Fix(
                "Install the driver's DKMS package anew, then reboot.",
                ("dkms status", REBOOT),
                needs_root=True,
                reboot=True,
            ),
        )
    unbuilt = _unbuilt(host, running)
    if unbuilt is not None:
        if not kernel.secure_boot:
            return replace(unbuilt, evidence=(*said, *unbuilt.evidence))
        cause = f"{unbuilt.cause} Secure Boot is on, too: it refuses a module whose key is not enrolled."
        return replace(unbuilt, evidence=(*said, *unbuilt.evidence, _SECURE_BOOT), cause=cause)
    if kernel.secure_boot:
        return NotLoaded(
            (*said, _SECURE_BOOT),
            "Secure Boot is on, and lets the kernel load signed modules only: this one's key is not known.",
            enrol_key(host),
        )
    if not said:
        return None
    return NotLoaded(
        said,
        "The module was refused or could not work, and the kernel's log says why.",
        Fix(
            "Try to load it, and read on there.",
            ("sudo modprobe nvidia", "sudo dmesg | grep NVRM"),
            needs_root=True,
        ),
    )


def _unbuilt(host: Host, running: str) -> NotLoaded | None:
    """Return why there may be no module for the running kernel, None where nothing says so."""
    kernel = host.kernel
    no_headers = f"/lib/modules/{running}/build is missing"
    if kernel.headers is False and kernel.dkms is None:
        return NotLoaded(
            (no_headers,),
            f"DKMS is not seen to know of NVIDIA's module, and there are no headers of {running} to build it"
            " with: most likely the module was made for another kernel only.",
            build_module(host, with_headers=True, with_driver=True),
        )
    if kernel.headers is False and kernel.dkms != "installed":
        return NotLoaded(
            (no_headers,),
            f"There are no headers of {running}, so that DKMS could not build NVIDIA's module for it.",
            build_module(host, with_headers=True),
        )
    if kernel.dkms == "added":
        return NotLoaded(
            (f"/var/lib/dkms: NVIDIA's module is not built for {running}",),
            "The kernel was upgraded, and DKMS has not built NVIDIA's module for the new one.",
            build_module(host, with_headers=False),
        )
    return None


def complaints(host: Host) -> tuple[str, ...]:
    """Return as evidence what the driver complained of in the kernel's log."""
    return tuple(f"kernel log: {line}" for line in host.kernel.complaints or ())
