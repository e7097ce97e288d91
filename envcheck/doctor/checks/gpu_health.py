"""How well each GPU is: its memory, what slows it down, and the links by which it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.fabric import switches
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.per_gpu import SILENT, is_for_servers, named, unanswered
from envcheck.doctor.remedies import of_the_machine
from envcheck.host.facts import Gpu, Host, MemoryHealth, PcieLink

if TYPE_CHECKING:
    from typing import TypeAlias

    Linked: TypeAlias = tuple[str, Gpu, tuple[bool, ...]]

_MEMORY_GUIDE = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/"
_NVML_REASONS = "https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html"
_NVLINK_GUIDE = "https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/"

# Under load a GPU keeps its link at its best; else it may save power by a slow generation, or fewer lanes.
_LOAD_PERCENT = 50

# Heat and power that the GPU defends itself against. The others are how it is meant to work: idle, at its
# power limit, at the clocks that somebody has set.
_BRAKES = ("hw thermal slowdown", "sw thermal slowdown", "hw power brake slowdown")
# This one is also told for a moment when clocks change, as they do on a GPU that falls idle.
_BRAKE_OR_CHANGE = "hw slowdown"
_IDLE = "gpu idle"

_ECC_COUNTS = "nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT"
_EXCHANGE = Fix("Have the GPU exchanged.", (_ECC_COUNTS,))
_RESET = Fix(
    "Stop what runs on the GPU and reset it, or reboot.",
    (_ECC_COUNTS, "sudo nvidia-smi --gpu-reset -i INDEX"),
    needs_root=True,
    destructive=True,
)
_TRAIN_LINKS = Fix(
    "The kernel's log says why (Xid 74); a reset of the GPUs or a reboot trains the links anew.",
    ("nvidia-smi nvlink --status", "sudo dmesg | grep -e NVRM -e Xid"),
    needs_root=True,
)


class Memory(Check):
    """Memory with errors that could not be corrected, and rows that wait to be exchanged or cannot be."""

    id = "gpu.memory-health"
    title = "The memory of every GPU is sound"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look at what error correction counted, and what became of the bad rows."""
        if nothing := without_gpus(self, case.host):
            return nothing
        told = [(name, gpu.memory_health) for name, gpu in named(case.host) if gpu.memory_health]
        failed = any(health.remap_failed for _, health in told)
        evidence = tuple(f"{name}: {what}" for name, health in told if (what := _memory_troubles(health)))
        if not evidence:
            if missing := unanswered(self, case.host, "memory_health"):
                return missing
            if uncounted := [f"{name}.memory_health.{what}" for name, one in told for what in _unsaid(one)]:
                return unknown(self, case.host.why(uncounted[0]), *uncounted)
            counted = any(_is_counted(health) for _, health in told)
            return ok(self) if counted else skip(self, "No GPU here counts the errors of its memory.")
        status: Status = "error" if failed else "warn"
        return Finding(
            self.id,
            status,
            "A GPU's memory is failing" if failed else "A GPU's memory had errors",
            evidence,
            "No spare row is left, so the errors will come back: results can be wrong and programs die."
            if failed
            else "A program met them and died or was wrong; the bad row is exchanged when the GPU is reset.",
            of_the_machine(case.host, _EXCHANGE if failed else _RESET),
            _MEMORY_GUIDE,
        )


class Slowed(Check):
    """A GPU that brakes: too hot, or given too little power."""

    id = "gpu.slowed"
    title = "No GPU is slowed down by heat or power"
    worst = "warn"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look for those of NVML's reasons that tell of trouble."""
        if nothing := without_gpus(self, case.host):
            return nothing
        braking = [(name, brakes) for name, gpu in named(case.host) if (brakes := _brakes(gpu))]
        if not braking:
            return unanswered(self, case.host, "slowed_by") or ok(self)
        return Finding(
            self.id,
            "warn",
            "A GPU is slowed down",
            tuple(f"{name}: {', '.join(brakes)}" for name, brakes in braking),
            "It is too hot, or gets less power than it asks for: fans, dust, the room, cables, power supply.",
            Fix(
                "See how hot it is and what it may draw, and look after cooling and power.",
                ("nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER",),
            ),
            _NVML_REASONS,
        )


class Pcie(Check):
    """A GPU on fewer lanes, or on a slower generation, than it and its slot are made for."""

    id = "gpu.pcie"
    title = "Every GPU is on the bus as wide and fast as it can be"
    worst = "warn"
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Compare each link with its most; what may be a way to save power counts under load only."""
        if nothing := without_gpus(self, case.host):
            return nothing
        told = [(name, gpu, gpu.pcie) for name, gpu in named(case.host) if gpu.pcie]
        narrow = [entry for entry in told if _is_below(entry[2].width, entry[2].most_width)]
        slow = [
            entry
            for entry in told
            if _is_loaded(entry[1]) and _is_below(entry[2].generation, entry[2].most_generation)
        ]
        certain = slow or any(_is_loaded(gpu) or is_for_servers(gpu) for _, gpu, _ in narrow)
        if not narrow and not slow:
            return self._seen(case.host, told)
        return Finding(
            self.id,
            "warn" if certain else "info",
            "A GPU is on the bus slower than it could be",
            tuple(f"{name}: {_link(link)}" for name, gpu, link in told if (name, gpu, link) in narrow + slow),
            "The slot has fewer lanes, a riser or the contacts are bad, or the firmware limits it."
            if certain
            else "Some GPUs give up lanes while they are idle; under load they must be there.",
            Fix(
                "Look again under load; if it stays, seat the card anew, in the slot next to the processor.",
                ("nvidia-smi --query-gpu=index,pcie.link.gen.current,pcie.link.width.current --format=csv",),
            ),
            "https://docs.nvidia.com/deploy/nvidia-smi/",
        )

    def _seen(self, host: Host, told: list[tuple[str, Gpu, PcieLink]]) -> Finding:
        """Return the answer where nothing is wrong: what of it was seen."""
        if missing := unanswered(self, host, "pcie", "width", "most_width", "generation", "most_generation"):
            return missing
        shown = [entry for entry in told if entry[2].width and entry[2].most_width]
        if not shown:
            return skip(self, "The virtual machine does not show how its GPUs are on the bus.")
        idle = [
            (name, link)
            for name, gpu, link in shown
            if not _is_loaded(gpu) and _is_below(link.generation, link.most_generation)
        ]
        if not idle:
            return ok(self)
        slow = tuple(f"{name}: {_link(link)}; the generation counts under load only" for name, link in idle)
        return replace(ok(self, *slow), title="Every GPU has all its lanes on the bus")


class NvLinks(Check):
    """A GPU's NVLinks down, some or all, so that it talks to its neighbours slowly, or not at all."""

    id = "gpu.nvlink"
    title = "The NVLinks of every GPU are up"
    worst = "warn"
    caused_by = ("gpu.fabric",)
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Compare the links that are up with those of the same model; behind NVSwitches all must be."""
        if nothing := without_gpus(self, case.host):
            return nothing
        told = [
            (name, gpu, gpu.nvlinks) for name, gpu in named(case.host) if gpu.nvlinks and not _is_split(gpu)
        ]
        fewer = _with_fewer_links(case.host, told)
        partly = [entry for entry in told if any(entry[2]) and not all(entry[2])]
        if not fewer and not partly:
            if missing := unanswered(self, case.host, "nvlinks"):
                return missing
            joined = any(any(links) for *_, links in told)
            return ok(self) if joined else skip(self, "No GPU here is joined to another by NVLink.")
        return Finding(
            self.id,
            "warn" if fewer else "info",
            "NVLinks of a GPU are down" if fewer else "Some NVLinks are not used",
            tuple(f"{name}: {sum(links)} of {len(links)} up" for name, _, links in fewer or partly),
            "A link failed, or its switch or bridge did: others of the same model have more of them, and "
            "behind NVSwitches all are up."
            if fewer
            else "Cards that are joined by bridges use as many as there are bridges.",
            of_the_machine(case.host, _TRAIN_LINKS) if fewer else None,
            _NVLINK_GUIDE,
        )


def _with_fewer_links(host: Host, told: list[Linked]) -> list[Linked]:
    """Return the GPUs that have fewer links up than they should."""
    has_switches = bool(switches(host.driver))
    up: dict[str | None, list[int]] = {}
    for _, gpu, links in told:
        up.setdefault(gpu.name, []).append(sum(links))

    def expected(gpu: Gpu, links: tuple[bool, ...]) -> int:
        # One GPU that a virtual machine has alone may be cut off from its switches.
        alone = len(host.gpus or ()) == 1 and not any(links)
        if (has_switches or gpu.fabric not in (None, "none")) and not alone:
            return len(links)
        if not any(links) and _may_lack_a_bridge(gpu, up[gpu.name]):
            return 0
        # A bridge uses some of the links; then all cards of the model have as many up.
        return max(up[gpu.name])

    return [(name, gpu, links) for name, gpu, links in told if sum(links) < expected(gpu, links)]


def _may_lack_a_bridge(gpu: Gpu, up: list[int]) -> bool:
    # Bridges join two cards, or four: an odd number of joined ones has lost one. SXM boards join all.
    return sum(map(bool, up)) % 2 == 0 and "SXM" not in (gpu.name or "")


def _is_split(gpu: Gpu) -> bool:
    # With MIG on, GPUs as old as the A100 have their links switched off.
    return bool(gpu.mig and gpu.mig.enabled)


def _memory_troubles(health: MemoryHealth) -> str:
    troubles = (
        f"{health.uncorrected} errors that could not be corrected" if health.uncorrected else "",
        "no spare row left" if health.remap_failed else "",
        "a row waits to be exchanged" if health.remap_pending else "",
        "a page waits to be retired" if health.retirement_pending else "",
    )
    return ", ".join(filter(None, troubles))


def _unsaid(health: MemoryHealth) -> Iterator[str]:
    """Yield what must be known beside what is: a count that is kept, and the two halves of one answer."""
    if health.ecc is None and not _is_counted(health):
        yield "ecc"
    if health.ecc and health.uncorrected is None:
        yield "uncorrected"
    if health.remap_pending is None and health.remap_failed is not None:
        yield "remap_pending"
    if health.remap_failed is None and health.remap_pending is not None:
        yield "remap_failed"


def _is_counted(health: MemoryHealth) -> bool:
    counts = (health.uncorrected, health.remap_pending, health.remap_failed, health.retirement_pending)
    return any(count is not None for count in counts)


def _brakes(gpu: Gpu) -> tuple[str, ...]:
    reasons = gpu.slowed_by or ()
    brakes = tuple(reason for reason in reasons if reason in _BRAKES)
    if _BRAKE_OR_CHANGE in reasons and (brakes or _IDLE not in reasons):
        return (_BRAKE_OR_CHANGE, *brakes)
    return brakes


def _is_loaded(gpu: Gpu) -> bool:
    return (gpu.utilization or 0) >= _LOAD_PERCENT


def _is_below(now: int | None, most: int | None) -> bool:
    # A virtual machine may show no link at all, as 0.
    return now is not None and most is not None and 0 < now < most


def _link(link: PcieLink) -> str:
    return f"generation {link.generation} of {link.most_generation}, {link.width} of {link.most_width} lanes"
