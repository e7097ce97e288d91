"""The checks, in the order in which their findings are told: causes before what follows from them.

To add one: write its class in the file of its subject, and put it here.
"""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import cards, driver, environment, gpus, system

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
