"""How drivers, GPUs and code are called in sentences, so that every rule calls them the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from packaging.version import Version

from envcheck.host.facts import Gpu, Host

# "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition" has 55 characters.
_LONGEST_NAME = 60


@lru_cache(maxsize=1024)  # a few dozen wheels are named for every machine of a fleet
def code_text(capabilities: tuple[Version, ...], prefix: str = "sm") -> str:
    """Return machine code as compilers name it: "sm_75, sm_80"."""
    return ", ".join(f"{prefix}_{one.major}{one.minor}" for one in sorted(capabilities))


def plain(text: str) -> str:
    """Return a name from outside as a sentence bears it: on one line, and no longer than a name is."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_NAME else f"{flat[: _LONGEST_NAME - 3]}..."


def card(gpu: Gpu) -> str:
    """Return a GPU's name without the maker's, or its index where it has none."""
    if name := plain(gpu.name or ""):
        return name.removeprefix("NVIDIA ")
    return "a GPU" if gpu.index is None else f"GPU {gpu.index}"


def cards(gpus: Iterable[Gpu]) -> str:
    """Return several GPUs in a phrase: "2 x Tesla T4, GeForce GTX 1080 Ti"; their order changes nothing."""
    counted = sorted(Counter(card(gpu) for gpu in gpus).items())
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counted)


def kind(architecture: str, gpus: Iterable[Gpu]) -> str:
    """Return GPUs of one generation: "Volta (Tesla V100)"."""
    return f"{architecture} ({cards(gpus)})"


def fact_paths(host: Host, gpus: Iterable[Gpu], name: str) -> str:
    """Return where a fact of each GPU stands in the host's document: "`gpus[0].brand`, `gpus[2].brand`"."""
    places = [gpu.index if gpu.index is not None else (host.gpus or ()).index(gpu) for gpu in gpus]
    return ", ".join(f"`gpus[{place}].{name}`" for place in sorted(places))


def by_capability(gpus: Iterable[Gpu]) -> list[tuple[Version | None, tuple[Gpu, ...]]]:
    """Return the GPUs in groups of one capability, the unknown one first, then the oldest."""
    groups: dict[Version | None, list[Gpu]] = {}
    for gpu in gpus:
        groups.setdefault(gpu.compute_capability, []).append(gpu)
    known = sorted(capability for capability in groups if capability is not None)
    order: list[Version | None] = [None] if None in groups else []
    return [(capability, tuple(groups[capability])) for capability in [*order, *known]]
