"""The checks, in the order in which their findings are told: causes before what follows from them.

To add one: write its class in the file of its subject, and put it here.
"""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import cards, cdi, containers, drift, driver, engines, environment, gpus, system

CHECKS: tuple[Check, ...] = (
    cards.Nouveau(),
    cards.GivenAway(),
    driver.Present(),
    driver.Loaded(),
    driver.LibraryThere(),
    driver.ModuleMatch(),
    cards.OpenModule(),
    driver.Hang(),
    driver.Answers(),
    driver.Slow(),
    cards.Unbound(),
    cards.Listed(),
    gpus.Lost(),
    gpus.Answered(),
    gpus.MigInstances(),
    system.Wsl(),
    system.Jetson(),
    system.Disk(),
    system.SharedMemory(),
    engines.ContextThere(),
    engines.Gone(),
    engines.EngineDisk(),
    engines.Platform(),
    engines.Proxy(),
    engines.Warnings(),
    containers.DriverLibrary(),
    containers.Runtime(),
    containers.ToolkitMissing(),
    cdi.Unresolvable(),
    cdi.Stale(),
    containers.Rootless(),
    containers.DevicesLost(),
    cdi.Selinux(),
    containers.Holes(),
    environment.VenvModule(),
    environment.EngineThere(),
    environment.RecipeFits(),
)

# Made where there is a snapshot to compare with.
DRIFT: tuple[Check, ...] = (
    drift.Facts("driver", "The driver is", r"driver(\..+)?"),
    drift.Facts("gpus", "The GPUs are", r"(gpus|pci)\[.*\](\.(?!mig$).+)?"),
    drift.Facts("mig", "MIG is", r"gpus\[.*\]\.mig"),
    drift.Facts("kernel", "The kernel is", r"os\.kernel", "info"),
    drift.Facts("system", "The system is", r"os\.(?!kernel$).+", "info"),
    drift.Facts("engine", "The container engines are", r"(engines\[|toolkit\.).*"),
    drift.Facts("python", "The Pythons are", r"python\..+"),
    drift.Pick(),
)

ALL = (*CHECKS, *DRIFT)
