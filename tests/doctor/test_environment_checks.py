"""Pythons, engines, and whether anything runs here at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.doctor.check import Case
from envcheck.doctor.checks.environment import PYTHON_FOR_ALL, PYTHONS, EngineThere, RecipeFits, VenvModule
from envcheck.doctor.diagnose import diagnose
from envcheck.recipes import load_recipes

NO_PYTHON = {"interpreters": {}, "incomplete": {}}


def test_the_picked_python_is_shown_with_its_path(machine, picked):
    finding = VenvModule().look(Case(machine("rtx3090-driver550"), picked))
    assert (finding.status, finding.evidence) == ("ok", ("Python 3.10: /usr/bin/python3.10",))


def test_debian_without_its_venv_package_is_an_error_with_the_package(machine):
    finding = VenvModule().look(Case(machine("rtx3090-nouveau")))
    assert finding.status == "error"
    assert finding.fix.commands == ("sudo apt install python3.11-venv",)


def test_an_incomplete_python_beside_a_complete_one_is_no_trouble(machine):
    broken = {"3.11": "/usr/bin/python3.11", "3.12": "/usr/bin/python3.12"}
    host = machine("rtx3090-driver550", python={"incomplete": broken})
    assert VenvModule().look(Case(host)).status == "ok"


def test_an_incomplete_python_is_a_warning_where_a_container_brings_its_own(machine, picked):
    finding = VenvModule().look(Case(machine("rtx3090-nouveau"), replace(picked, python=None)))
    assert (finding.status, finding.fix.commands) == ("warn", ("sudo apt install python3.11-venv",))


def test_of_several_incomplete_pythons_the_one_that_recipes_serve_is_completed(machine):
    for broken, command in (
        ({"3.8": "/usr/bin/python3.8"}, "uv python install 3.11"),
        ({"3.8": "/usr/bin/python3.8", "3.12": "/usr/bin/python3.12"}, "sudo apt install python3.12-venv"),
        ({"3.10": "/usr/bin/python3.10", "3.11": "/usr/bin/python3.11"}, "sudo apt install python3.11-venv"),
    ):
        finding = VenvModule().look(Case(machine("rtx3090-nouveau", python={"incomplete": broken})))
        assert (finding.status, finding.fix.commands) == ("error", (command,))


def test_the_pythons_are_those_of_the_recipes():
    served = [set(recipe.pythons) for recipe in load_recipes()]
    assert set(PYTHONS) == set.union(*served)
    assert PYTHON_FOR_ALL in set.intersection(*served)


def test_a_running_python_that_nobody_looked_at_is_believed_where_a_recipe_was_picked_for_it(machine, picked):
    host = machine("rtx3090-driver550", python=NO_PYTHON)
    assert VenvModule().look(Case(host, picked)).status == "ok"
    assert VenvModule().look(Case(host, replace(picked, python="3.11"))).status == "unknown"
    assert VenvModule().look(Case(host, replace(picked, recipe=None))).status == "unknown"
    assert VenvModule().look(Case(host)).status == "unknown"
    host = machine("rtx3090-driver550", python={**NO_PYTHON, "version": None})
    assert VenvModule().look(Case(host)).status == "unknown"


def test_engines_are_named_with_their_versions(machine):
    assert EngineThere().look(Case(machine("a100x8-slow"))).evidence == ("podman 4.9.4",)


def test_a_socket_that_refuses_is_a_note_with_the_group_to_join(machine):
    finding = EngineThere().look(Case(machine("rtx3090-vfio")))
    assert finding.status == "info"
    assert finding.fix.commands == ('sudo usermod -aG docker "$USER"',)


def test_an_engine_that_does_not_answer_is_unknown_with_its_reason(machine):
    why = "unix:///var/run/docker.sock: Connection refused"
    finding = EngineThere().look(Case(machine("rtx3090-vfio", unknown={"engines": why})))
    assert (finding.status, finding.cause) == ("unknown", why)


def test_a_recipe_that_fits_is_shown(machine, picked):
    finding = RecipeFits().look(Case(machine("rtx3090-driver550"), picked))
    assert finding.status == "ok"
    assert finding.evidence == ("torch2.10-cu128: torch 2.10.0, CUDA 12.8, Python 3.10",)


def test_when_nothing_fits_what_decided_against_each_recipe_is_shown_and_the_way_out(machine, nothing_fits):
    finding = RecipeFits().look(Case(machine("rtx3090-driver550"), nothing_fits))
    assert finding.status == "error"
    assert finding.evidence == (
        "torch2.10-cu128, torch2.7-cu126: The driver is too old.",
        "cpu: glibc is not known.",
    )
    assert finding.fix.text == "Install a newer driver."


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("rtx5090-proprietary-module", "driver.open-module"),
        ("mismatch-after-upgrade", "driver.module-match"),
        ("h100-mig-without-instances", "gpu.mig"),
        ("jetson-orin", "system.jetson"),
        ("rtx3090-driver550", "driver.too-old"),
    ],
)
def test_that_nothing_fits_follows_from_what_stands_in_the_way(machine, nothing_fits, name, cause):
    findings = {finding.id: finding for finding in diagnose(machine(name), nothing_fits).findings}
    assert findings["recipe.fits"].follows_from == cause
