"""The checks, in the order in which their findings are told: causes before what follows from them.

To add one: write its class in the file of its subject, and put it here.
"""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import (
    access,
    cards,
    cdi,
    containers,
    deep,
    drift,
    driver,
    engines,
    environment,
    faults,
    floors,
    gpus,
    limits,
    packages,
    several,
    stress,
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

# Made where the picked environment is asked to prove itself.
DEEP: tuple[Check, ...] = (
    deep.EnvironmentBuilt(),
    deep.PromiseKept(),
    deep.Computed("matmul", "Matrices are multiplied", ("matmul",), ("float32",)),
    deep.Computed("conv", "Convolutions are computed", ("conv",), ("float32",)),
    deep.Computed("deconv", "Transposed convolutions are computed", ("deconv",), ("float32",)),
    deep.Computed("bf16", "bfloat16 is computed", ("matmul", "conv", "deconv"), ("bfloat16",), devices=1),
    deep.Computed(
        "copies", "Copies to and from GPUs arrive", ("to-device", "from-device"), ("int32",), devices=1
    ),
    deep.Computed("peers", "Copies between GPUs arrive", ("peer",), ("int32",), devices=2),
)

# Made where NVIDIA's own tests are run.
STRESS: tuple[Check, ...] = (stress.Dcgm(),)

ALL = (*CHECKS, *DRIFT, *DEEP, *STRESS)
