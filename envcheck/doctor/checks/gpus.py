"""The GPUs that the driver lists: are they whole, did they answer, can CUDA use them as they are set."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, unknown, without_gpus
from envcheck.doctor.finding import Finding, Fix
from envcheck.host.facts import NOT_SAID, Gpu, Mig
from envcheck.symptoms.cards import LOST, MIG_EMPTY

# What keeps the driver from naming its GPUs.
SILENT = ("driver.answers", "system.jetson")

# Without these nobody can say what runs on a GPU; the other facts are good to have.
_NEEDED = ("compute_capability", "uuid")


class Lost(Check):
    """A GPU that the driver has seen and can no longer reach."""

    id = LOST.id
    title = "Every GPU is reachable"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look for GPUs that the driver gave up."""
        if nothing := without_gpus(self, case.host):
            return nothing
        lost = tuple(
            f"{path}: {why}"
            for path, why in case.host.unknown.items()
            if path.startswith("gpus[") and why in ("GPU_IS_LOST", "RESET_REQUIRED")
        )
        if not lost:
            return ok(self)
        return Finding(
            self.id,
            "error",
            LOST.title,
            lost,
            LOST.why,
            LOST.fix,
            LOST.link,
        )


class Answered(Check):
    """Questions that a GPU did not answer, so that facts are missing."""

    id = "gpu.answers"
    title = "Every GPU answers every question"
    worst = "info"
    caused_by = ("gpu.lost", "driver.hang", *SILENT)

    def look(self, case: Case) -> Finding:
        """Look for missing facts: those that decide make the answer unknown, the others are a note."""
        if nothing := without_gpus(self, case.host):
            return nothing
        reasons = {path: why for path, why in case.host.unknown.items() if path.startswith("gpus[")}
        missing = [
            f"gpus[{place}].{name}"
            for place, gpu in enumerate(case.host.gpus or ())
            for name in _NEEDED
            if getattr(gpu, name) is None
        ]
        paths = tuple(dict.fromkeys([*reasons, *missing]))
        if not paths:
            return ok(self)
        return Finding(
            self.id,
            "unknown" if missing else "info",
            "A GPU left questions unanswered that decide what runs on it"
            if missing
            else "A GPU left questions unanswered",
            tuple(f"{path}: {reasons.get(path, 'not given')}" for path in paths),
            "Older drivers, laptops and GPUs that share the system's memory do not answer everything.",
        )


class MigInstances(Check):
    """MIG without instances leaves CUDA no device; with them, one process sees one."""

    id = MIG_EMPTY.id
    title = "MIG leaves something of every GPU to use"
    caused_by = ("gpu.lost", *SILENT)

    def look(self, case: Case) -> Finding:
        """Look for GPUs in MIG mode, and count their instances."""
        if nothing := without_gpus(self, case.host):
            return nothing
        gpus = tuple(enumerate(case.host.gpus or ()))
        split = [(place, gpu, gpu.mig) for place, gpu in gpus if gpu.mig is not None and gpu.mig.enabled]
        if empty := [gpu for _, gpu, mig in split if mig.instances == ()]:
            return self._empty(empty)
        uncounted = [f"gpus[{place}].mig.instances" for place, _, mig in split if mig.instances is None]
        silent = [f"gpus[{place}].mig" for place, gpu in gpus if gpu.mig is None]
        # Without a reason, a GPU that says nothing of MIG has none.
        silent = [path for path in silent if case.host.why(path) != NOT_SAID]
        if open_questions := [*uncounted, *silent]:
            return unknown(self, case.host.why(open_questions[0]), *open_questions)
        if not split:
            return ok(self)
        evidence = tuple(_instances_in_words(place, mig) for place, _, mig in split)
        return Finding(
            self.id,
            "info",
            "A GPU is split by MIG",
            evidence,
            "A process sees one instance at most, so training does not spread over several of them.",
            link=MIG_EMPTY.link,
        )

    def _empty(self, gpus: list[Gpu]) -> Finding:
        indices = [str(gpu.index) for gpu in gpus if gpu.index is not None]
        return Finding(
            self.id,
            "error",
            MIG_EMPTY.title,
            tuple(f"GPU {index}: MIG enabled, 0 instances" for index in indices or ["?"]),
            MIG_EMPTY.why,
            Fix(
                MIG_EMPTY.fix.text,
                (
                    "sudo nvidia-smi mig -lgip",
                    *(f"sudo nvidia-smi -i {index} -mig 0" for index in indices),
                ),
                needs_root=True,
                destructive=True,
            ),
            MIG_EMPTY.link,
        )


def _instances_in_words(place: int, mig: Mig) -> str:
    names = (instance.name or instance.uuid or "an instance" for instance in mig.instances or ())
    return f"gpus[{place}]: {', '.join(names)}"
