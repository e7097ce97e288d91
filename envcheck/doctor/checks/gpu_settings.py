"""How the GPUs are set and what they are: kept initialised, licensed, all of one kind."""

from __future__ import annotations

from collections import Counter

from envcheck.doctor.check import Case, Check, ok, skip, without_gpus
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.per_gpu import SILENT, is_for_servers, named, unanswered
from envcheck.doctor.remedies import of_the_machine
from envcheck.host.facts import Gpu
from envcheck.symptoms.driver import UNLICENSED

_PERSISTENCE_GUIDE = "https://docs.nvidia.com/deploy/driver-persistence/"

# Sizes of one model differ by what error correction and firmware take.
_SAME_MEMORY = 0.9


class Persistence(Check):
    """A server's GPU that the driver lets go whenever nobody uses it."""

    id = "gpu.persistence"
    title = "The driver keeps servers' GPUs initialised"
    worst = "warn"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look at the persistence mode of GPUs on which no screen hangs, which would keep them awake."""
        if nothing := without_gpus(self, case.host):
            return nothing
        if case.host.os.wsl:
            return skip(self, "In WSL, Windows keeps the GPU initialised.")
        for_servers = [(name, gpu) for name, gpu in named(case.host) if is_for_servers(gpu)]
        let_go = [(name, gpu) for name, gpu in for_servers if gpu.persistence is False]
        if not for_servers:
            return skip(self, "No GPU here is one for servers; a screen keeps the others initialised.")
        if not let_go:
            return unanswered(self, case.host, "persistence") or ok(self)
        fix = Fix(
            "Turn persistence mode on, by its daemon or until the next reboot.",
            ("sudo systemctl enable --now nvidia-persistenced", "sudo nvidia-smi -pm 1"),
            needs_root=True,
        )
        return Finding(
            self.id,
            "warn",
            "The driver lets a GPU go whenever nobody uses it",
            tuple(f"{name}: persistence mode off" for name, _ in let_go),
            "A program that starts alone waits seconds for each GPU, and what was counted or set is lost.",
            of_the_machine(case.host, fix),
            _PERSISTENCE_GUIDE,
        )


class VgpuLicense(Check):
    """A virtual GPU without its licence, which is slowed down."""

    id = UNLICENSED.id
    title = "Every virtual GPU has its licence"
    worst = "warn"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look for virtual GPUs, and whether they are licensed."""
        if nothing := without_gpus(self, case.host):
            return nothing
        without = [name for name, gpu in named(case.host) if gpu.license == "unlicensed"]
        if not without:
            if missing := unanswered(self, case.host, "license"):
                return missing
            virtual = any(gpu.license == "licensed" for _, gpu in named(case.host))
            return ok(self) if virtual else skip(self, "No GPU here is a virtual one.")
        return Finding(
            self.id,
            "warn",
            UNLICENSED.title,
            tuple(f"{name}: unlicensed" for name in without),
            UNLICENSED.why,
            of_the_machine(case.host, UNLICENSED.fix),
            UNLICENSED.link,
        )


class Mixed(Check):
    """GPUs of several kinds in one machine."""

    id = "gpu.mixed"
    title = "All GPUs are of one kind"
    worst = "info"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Compare the GPUs' compute capability and memory."""
        if nothing := without_gpus(self, case.host):
            return nothing
        gpus = case.host.gpus or ()
        if len(gpus) == 1:
            return skip(self, "There is one GPU.")
        sizes = [gpu.memory_mib for gpu in gpus if gpu.memory_mib]
        capabilities = {gpu.compute_capability for gpu in gpus if gpu.compute_capability}
        alike = not sizes or min(sizes) >= _SAME_MEMORY * max(sizes)
        if len(capabilities) <= 1 and alike:
            missing = unanswered(self, case.host, "compute_capability")
            return missing or unanswered(self, case.host, "memory_mib") or ok(self)
        kinds = Counter(_kind(gpu) for gpu in gpus)
        return Finding(
            self.id,
            "info",
            "The GPUs are of several kinds",
            tuple(f"{count} x {kind}" for kind, count in kinds.items()),
            "A training on all of them is as fast as the slowest, and its batch fits the smallest.",
            Fix("Choose those that are alike, for a training that spreads over several.", ("nvidia-smi -L",)),
            "https://docs.pytorch.org/docs/stable/notes/ddp.html",
        )


def _kind(gpu: Gpu) -> str:
    capability = f"compute capability {gpu.compute_capability or '?'}"
    return f"{gpu.name or 'a GPU'}, {capability}, {gpu.memory_mib or '?'} MiB"
