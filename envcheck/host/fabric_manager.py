"""NVIDIA's fabric manager, which joins the GPUs of a machine with NVSwitch: is it installed, does it run.

It is looked for where there is something for it to manage, or where it is installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.version import Version

from envcheck.host.facts import Driver
from envcheck.host.files import is_file
from envcheck.host.process_table import runs
from envcheck.processes import capture
from envcheck.versions import Spelled

_PROGRAM = "nv-fabricmanager"
_VERSION_FACT = "driver.fabric_manager"
_RUNS_FACT = "driver.fabric_manager_runs"
_ANSWERS_S = 3.0
# As in: Fabric Manager version is : 550.54.15
_VERSION = re.compile(r"version\D{0,9}(\d{1,5}(?:\.\d{1,5}){1,3})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FabricManager:
    """The fabric manager of this system, and why what is missing is not known, by the driver's facts."""

    version: Version | None = None
    runs: bool | None = None
    unknown: dict[str, str] = field(default_factory=dict)

    @classmethod
    def silent(cls, why: str) -> FabricManager:
        """Return what is known of it without an answer."""
        return cls(unknown={_VERSION_FACT: why, _RUNS_FACT: why})


def read_fabric_manager(root: Path = Path("/")) -> FabricManager:
    """Return the fabric manager that is installed and whether it runs."""
    program = root / "usr/bin" / _PROGRAM
    installed = is_file(program)
    if not installed and not _has_switches(root):
        return FabricManager()
    version, unknown = _version(program) if installed else (None, {})
    is_running = runs(_PROGRAM, root)
    if is_running is None:
        unknown[_RUNS_FACT] = "HIDDEN: /proc does not show the processes of others"
    return FabricManager(version, is_running, unknown)


def with_fabric_manager(
    driver: Driver | None, manager: FabricManager, *, inside: bool
) -> tuple[Driver | None, dict[str, str]]:
    """Return the driver with its fabric manager; `inside` a container, that would run outside."""
    if driver is None:
        return None, {}
    if inside and manager.runs is not None:
        manager = FabricManager.silent("OUTSIDE: the fabric manager belongs to the machine outside")
    joined = replace(driver, fabric_manager=manager.version, fabric_manager_runs=manager.runs)
    return joined, manager.unknown


def _version(program: Path) -> tuple[Version | None, dict[str, str]]:
    said = capture([str(program), "--version"], seconds=_ANSWERS_S)
    found = _VERSION.search(said.stdout[:1000])
    if found:
        return Spelled(found[1]), {}
    return None, {_VERSION_FACT: f"NO_VERSION: {said.stderr.strip() or 'it says none':.100}"}


def _has_switches(root: Path) -> bool:
    return any((root / "dev").glob("nvidia-nvswitch[0-9]*"))
