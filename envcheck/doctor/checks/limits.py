"""What the system allows a process, and whether its clock is kept."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.gpus import SILENT
from envcheck.doctor.finding import Finding, Fix
from envcheck.symptoms.system import CLOCK

# NCCL registers its buffers with the adapter, some of them for each pair of GPUs.
_MUCH_LOCKED_KIB = 1024 * 1024
# A worker of a data loader hands over each tensor by a file of its own. 1024 is what most systems start with.
_FEW_FILES = 1024


class Memlock(Check):
    """Memory that an InfiniBand adapter reads by itself has to stay where it is."""

    id = "system.memlock"
    title = "Enough memory can be locked for InfiniBand"
    worst = "warn"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Hold the limit against what NCCL registers, where there are such adapters."""
        around = case.host.surroundings
        if nothing := without_gpus(self, case.host):
            return nothing
        if around.infiniband == ():
            return skip(self, "There is no InfiniBand adapter.")
        if around.infiniband is None or around.memlock_kib is None:
            fact = "infiniband" if around.infiniband is None else "memlock_kib"
            return unknown(self, case.host.why(f"surroundings.{fact}"))
        limit = around.memlock_kib
        seen = f"ulimit -l: {limit}", f"adapters: {', '.join(around.infiniband)}"
        if limit == "unlimited" or limit >= _MUCH_LOCKED_KIB:
            return ok(self, *seen)
        fix = Fix(
            "Lift the limit and log in again; a service has its own (LimitMEMLOCK=infinity).",
            ("echo '* - memlock unlimited' | sudo tee /etc/security/limits.d/memlock.conf",),
            needs_root=True,
        )
        if case.in_container:
            fix = Fix("Start the container without it.", ("docker run --ulimit memlock=-1 ...",))
        return Finding(
            self.id,
            "warn",
            "Little memory can be locked: NCCL over InfiniBand will fail",
            seen,
            "An adapter reads memory by itself, and the system lets a process lock so much of it only.",
            fix,
            "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html",
        )


class OpenFiles(Check):
    """Files that are open at once; workers of data loaders take many."""

    id = "system.open-files"
    title = "A process may open enough files"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Hold the limit against what systems usually start with."""
        limit = case.host.surroundings.open_files
        if limit is None:
            return unknown(self, case.host.why("surroundings.open_files"))
        if limit == "unlimited" or limit >= _FEW_FILES:
            return ok(self, f"ulimit -n: {limit}")
        fix = Fix("Raise it for this shell, as far as the system lets you.", ("ulimit -n 65536",))
        if case.in_container:
            fix = Fix("Start the container with more.", ("docker run --ulimit nofile=65536 ...",))
        return Finding(
            self.id,
            "warn",
            "A process may open few files only",
            (f"ulimit -n: {limit}",),
            'Workers of a data loader hand over tensors by files, and die of "Too many open files".',
            fix,
            "https://docs.pytorch.org/docs/stable/multiprocessing.html#file-descriptor-file-descriptor",
        )


class Clock(Check):
    """A clock that nobody keeps: TLS fails some day, and logs of several machines do not match."""

    id = CLOCK.id
    title = "The clock is kept by the network"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look whether the kernel calls its clock synchronised; where another system keeps it, it cannot."""
        if case.in_container or case.host.os.wsl:
            return skip(self, "The clock is kept outside.")
        kept = case.host.kernel.clock_synchronized
        if kept is None:
            return unknown(self, case.host.why("kernel.clock_synchronized"))
        if kept:
            return ok(self)
        return Finding(
            self.id,
            "warn",
            "Nobody keeps the clock",
            ("adjtimex: not synchronised", *((f"it says {case.host.probed}",) if case.host.probed else ())),
            CLOCK.why,
            Fix(CLOCK.fix.text, CLOCK.fix.commands, needs_root=True),
            CLOCK.link,
        )
