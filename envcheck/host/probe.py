"""A machine's facts, all of them: `probe` asks every reader of this room and returns one `Host`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from envcheck.host.access import Access, read_access, without_access
from envcheck.host.cdi import read_cdi
from envcheck.host.engines import read_engines
from envcheck.host.fabric_manager import FabricManager, read_fabric_manager, with_fabric_manager
from envcheck.host.facts import (
    Driver,
    Gpu,
    Hardware,
    Host,
    Kernel,
    OperatingSystem,
    PciDevice,
    Python,
    Surroundings,
)
from envcheck.host.firmware import read_kernel
from envcheck.host.hardware import read_hardware
from envcheck.host.installed import read_installed
from envcheck.host.kernel import Module, read_module, read_pci
from envcheck.host.library import Library, read_library
from envcheck.host.pending import Pending
from envcheck.host.process_table import with_states
from envcheck.host.python import read_python
from envcheck.host.surroundings import read_surroundings
from envcheck.host.system import read_system
from envcheck.host.toolkit import read_toolkit, with_gpu_modes
from envcheck.paths import cache_dir

# Long for files; who asks other programs has limits of its own for each.
_LIMIT_S = 5.0
_OWN_LIMIT_S = 300.0


class _Sources:
    """Everybody who is asked; each waits for others (programs, sockets, disks), so all wait at once."""

    def __init__(self) -> None:
        """Ask them."""
        cache = cache_dir()
        self.library = Pending(read_library, _silent_library, seconds=_OWN_LIMIT_S)
        self.engines = Pending(read_engines, lambda why: (None, {"engines": why}), seconds=_OWN_LIMIT_S)
        self.python = Pending(
            lambda: (read_python(), {}), lambda why: (Python(), {"python": why}), seconds=_OWN_LIMIT_S
        )
        self.system = Pending(read_system, lambda why: (OperatingSystem(), {"os": why}), seconds=_LIMIT_S)
        self.hardware = Pending(
            lambda: read_hardware(cache), lambda why: (Hardware(), {"hardware": why}), seconds=_LIMIT_S
        )
        self.cards = Pending(read_cards, lambda why: (None, None, {"pci": why}), seconds=_LIMIT_S)
        self.access = Pending(read_access, without_access, seconds=_LIMIT_S)
        self.fabric_manager = Pending(read_fabric_manager, FabricManager.silent, seconds=_LIMIT_S)
        self.kernel = Pending(read_kernel, lambda why: (Kernel(), {"kernel": why}), seconds=_LIMIT_S)
        self.toolkit = Pending(read_toolkit, lambda why: (None, {"toolkit": why}), seconds=_LIMIT_S)
        self.cdi = Pending(read_cdi, lambda why: (None, {"cdi": why}), seconds=_LIMIT_S)
        self.installed = Pending(read_installed, lambda why: (None, {"installed": why}), seconds=_LIMIT_S)
        self.surroundings = Pending(
            read_surroundings, lambda why: (Surroundings(), {"surroundings": why}), seconds=_LIMIT_S
        )


def probe() -> Host:
    """Return this machine's facts. What is missing has its reason in `unknown`; nothing is raised for it."""
    asked = _Sources()
    system, unknown_system = asked.system.result()
    hardware, unknown_hardware = asked.hardware.result()
    module, pci, unknown_cards = asked.cards.result()
    access = asked.access.result()
    kernel, unknown_kernel = asked.kernel.result()
    surroundings, unknown_surroundings = asked.surroundings.result()
    installed, unknown_installed = asked.installed.result()
    python, unknown_python = asked.python.result()
    library = asked.library.result()
    inside = system.container is not None
    driver, unknown_manager = with_fabric_manager(
        reached_by(access, join_driver(library, module, pci)), asked.fabric_manager.result(), inside=inside
    )
    gpus, unknown_states = with_states(listed_gpus(library, driver, pci, system), inside=inside)
    toolkit, unknown_toolkit = asked.toolkit.result()
    cdi, unknown_cdi = asked.cdi.result()
    engines, unknown_engines = asked.engines.result()
    engines, unknown_modes = with_gpu_modes(engines, toolkit, jetson=system.jetson is not None)
    return Host(
        probed=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        os=system,
        driver=driver,
        gpus=gpus,
        pci=pci,
        engines=engines,
        python=python,
        hardware=hardware,
        kernel=kernel,
        toolkit=toolkit,
        cdi=cdi,
        installed=installed,
        surroundings=surroundings,
        unknown={
            **unknown_system,
            **_unknown_driver(library, driver, module),
            **(access.unknown if driver else {}),
            **unknown_manager,
            **_unknown_gpus(library, gpus),
            **unknown_states,
            **unknown_cards,
            **unknown_engines,
            **unknown_modes,
            **unknown_toolkit,
            **unknown_cdi,
            **unknown_python,
            **unknown_hardware,
            **unknown_kernel,
            **unknown_installed,
            **unknown_surroundings,
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


def reached_by(access: Access, driver: Driver | None) -> Driver | None:
    """Return the driver with what programs reach it by."""
    return driver and replace(
        driver, nodes=access.nodes, modprobe=access.modprobe, libcuda_files=access.libcuda_files
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
