"""Texts by which known failures are recognised, each with what it means and what to do.

One list for whoever meets such a text: the build that fails, the container that does not start,
`envcheck explain`, and the doctor, whose checks share the words. Which failure is the fundamental one is said
by the order: the first that is found counts. The ids are those of the doctor's checks.

To add one: write it in the file of its subject, and put it here.

Sources: the list of a doctor's checks (`design/doctor-checks.md`), and what the programs themselves said.
"""

from __future__ import annotations

from envcheck.symptoms import cards, driver, inside, packages, several, system
from envcheck.symptoms.engine import ENGINE, FULL_ENGINE
from envcheck.symptoms.inside import CONTAINER_OUT_OF_MEMORY, INSIDE, SHUT_OFF
from envcheck.symptoms.pip import FULL_DISK, PIP
from envcheck.symptoms.symptom import Action, Fix, Symptom, error_kind, find

__all__ = [
    "CONTAINER_OUT_OF_MEMORY",
    "ENGINE",
    "FULL_DISK",
    "FULL_ENGINE",
    "INSIDE",
    "PIP",
    "SHUT_OFF",
    "SYMPTOMS",
    "Action",
    "Fix",
    "Symptom",
    "error_kind",
    "find",
]

# What a log can show, the most fundamental first.
SYMPTOMS = tuple(
    one
    for one in dict.fromkeys(
        (
            cards.LOST,
            cards.FAULTY,
            cards.NOUVEAU,
            cards.OPEN_MODULE,
            cards.UNBOUND,
            cards.NOT_STARTED,
            driver.NOT_LOADED,
            driver.MISMATCH,
            driver.WSL,
            inside.DEVICES_LOST,
            inside.SELINUX,
            *ENGINE,
            *INSIDE,
            inside.PLATFORM,
            driver.ABSENT,
            cards.FABRIC,
            driver.FORWARD_COMPAT,
            driver.TOO_OLD,
            driver.PTX,
            driver.DEVICE_NODES,
            driver.UNLICENSED,
            cards.MIG_EMPTY,
            cards.EXCLUSIVE,
            driver.NO_DEVICE,
            driver.ORDINAL,
            inside.CONTAINER_OUT_OF_MEMORY,
            system.OUT_OF_MEMORY,
            system.OPEN_FILES,
            system.MEMLOCK,
            several.HOST_NAME,
            system.CLOCK,
            packages.OLD_LIBC,
            packages.NO_WHEEL_FOR_PYTHON,
            *PIP,
            packages.CPU_ONLY,
            packages.NO_CODE,
            packages.SHADOWED,
            packages.NO_LIBRARY,
            packages.OLD_NUMPY_ABI,
            packages.OTHER_NUMPY_ABI,
            packages.OPENCV,
            packages.PAIR,
            packages.OTHER_TOOLKIT,
            packages.COMPILER,
            cards.MEMORY,
            cards.PROGRAM_FAULT,
            cards.SHARED_BY_RANKS,
            several.PORT_TAKEN,
            several.UNREACHABLE,
            several.INTERFACE,
            several.VERSIONS,
            several.PEERS,
            several.SYSTEM_ERROR,
            several.TIMEOUT,
        )
    )
    if one.in_log
)
