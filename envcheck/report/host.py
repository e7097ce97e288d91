"""The machine in a line or two: what every screen begins with."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from envcheck.compat import tables
from envcheck.compat.words import by_capability, cards
from envcheck.host.facts import Gpu, Host
from envcheck.report.disarm import one_line

# "Red Hat Enterprise Linux release 9.4 (Plow)" has 43 characters.
_LONGEST_WORD = 100


def host_lines(host: Host) -> RenderableType:
    """Return a machine's GPUs, driver and system, as much of it as is known."""
    lines = [Text(line, style="bold") for line in _gpu_lines(host)]
    # A word of several parts is not broken at the end of a line.
    words = (word.replace(" ", "\u00a0") for word in _system_words(host))
    lines.append(Text(" · ".join(words), style="dim"))
    return Text("\n").join(lines)


def host_words(host: Host) -> tuple[str, ...]:
    """Return the same as plain lines."""
    return (*_gpu_lines(host), " · ".join(_system_words(host)))


def _gpu_lines(host: Host) -> list[str]:
    if host.gpus is None:
        return [one_line(f"NVIDIA GPUs: unknown ({host.unknown.get('gpus', 'nobody could be asked')})")]
    if not host.gpus:
        return ["no NVIDIA GPU listed" if host.pci else "no NVIDIA GPU"]
    return [one_line(_kind_line(gpus)) for _, gpus in by_capability(host.gpus)]


def _kind_line(gpus: tuple[Gpu, ...]) -> str:
    """Return one line for cards of the same capability."""
    words = [cards(gpus)]
    capability = gpus[0].compute_capability
    if capability is not None:
        row = tables.capability_of(capability)
        words.append(f"{row.architecture} {capability}" if row else f"compute capability {capability}")
    if gpus[0].memory_mib:
        words.append(f"{gpus[0].memory_mib / 1024:.0f} GiB")
    return " · ".join(words)


def _system_words(host: Host) -> list[str]:
    words = []
    driver = host.driver
    if driver is not None:
        if driver.version is not None:
            words.append(f"driver {driver.version}")
        if driver.cuda is not None:
            words.append(f"CUDA {driver.cuda}")
    system = host.os
    words.append(system.distribution or system.system or "an unknown system")
    words += [system.machine] if system.machine else []
    words += ["WSL"] if system.wsl else []
    words += [f"in a {system.container} container"] if system.container else []
    if host.hardware.cpus:
        words.append(f"{host.hardware.cpus} CPU{'s' if host.hardware.cpus > 1 else ''}")
    if host.hardware.memory_mib:
        words.append(f"{host.hardware.memory_mib / 1024:.0f} GiB")
    if host.python.version is not None:
        words.append(f"Python {host.python.version}")
    words += [f"{engine.name} {engine.version or ''}".strip() for engine in host.engines or ()]
    return [one_line(word, _LONGEST_WORD) for word in words]
