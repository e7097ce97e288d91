"""Machines on which nothing runs for a reason that is known: it stands on top, not its consequence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.doctor.diagnose import diagnose
from envcheck.documents import to_json
from envcheck.host.facts import PciDevice
from envcheck.situation import look
from tests.doctor.cases import HOSTS

UBUNTU = "sudo ubuntu-drivers install"


def seen(name):
    situation = look(str(HOSTS / f"{name}.json"))
    return diagnose(situation.host, situation.choice)


@pytest.mark.parametrize(
    ("name", "cause", "command"),
    [
        ("rtx5090-r565", "driver.too-old", UBUNTU),
        ("h100-r470", "driver.too-old", UBUNTU),
        ("h100-r520", "driver.too-old", UBUNTU),
        ("rtx4090-r515", "driver.too-old", UBUNTU),
        ("rtx3090-r450", "driver.too-old", UBUNTU),
        ("gh200-r550", "driver.too-old", UBUNTU),
        ("rubin-r610", "driver.too-old", UBUNTU),
        ("v100-r590", "driver.too-old", "sudo apt install nvidia-driver-580"),
        ("m40-r590", "driver.too-old", "sudo apt install nvidia-driver-580"),
        ("k80-t4-r535", "driver.too-old", "sudo apt install nvidia-driver-470"),
        ("k80-r535-dropped", "driver.too-old", "sudo apt install nvidia-driver-470"),
        ("v100-open-module", "driver.open-module", "sudo apt install nvidia-driver-580"),
        ("rtx5090-r580-proprietary", "driver.open-module", "sudo apt install nvidia-driver-580-open"),
        ("gh200-r580-proprietary", "driver.open-module", "sudo apt install nvidia-driver-580-open"),
    ],
)
def test_the_driver_is_named_where_it_is_all_that_stands_in_the_way(name, cause, command):
    diagnosis = seen(name)
    primary = diagnosis.primary
    assert primary.id == cause
    assert primary.fix.commands == (command, "sudo reboot")
    assert primary.fix.needs_root
    assert primary.fix.reboot
    assert primary.link
    assert "recipe.fits" in [one.id for one in diagnosis.consequences(primary)]


def test_what_runs_as_it_is_stays_with_the_recipes():
    diagnosis = seen("h100-r520")
    assert "recipes add" not in diagnosis.primary.fix.text
    assert any("recipes add" in one.fix.text for one in diagnosis.consequences(diagnosis.primary) if one.fix)


def test_generations_that_no_driver_and_build_serve_together_are_told_as_such():
    primary = seen("gtx1080ti-rtx5090").primary
    assert primary.id == "recipe.fits"
    assert "of generations that no recipe serves together" in primary.cause
    assert primary.link


@pytest.mark.parametrize(
    ("changes", "commands", "root"),
    [
        ({"distribution": "fedora 43"}, ("sudo dnf upgrade --refresh '*nvidia*'", "sudo reboot"), True),
        ({"distribution": "arch"}, ("sudo pacman -Syu", "sudo reboot"), True),
        ({"distribution": "gentoo"}, (), True),
        ({"container": "docker"}, (), True),
        ({"wsl": True}, (), False),
    ],
)
def test_a_newer_driver_comes_in_the_words_of_the_system(machine, changes, commands, root):
    situation = look(str(HOSTS / "rtx5090-r565.json"))
    primary = diagnose(machine("rtx5090-r565", os=changes), situation.choice).primary
    assert primary.id == "driver.too-old"
    assert primary.fix.commands == commands
    assert primary.fix.needs_root is root


def test_a_card_that_its_branch_has_dropped_beside_one_that_never_had_it_gets_no_command(machine):
    situation = look(str(HOSTS / "k80-r535-dropped.json"))
    blackwell = PciDevice("0000:09:00.0", "10de", "2b85", "nvidia")
    host = machine("k80-r535-dropped", driver={"open_module": None})
    host = machine("k80-r535-dropped", driver={"open_module": None}, pci=(*host.pci, blackwell))
    primary = diagnose(host, situation.choice).primary
    assert (primary.id, primary.fix.commands) == ("driver.too-old", ())


OLD = PciDevice("0000:09:00.0", "10de", "128b", "nouveau", "GK208B [GeForce GT 710]")
SECOND = PciDevice("0000:09:00.0", "10de", "2204", "nouveau", "GA102 [GeForce RTX 3090]")


def with_card(machine, tmp_path, name, card):
    """Return what is said of a machine with one card more."""
    before = machine(name)
    return as_seen(replace(before, pci=(*before.pci, card)), tmp_path)


def as_seen(host, tmp_path):
    file = tmp_path / "host.json"
    file.write_text(to_json(host))
    situation = look(str(file))
    return diagnose(situation.host, situation.choice)


def test_an_old_card_that_draws_the_screen_by_nouveau_is_a_note_beside_a_gpu_that_works(machine, tmp_path):
    diagnosis = with_card(machine, tmp_path, "rtx3090-driver550", OLD)
    nouveau = next(one for one in diagnosis.findings if one.id == "card.nouveau")
    assert nouveau.status == "info"
    assert "GT 710" in nouveau.evidence[0]
    assert diagnosis.primary is None


def test_a_second_gpu_on_nouveau_is_named_and_explains_that_it_is_not_used(machine, tmp_path):
    diagnosis = with_card(machine, tmp_path, "rtx3090-driver550", SECOND)
    assert (diagnosis.primary.id, diagnosis.primary.status) == ("card.nouveau", "warn")
    assert len(diagnosis.primary.evidence) == 1
    assert {"card.listed", "recipe.fits"} <= {one.id for one in diagnosis.consequences(diagnosis.primary)}


@pytest.mark.parametrize("card", [OLD, SECOND])
def test_nouveau_on_a_second_card_does_not_explain_a_mismatch(machine, tmp_path, card):
    diagnosis = with_card(machine, tmp_path, "mismatch-after-upgrade", card)
    assert diagnosis.primary.id == "driver.module-match"
    assert next(one for one in diagnosis.findings if one.id == "card.nouveau").status == "info"


def test_a_driver_that_may_do_is_not_called_too_old():
    diagnosis = seen("by-hand-t4-cuda110")
    assert next(one for one in diagnosis.findings if one.id == "driver.too-old").status == "unknown"
    assert diagnosis.primary.id == "recipe.fits"


def test_what_no_branch_drives_together_asks_for_no_root():
    fix = seen("rtx5090-gt710-r580").primary.fix
    assert (fix.commands, fix.needs_root, fix.reboot) == ((), False, False)
