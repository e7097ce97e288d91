"""Texts by which known failures are recognised, each with what it means and what to do.

One list for whoever meets such a text: the build that fails, the container that does not start, and
`envcheck explain`. Which failure is the fundamental one is said by the order: the first that is found counts.
The ids are those of the doctor's checks.

Sources: the list of a doctor's checks (`design/doctor-checks.md`), and what the programs themselves said.
"""

from __future__ import annotations

from envcheck.symptoms.engine import ENGINE, FULL_ENGINE, INSIDE, OUT_OF_MEMORY, SHUT_OFF
from envcheck.symptoms.pip import FULL_DISK, PIP
from envcheck.symptoms.symptom import Symptom, error_kind, find

__all__ = [
    "ENGINE",
    "FULL_DISK",
    "FULL_ENGINE",
    "INSIDE",
    "OUT_OF_MEMORY",
    "PIP",
    "SHUT_OFF",
    "Symptom",
    "error_kind",
    "find",
]
