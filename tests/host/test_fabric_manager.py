"""The fabric manager of a machine with NVSwitch: its version and whether it runs, on roots made for it."""

from __future__ import annotations

import re

import pytest
from packaging.version import Version

from envcheck.host.fabric_manager import FabricManager, read_fabric_manager, with_fabric_manager
from envcheck.host.facts import Driver

INIT = {"proc/1/comm": "systemd\n"}
RUNNING = {**INIT, "proc/812/comm": "nv-fabricmanage\n", "proc/self/comm": "x\n"}
SWITCH = {"dev/nvidia-nvswitch0": ""}


@pytest.fixture
def installed(lay_out):
    """Return a function that makes a root with a fabric manager that says a text, and other entries."""

    def make(says, entries):
        root = lay_out(entries)
        program = root / "usr/bin/nv-fabricmanager"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        return root

    return make


def test_the_installed_version_is_what_the_program_says_and_it_runs(installed):
    root = installed('[ "$1" = --version ] && echo "Fabric Manager version is : 550.54.15"', RUNNING)
    assert read_fabric_manager(root) == FabricManager(Version("550.54.15"), runs=True)


def test_one_that_is_not_installed_is_known_not_to_run(lay_out):
    assert read_fabric_manager(lay_out({**INIT, **SWITCH})) == FabricManager(None, runs=False)


def test_one_that_runs_from_a_container_is_seen_although_it_is_not_installed_here(lay_out):
    assert read_fabric_manager(lay_out({**RUNNING, **SWITCH})) == FabricManager(None, runs=True)


def test_without_a_switch_and_without_the_program_there_is_nothing_to_say(lay_out):
    assert read_fabric_manager(lay_out({**INIT, "dev/nvidia-nvswitchctl": ""})) == FabricManager()
    assert read_fabric_manager(lay_out({"empty": None})) == FabricManager()


def test_where_the_processes_of_others_are_hidden_nobody_knows_whether_it_runs(lay_out):
    said = read_fabric_manager(lay_out({"proc/812/comm": "python\n", **SWITCH}))
    assert said.runs is None
    assert said.unknown["driver.fabric_manager_runs"].startswith("HIDDEN")


@pytest.mark.parametrize(
    "says", ["exit 1", "echo hello; echo broken >&2", "head -c 1000000 /dev/zero", "echo version 1"]
)
def test_a_program_that_says_no_version_is_a_reason(installed, says):
    said = read_fabric_manager(installed(says, INIT))
    assert said.version is None
    assert re.fullmatch(r"NO_VERSION: (broken|it says none)", said.unknown["driver.fabric_manager"])
    assert said.runs is False


def test_what_a_program_says_of_itself_is_kept_short(installed):
    said = read_fabric_manager(installed("head -c 5000 /dev/zero | tr '\\0' x >&2", INIT))
    assert len(said.unknown["driver.fabric_manager"]) < 150


def test_the_driver_takes_it_and_inside_a_container_leaves_it_open():
    manager = FabricManager(Version("550.54.15"), runs=False)
    driver, unknown = with_fabric_manager(Driver(), manager, inside=False)
    assert (driver.fabric_manager, driver.fabric_manager_runs, unknown) == (manager.version, False, {})
    driver, unknown = with_fabric_manager(Driver(), manager, inside=True)
    assert (driver.fabric_manager, driver.fabric_manager_runs) == (None, None)
    assert all(why.startswith("OUTSIDE") for why in unknown.values())
    assert with_fabric_manager(Driver(), FabricManager(), inside=True) == (Driver(), {})
    assert with_fabric_manager(None, manager, inside=False) == (None, {})
    assert FabricManager.silent("HANG: x").unknown == {
        "driver.fabric_manager": "HANG: x",
        "driver.fabric_manager_runs": "HANG: x",
    }
