"""A machine's facts, all of them: `probe` asks every reader of this room and returns one `Host`."""

from __future__ import annotations

from datetime import datetime, timezone

from envcheck.host.engines import read_engines
from envcheck.host.facts import Driver, Gpu, Hardware, Host, OperatingSystem, PciDevice, Python
from envcheck.host.hardware import read_hardware
from envcheck.host.installed import read_installed
from envcheck.host.kernel import Module, read_module, read_pci
from envcheck.host.library import Library, read_library
from envcheck.host.pending import Pending
from envcheck.host.python import read_python
from envcheck.host.system import read_system
from envcheck.paths import cache_dir

# Long for files; who asks other programs has limits of its own for each.
_LIMIT_S = 5.0
_OWN_LIMIT_S = 300.0


def probe() -> Host:
    """Return this machine's facts. What is missing has its reason in `unknown`; nothing is raised for it."""
    cache = cache_dir()
    # Each source waits for others: programs, sockets, disks. So they wait at the same time.
    library_says = Pending(read_library, _silent_library, seconds=_OWN_LIMIT_S)
    engines_say = Pending(read_engines, lambda why: (None, {"engines": why}), seconds=_OWN_LIMIT_S)
    python_says = Pending(
        lambda: (read_python(), {}), lambda why: (Python(), {"python": why}), seconds=_OWN_LIMIT_S
    )
    system_says = Pending(read_system, lambda why: (OperatingSystem(), {"os": why}), seconds=_LIMIT_S)
    hardware_says = Pending(
        lambda: read_hardware(cache), lambda why: (Hardware(), {"hardware": why}), seconds=_LIMIT_S
    )
    cards_say = Pending(read_cards, lambda why: (None, None, {"pci": why}), seconds=_LIMIT_S)
    installed_says = Pending(read_installed, lambda why: (None, {"installed": why}), seconds=_LIMIT_S)
    system, unknown_system = system_says.result()
    hardware, unknown_hardware = hardware_says.result()
    module, pci, unknown_cards = cards_say.result()
    library = library_says.result()
    engines, unknown_engines = engines_say.result()
    python, unknown_python = python_says.result()
    installed, unknown_installed = installed_says.result()
    driver = join_driver(library, module, pci)
    gpus = listed_gpus(library, driver, pci, system)
    return Host(
        probed=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        os=system,
        driver=driver,
        gpus=gpus,
        pci=pci,
        engines=engines,
        python=python,
        hardware=hardware,
        installed=installed,
        unknown={
            **unknown_system,
            **_unknown_driver(library, driver, module),
            **_unknown_gpus(library, gpus),
            **unknown_cards,
            **unknown_engines,
            **unknown_python,
            **unknown_hardware,
            **unknown_installed,
        },
    )


def read_cards() -> tuple[Module | None, tuple[PciDevice, ...] | None, dict[str, str]]:
    """Return NVIDIA's kernel module, the cards on the bus, and why the missing facts are missing."""
    module, pci = read_module(), read_pci()
    return module, pci, {"pci": "/sys/bus/pci/devices is not there"} if pci is None else {}


def _silent_library(why: str) -> Library:
    return Library(found=True, unknown={"gpus": why, "driver": why})


def join_driver(library: Library, module: Module | None, pci: tuple[PciDevice, ...] | None) -> Driver | None:
    """Return the driver that library and kernel module make; None only when there is no sign of either."""
    bound = any(device.driver == "nvidia" for device in pci or ())
    if not library.found and module is None and not bound:
        return None
    return Driver(
        version=library.version,
        cuda=library.cuda,
        libcuda=library.libcuda,
        module_version=module.version if module else None,
        open_module=module.is_open if module else None,
        nvml_seconds=library.seconds,
    )


def listed_gpus(
    library: Library,
    driver: Driver | None,
    pci: tuple[PciDevice, ...] | None,
    system: OperatingSystem,
) -> tuple[Gpu, ...] | None:
    """Return the GPUs that the driver lists: () when there are none, None when nobody can say."""
    if library.gpus is not None:
        return library.gpus
    # A library that does not open says nothing; the bus still tells a machine without a card, except where
    # GPUs are not on it: WSL hands them over by a device of its own, a Jetson has its GPU in the chip.
    bus_is_empty = pci == () and not system.wsl and system.jetson is None
    return () if driver is None or bus_is_empty else None


def _unknown_driver(library: Library, driver: Driver | None, module: Module | None) -> dict[str, str]:
    if driver is None:
        return {}
    why = "the kernel does not say" if module else "no kernel module is loaded"
    missing = (name for name in ("module_version", "open_module") if getattr(driver, name) is None)
    said = {path: reason for path, reason in library.unknown.items() if path.startswith("driver.")}
    return {**said, **{f"driver.{name}": why for name in missing}}


def _unknown_gpus(library: Library, gpus: tuple[Gpu, ...] | None) -> dict[str, str]:
    return {
        path: reason
        for path, reason in library.unknown.items()
        if path.startswith("gpus") and (path != "gpus" or gpus is None)
    }
