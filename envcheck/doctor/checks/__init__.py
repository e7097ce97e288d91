"""The checks, in the order in which their findings are told: causes before what follows from them.

To add one: write its class in the file of its subject, and put it here.
"""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import (
    cards,
    compose,
    drift,
    driver,
    environment,
    gpus,
    images,
    project,
    system,
    together,
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
    environment.Venv(),
    environment.Engine(),
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

# Made where a repository is named.
PROJECT: tuple[Check, ...] = (
    project.Unreadable(),
    images.BaseImage(),
    project.MADE,
    project.CODE,
    project.CUDA,
    project.PythonServed(),
    together.Numpy(),
    together.Pair(),
    together.OpencvTwice(),
    compose.Gpus(),
    compose.SharedMemory(),
)

ALL = (*CHECKS, *DRIFT, *PROJECT)
