"""One question that is asked of every GPU: which of them cannot say, and how they are named in evidence."""

from __future__ import annotations

from collections.abc import Iterator

from envcheck.doctor.check import Check, skip, unknown
from envcheck.doctor.finding import Finding
from envcheck.host.facts import NOT_SAID, Gpu, Host

# Ids of the checks whose trouble explains that a GPU's facts are missing.
SILENT = ("gpu.lost", "driver.hang", "driver.answers", "system.jetson")

# NVML's brands of the cards that stand in servers: nobody's screen hangs on them, and they work for hours.
_SERVER_BRANDS = ("tesla", "nvidia")

# NVML's own word for a question that does not arise on a GPU.
_NOT_SUPPORTED = "NOT_SUPPORTED"


def named(host: Host) -> Iterator[tuple[str, Gpu]]:
    """Yield each GPU and what it is called in evidence: "gpus[0]", as the facts have it."""
    for place, gpu in enumerate(host.gpus or ()):
        yield f"gpus[{place}]", gpu


def is_for_servers(gpu: Gpu) -> bool:
    """Tell whether a GPU is one of a data centre's."""
    return gpu.brand in _SERVER_BRANDS


def unanswered(check: Check, host: Host, fact: str, *parts: str) -> Finding | None:
    """Return the answer where a GPU does not say all of `fact`, and should; None where those that can do.

    `parts` are the fields of the fact's value, or of each of its values, that must be known, too. Others may
    be null without a reason: there is no such thing on that GPU.
    """
    paths = [f"{name}.{fact}" for name, gpu in named(host) if getattr(gpu, fact) is None]
    reasons = {path: host.why(path) for path in paths}
    reasons |= {path: host.why(path) for path in _unsaid(host, fact, parts)}
    reasons |= {path: why for path, why in host.unknown.items() if _is_part(path, fact)}
    missing = {path: why for path, why in reasons.items() if not why.startswith(_NOT_SUPPORTED)}
    if missing:
        cause = next(iter(missing.values()))
        return unknown(check, cause, *(f"{path}: {why}" for path, why in missing.items() if why != NOT_SAID))
    if len(paths) == len(host.gpus or ()):
        return skip(check, "No GPU here has such a thing to say (NOT_SUPPORTED).")
    return None


def _unsaid(host: Host, fact: str, parts: tuple[str, ...]) -> Iterator[str]:
    for name, gpu in named(host):
        said = getattr(gpu, fact)
        values = enumerate(said) if isinstance(said, tuple) else ((None, said),)
        for place, value in values:
            path = f"{name}.{fact}" if place is None else f"{name}.{fact}[{place}]"
            yield from (f"{path}.{part}" for part in parts if value and getattr(value, part) is None)


def _is_part(path: str, fact: str) -> bool:
    place, _, rest = path.partition("].")
    return place.startswith("gpus[") and rest.startswith((f"{fact}.", f"{fact}["))
