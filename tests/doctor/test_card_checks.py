"""Cards on the bus: what each kernel driver, module kind and container makes of them."""

from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.doctor.check import Case
from envcheck.doctor.checks.cards import GivenAway, Listed, Nouveau, OpenModule, Unbound
from envcheck.host.facts import PciDevice


def bound(device, driver="nvidia", address="0000:01:00.0"):
    return PciDevice(address, "10de", device, driver)


def test_nouveau_without_nvidias_driver_is_mended_by_installing_it(machine):
    finding = Nouveau().look(Case(machine("rtx3090-nouveau")))
    assert finding.fix.commands == ("sudo apt install nvidia-driver firmware-misc-nonfree", "sudo reboot")
    assert finding.fix.needs_root
    assert finding.fix.reboot
    assert finding.evidence == (
        "/sys/bus/pci/devices/0000:01:00.0: 10de:2204, GA102 [GeForce RTX 3090], driver nouveau",
    )


def test_nouveau_before_nvidias_driver_is_blacklisted(machine):
    fix = Nouveau().look(Case(machine("rtx3090-nouveau-before-nvidia"))).fix
    assert "blacklist nouveau" in fix.commands[0]
    assert fix.commands[1] == "sudo dracut --force"  # Fedora


def test_a_distribution_that_is_not_known_gets_the_sentence_without_commands(machine):
    host = machine("rtx3090-nouveau", os={"distribution": "nixos 24.11"})
    fix = Nouveau().look(Case(host)).fix
    assert fix.text == "Install NVIDIA's driver and reboot."
    assert fix.commands == ()


@pytest.mark.parametrize("check", [Nouveau(), GivenAway(), Unbound(), Listed()])
def test_without_a_view_of_the_bus_nothing_is_claimed(machine, check):
    host = machine("rtx3090-driver550", pci=None, unknown={"pci": "/sys/bus/pci/devices is not there"})
    finding = check.look(Case(host))
    assert (finding.status, finding.cause) == ("unknown", "/sys/bus/pci/devices is not there")


@pytest.mark.parametrize("check", [Nouveau(), GivenAway(), Unbound(), Listed()])
def test_an_empty_bus_raises_no_question(machine, check):
    assert check.look(Case(machine("laptop-without-nvidia"))).status == "skip"


def test_a_card_that_is_set_aside_beside_a_working_one_is_a_note(machine):
    both = (bound("2204"), bound("2204", "vfio-pci", "0000:02:00.0"))
    host = machine("rtx3090-driver550", pci=both)
    assert GivenAway().look(Case(host)).status == "info"
    assert Listed().look(Case(host)).status == "ok"


@pytest.mark.parametrize(
    ("device", "loaded", "package"),
    [
        ("2b85", "575.57.08", "nvidia-driver-575-open"),  # RTX 5090, its branch has the open modules too
        ("2b85", "550.54.14", "nvidia-driver-570-open"),  # Blackwell starts with R570
        ("3182", "575.57.08", "nvidia-driver-580-open"),  # B300 starts with R580
        ("2342", "575.57.08", "nvidia-driver-575-open"),  # GH200
    ],
)
def test_a_card_of_the_open_modules_is_mended_by_a_branch_that_knows_it(machine, device, loaded, package):
    module = {"module_version": Version(loaded)}
    host = machine("rtx5090-proprietary-module", pci=(bound(device),), driver=module)
    finding = OpenModule().look(Case(host))
    assert finding.status == "error"
    assert finding.fix.commands == (f"sudo apt install {package}", "sudo reboot")


def test_the_module_is_shown_with_its_version_as_nvidia_writes_it(machine):
    finding = OpenModule().look(Case(machine("rtx5090-proprietary-module")))
    assert finding.evidence == (
        "/sys/bus/pci/devices/0000:01:00.0: 10de:2b85, GB202 [GeForce RTX 5090], driver nvidia",
        "/proc/driver/nvidia/version: proprietary kernel module 575.57.08",
    )


def test_the_last_of_ada_does_not_need_the_open_modules(machine):
    host = machine("rtx5090-proprietary-module", pci=(bound("28f8"),))
    assert OpenModule().look(Case(host)).status == "skip"
    assert Listed().look(Case(host)).status == "error"


def test_the_open_modules_under_a_blackwell_are_well(machine):
    assert OpenModule().look(Case(machine("gb10-spark"))).status == "ok"


def test_a_card_that_the_driver_lists_is_driven_whatever_the_module_is_called(machine):
    assert OpenModule().look(Case(machine("gb10-spark", driver={"open_module": False}))).status == "ok"


def test_a_blackwell_on_nouveau_is_not_a_matter_of_nvidias_modules(machine):
    host = machine("rtx3090-nouveau-before-nvidia", pci=(bound("2b85", "nouveau"),))
    assert OpenModule().look(Case(host)).status == "skip"


def test_modules_of_unknown_kind_leave_the_question_open(machine):
    host = machine("rtx5090-proprietary-module", driver={"open_module": None})
    assert OpenModule().look(Case(host)).status == "unknown"


def test_a_pascal_beside_a_blackwell_is_told_to_be_left_out(machine):
    cause = OpenModule().look(Case(machine("gtx1080ti-rtx5090-proprietary"))).cause
    assert "do not drive GeForce GTX 1080 Ti" in cause


def test_a_card_without_any_driver_is_found(machine):
    host = machine("rtx3090-driver550", pci=(bound("0fc6", None),))  # a GTX 650, which R550 has dropped
    finding = Unbound().look(Case(host))
    assert finding.status == "error"
    assert finding.evidence == ("/sys/bus/pci/devices/0000:01:00.0: 10de:0fc6, no driver",)


def test_a_container_with_one_of_two_cards_misses_nothing(machine):
    both = (bound("2204"), bound("2204", address="0000:02:00.0"))
    host = machine("rtx3090-driver550", os={"container": "docker"}, pci=both)
    assert Listed().look(Case(host)).status == "ok"


def test_a_container_without_its_gpus_is_to_be_started_with_them(machine):
    fix = Listed().look(Case(machine("container-without-gpus"))).fix
    assert fix.commands == ("docker run --gpus all ...",)
    assert not fix.needs_root
