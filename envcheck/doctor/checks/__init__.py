"""The checks, in the order in which their findings are told: causes before what follows from them.

To add one: write its class in the file of its subject, and put it here.
"""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import (
    access,
    cards,
    drift,
    driver,
    environment,
    faults,
    floors,
    gpus,
    limits,
    packages,
    several,
    surroundings,
    system,
    tools,
    torch,
)

CHECKS: tuple[Check, ...] = (
    cards.Nouveau(),
    cards.GivenAway(),
    driver.Present(),
    driver.Loaded(),
    driver.LibraryThere(),
    driver.ModuleMatch(),
    cards.OpenModule(),
    driver.Hang(),
    access.Permission(),
    driver.Answers(),
    driver.Slow(),
    cards.Unbound(),
    cards.Listed(),
    gpus.Lost(),
    faults.Faults(),
    faults.ProgramFaults(),
    access.UnifiedMemory(),
    access.ForwardCompat(),
    floors.DriverFloor(),
    gpus.Answered(),
    gpus.MigInstances(),
    surroundings.NoneVisible(),
    system.Wsl(),
    system.Jetson(),
    system.Disk(),
    system.SharedMemory(),
    packages.Broken(),
    packages.Twice(),
    packages.UserSite(),
    packages.OldNumpyAbi(),
    packages.OtherNumpyAbi(),
    packages.OpencvTwice(),
    torch.CpuOnly(),
    torch.DriverForTorch(),
    torch.CodeForGpus(),
    torch.TorchPair(),
    torch.TorchLibraries(),
    limits.Memlock(),
    limits.OpenFiles(),
    limits.Clock(),
    floors.CLibrary(),
    surroundings.PythonPath(),
    surroundings.Shadowed(),
    tools.DesktopLibrary(),
    tools.ToolkitMatch(),
    tools.Compiler(),
    several.HostName(),
    several.Interface(),
    several.PeerAccess(),
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
    drift.Facts("engine", "The container engines are", r"engines\[.*"),
    drift.Facts("python", "The Pythons are", r"python\..+"),
    drift.Pick(),
)

ALL = (*CHECKS, *DRIFT)
