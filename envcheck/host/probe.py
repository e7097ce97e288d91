"""A machine's facts, all of them: `probe` asks every reader of this room and returns one `Host`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from envcheck.host.engines import read_engines
from envcheck.host.facts import Driver, Gpu, Host, OperatingSystem, PciDevice
from envcheck.host.hardware import read_hardware
from envcheck.host.kernel import Module, read_module, read_pci
from envcheck.host.library import Library, read_library
from envcheck.host.python import read_python
from envcheck.host.system import read_system
from envcheck.paths import cache_dir


def probe() -> Host:
    """Return this machine's facts. What is missing has its reason in `unknown`; nothing is raised for it."""
    # These three wait for other programs, so they wait at the same time.
    with ThreadPoolExecutor(max_workers=3) as pool:
        library_says = pool.submit(read_library)
        python_says = pool.submit(read_python)
        engines_say = pool.submit(read_engines)
        system, unknown_system = read_system()
        hardware, unknown_hardware = read_hardware(cache_dir())
        module, pci = read_module(), read_pci()
    library = library_says.result()
    engines, unknown_engines = engines_say.result()
    driver = join_driver(library, module, pci)
    gpus = listed_gpus(library, driver, pci, system)
    return Host(
        probed=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        os=system,
        driver=driver,
        gpus=gpus,
        pci=pci,
        engines=engines,
        python=python_says.result(),
        hardware=hardware,
        unknown={
            **unknown_system,
            **_unknown_driver(library, driver, module),
            **_unknown_gpus(library, gpus),
            **({"pci": "/sys/bus/pci/devices is not there"} if pci is None else {}),
            **unknown_engines,
            **unknown_hardware,
        },
    )


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
