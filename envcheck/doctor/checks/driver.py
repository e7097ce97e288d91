"""NVIDIA's driver: is it there, are its two halves of one version, does it answer."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.cards import described, own_cards
from envcheck.doctor.checks.modules import complaints, not_loaded_because
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.remedies import REBOOT, hand_over_gpus, install_driver, of_the_machine
from envcheck.host.facts import Driver, Host
from envcheck.symptoms.cards import DRIVER_GUIDE
from envcheck.symptoms.driver import ABSENT, MISMATCH, NOT_LOADED
from envcheck.symptoms.inside import DEVICES_LOST, SELINUX
from envcheck.symptoms.symptom import Symptom

# An idle GPU that is kept initialised answers all questions in milliseconds.
_SLOW_S_PER_GPU = 1.0

_READ_ON = Fix(
    "See what the driver's own tool says, and the kernel's log.",
    ("nvidia-smi", "sudo dmesg | grep -e NVRM -e Xid"),
    needs_root=True,
)


class Present(Check):
    """A card without a driver: the most common reason why torch sees no GPU."""

    id = ABSENT.id
    title = "NVIDIA's driver is installed"
    caused_by = ("card.nouveau",)

    def look(self, case: Case) -> Finding:
        """Look for a card on the bus of a machine that has no driver."""
        cards = own_cards(case.host)
        if case.host.driver is not None:
            return ok(self)
        if "driver" in case.host.unknown:
            return unknown(self, case.host.unknown["driver"])
        if not cards:
            return skip(self, "There is no NVIDIA card for this system on the PCI bus.")
        fix = install_driver(case.host, cards)
        if case.in_container:
            fix = hand_over_gpus(
                case.host, "Start the container with its GPUs; the driver belongs to the machine outside."
            )
        return Finding(
            self.id,
            "error",
            ABSENT.title,
            described(cards),
            "There is an NVIDIA card, and neither NVIDIA's library nor its kernel module is here.",
            fix,
            DRIVER_GUIDE,
        )


class Loaded(Check):
    """The library without its kernel module, as after a kernel upgrade for which the module was not built."""

    id = NOT_LOADED.id
    title = "The driver's kernel module is loaded"
    caused_by = ("card.nouveau",)

    def look(self, case: Case) -> Finding:
        """Look for NVML saying that the module is not loaded."""
        driver = case.host.driver
        if driver is None or case.host.os.wsl or case.host.os.jetson:
            return skip(self, "There is no kernel module of NVIDIA's to expect here.")
        if driver.module_version is not None:
            return ok(self, f"/sys/module/nvidia/version: {driver.module_version}")
        if not _why_silent(case.host).startswith("DRIVER_NOT_LOADED"):
            return ok(self) if case.host.gpus else unknown(self, "The facts do not name a loaded module.")
        cards = own_cards(case.host)
        if not cards and case.host.pci is not None:
            return skip(self, "NVIDIA's library is installed, and there is no NVIDIA card to drive.")
        why, fix = NOT_LOADED.why, NOT_LOADED.fix
        seen: tuple[str, ...] = ()
        if case.in_container:
            fix = hand_over_gpus(case.host, "Start the container with its GPUs, or load the module outside.")
        elif reason := not_loaded_because(case.host):
            seen, why, fix = reason.evidence, reason.cause, reason.fix
        return Finding(
            self.id,
            "error",
            NOT_LOADED.title,
            ("NVML: DRIVER_NOT_LOADED", *seen, *described(cards)),
            why,
            fix,
            NOT_LOADED.link,
        )


class LibraryThere(Check):
    """The kernel module without the library, as in a container that was started without its GPUs."""

    id = "driver.library"
    title = "The driver's library is installed"
    caused_by = ("system.wsl",)

    def look(self, case: Case) -> Finding:
        """Look for NVML that is missing, or that is there and cannot be loaded."""
        why = _why_silent(case.host)
        if case.host.driver is None:
            return skip(self, "There is no driver.")
        if not why and case.host.gpus is None and case.host.driver.version is None:
            return unknown(self, "The facts do not say what the library answered.")
        if not why.startswith(("LIBRARY_NOT_FOUND", "LIBRARY_NOT_LOADED")):
            return ok(self)
        if case.host.os.jetson:
            return skip(self, "JetPack before its sixth has a driver and no libnvidia-ml.so.1.")
        fix = Fix(
            "Reinstall the driver's user-space packages, of the kernel module's version.", needs_root=True
        )
        if case.in_container:
            fix = hand_over_gpus(
                case.host, "Start the container with its GPUs; that mounts the library into it."
            )
        return Finding(
            self.id,
            "error",
            "The driver's library, libnvidia-ml.so.1, is not to be had",
            (f"NVML: {why}", *_module_evidence(case.host.driver)),
            "The kernel's half of the driver is here, and the half that programs load is not.",
            fix,
            DRIVER_GUIDE,
        )


class ModuleMatch(Check):
    """An upgraded library beside the old module that is still loaded."""

    id = MISMATCH.id
    title = "The driver's library and kernel module are of one version"
    caused_by = ("driver.loaded", "driver.library", "driver.hang")

    def look(self, case: Case) -> Finding:
        """Compare both versions, and listen to NVML, which refuses to work with another version's module."""
        driver = case.host.driver
        if driver is None:
            return skip(self, "There is no driver.")
        refused = "LIB_RM_VERSION_MISMATCH" in _why_silent(case.host)
        library, module = driver.version, driver.module_version
        if not refused and (library is None or module is None):
            if case.host.os.wsl or case.host.os.jetson:
                return skip(self, "The kernel module is not NVIDIA's own here.")
            return unknown(self, "One of the two versions is not known.")
        if not refused and library == module:
            return ok(self, *_module_evidence(driver))
        fix = MISMATCH.fix
        if case.in_container:
            fix = Fix("Restart the container; if it stays, reboot the machine outside.")
        said = ("NVML: Driver/library version mismatch",) if refused else ()
        seen = (f"library {library}",) if library else ()
        return Finding(
            self.id,
            "error",
            MISMATCH.title,
            (*said, *seen, *_module_evidence(driver)),
            MISMATCH.why,
            fix,
            MISMATCH.link,
        )


class Hang(Check):
    """A library that hung or died while it was asked."""

    id = "driver.hang"
    title = "The driver's library neither hangs nor crashes"

    def look(self, case: Case) -> Finding:
        """Look for facts that are missing because a question did not come back."""
        if case.host.driver is None:
            return skip(self, "There is no driver.")
        reasons = dict.fromkeys(
            why
            for path, why in case.host.unknown.items()
            if path.startswith(("driver", "gpus")) and why.startswith(("HANG:", "CRASH:"))
        )
        if not reasons:
            if case.host.gpus is None and not _why_silent(case.host):
                return unknown(self, case.host.why("gpus"))
            return ok(self)
        silent = "A GPU does not answer" if case.host.gpus else "The driver does not answer"
        crashed = any(why.startswith("CRASH:") for why in reasons)
        return Finding(
            self.id,
            "error",
            "The driver's library crashed" if crashed else silent,
            tuple(reasons),
            "A GPU that has failed blocks everybody who asks for it; the kernel's log names it.",
            Fix(
                "Read the kernel's log; a GPU that stays silent comes back with a reset or a reboot.",
                ("sudo dmesg | grep -e NVRM -e Xid", REBOOT),
                needs_root=True,
                reboot=True,
            ),
            "https://docs.nvidia.com/deploy/xid-errors/",
        )


class Answers(Check):
    """NVML that opens: every other fact about the GPUs comes through it."""

    id = "driver.answers"
    title = "The driver answers"
    caused_by = (
        "driver.module-match",
        "card.nouveau",
        "driver.loaded",
        "driver.library",
        "driver.hang",
        "driver.nodes",
        "system.wsl",
        "system.jetson",
    )

    def look(self, case: Case) -> Finding:
        """Look whether NVML said anything about GPUs."""
        if case.host.driver is None:
            return skip(self, "There is no driver.")
        if case.host.gpus is not None:
            return ok(self, *_library_evidence(case.host.driver))
        why = _why_silent(case.host)
        if not why:
            return unknown(self, "The facts do not say which GPUs there are, nor why not.")
        evidence = (f"NVML: {why}", *complaints(case.host))
        if symptom := _of_the_container(case.host, why):
            return Finding(
                self.id,
                "error",
                "The driver is not to be reached from this container",
                evidence,
                symptom.why,
                symptom.fix,
                symptom.link,
            )
        return Finding(
            self.id,
            "error",
            "The driver does not say which GPUs there are",
            evidence,
            "NVIDIA's management library could not be opened, and CUDA will hardly fare better.",
            of_the_machine(case.host, _READ_ON),
            "https://docs.nvidia.com/deploy/xid-errors/",
        )


class Slow(Check):
    """Seconds for each GPU, which every program that starts then waits for."""

    id = "driver.quick"
    title = "The driver answers quickly"
    worst = "warn"
    caused_by = ("gpu.persistence", "driver.hang", "driver.answers", "system.jetson")

    def look(self, case: Case) -> Finding:
        """Hold the time of all answers against the number of GPUs."""
        if nothing := without_gpus(self, case.host):
            return nothing
        seconds = case.host.driver.nvml_seconds if case.host.driver else None
        if seconds is None:
            return unknown(self, case.host.why("driver.nvml_seconds"))
        count = len(case.host.gpus or ())
        took = f"NVML: {seconds:.1f} s for {count} GPU{'s' if count != 1 else ''}"
        if seconds <= _SLOW_S_PER_GPU * max(1, count):
            return ok(self, took)
        return Finding(
            self.id,
            "warn",
            "The driver takes seconds for each GPU",
            (took,),
            "With persistence mode off, a GPU that nobody uses is initialised anew for every program.",
            Fix(
                "Turn persistence mode on, by its daemon or until the next reboot.",
                ("sudo systemctl enable --now nvidia-persistenced", "sudo nvidia-smi -pm 1"),
                needs_root=True,
            ),
            "https://docs.nvidia.com/deploy/driver-persistence/",
        )


def _why_silent(host: Host) -> str:
    """Return why NVML did not open, in its own code, or "" when it did."""
    return host.unknown.get("gpus") or host.unknown.get("driver.version") or ""


def _of_the_container(host: Host, why: str) -> Symptom | None:
    """Return what NVML's refusal means where a container is between it and the driver."""
    if host.os.container is None:
        return None
    if why.startswith("UNKNOWN"):
        return DEVICES_LOST
    is_labelled = host.os.container == "podman" or host.kernel.selinux == "enforcing"
    return SELINUX if why.startswith("NO_PERMISSION") and is_labelled else None


def _library_evidence(driver: Driver) -> tuple[str, ...]:
    return (f"NVML: driver {driver.version}",) if driver.version else ()


def _module_evidence(driver: Driver) -> tuple[str, ...]:
    if driver.module_version is None:
        return ()
    return (f"kernel module {driver.module_version} (/sys/module/nvidia/version)",)
