from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.compat.rules.devices import cpu, unlisted
from envcheck.documents import read_json
from envcheck.host.facts import Driver, Host, PciDevice
from tests.compat.builds import ARM_CPU, CPU, CU128
from tests.compat.machines import GB10, K80, RTX_3090, V100, machine

HOSTS = Path(__file__).parent.parent / "hosts"


def _bus(*drivers, vendor="10de"):
    return tuple(
        PciDevice(f"0000:{number:02x}:00.0", vendor, "2b85", driver, "GB202 [GeForce RTX 5090]")
        for number, driver in enumerate(drivers, start=1)
    )


def _cards(*devices, driver="nvidia"):
    return tuple(
        PciDevice(f"0000:{number:02x}:00.0", "10de", device, driver)
        for number, device in enumerate(devices, start=1)
    )


def _at(host, *addresses):
    return replace(
        host, gpus=tuple(replace(gpu, pci_address=at) for gpu, at in zip(host.gpus, addresses, strict=True))
    )


@pytest.mark.parametrize("build", [CU128, CPU], ids=["GPU build", "CPU build"])
def test_a_card_that_no_driver_lists_refuses_every_build(build):
    (reason,) = unlisted(machine(pci=_bus("nvidia")), build)
    assert reason.verdict == "refused"
    assert "0000:01:00.0" in reason.because
    assert "10de:2b85" in reason.because


def test_the_way_out_depends_on_who_drives_the_card():
    (none,) = unlisted(machine(pci=_bus(None)), CPU)
    assert "modprobe nvidia" in none.remedy
    (nouveau,) = unlisted(machine(pci=_bus("nouveau")), CPU)
    assert "nouveau" in nouveau.because
    proprietary = Driver(module_version=Version("575.57.08"), open_module=False)
    (own,) = unlisted(machine(pci=_bus("nvidia"), driver="575.57.08"), CPU)
    assert "dmesg" in own.remedy
    assert "open kernel modules" not in own.remedy
    (own,) = unlisted(replace(machine(pci=_bus("nvidia")), driver=proprietary), CPU)
    assert "nvidia-driver-575-open" in own.remedy


def test_a_driver_that_does_not_answer_leaves_it_open_whether_the_card_is_listed():
    proprietary = Driver(version=Version("460.73.01"), open_module=False)
    host = replace(
        machine(pci=_bus("nvidia")), driver=proprietary, gpus=None, unknown={"gpus": "version mismatch"}
    )
    (reason,) = unlisted(host, CPU)
    assert reason.verdict == "unknown"
    assert "version mismatch" in reason.because
    assert "dmesg" in reason.remedy
    assert "Blackwell" not in reason.because
    (unbound,) = unlisted(replace(host, pci=_bus(None)), CPU)
    assert unbound.verdict == "refused"


def _alone(host_name, device=None):
    """What is said of the one card that a snapshot's driver does not list, or of another in its place."""
    host = read_json(HOSTS / f"{host_name}.json", Host)
    if device is not None:
        host = replace(host, pci=(*host.pci[:-1], replace(host.pci[-1], device=device, name=None)))
    return unlisted(host, CPU)[-1]


def test_a_card_whose_last_branch_is_below_the_driver_gets_that_branch():
    reason = _alone("k80-r535-dropped")
    assert "R470 is the last driver branch for Kepler, and the driver is 535.183.01" in reason.because
    assert reason.remedy == "Install a driver of branch R470 and reboot; or ask for the CPU (--gpus none)."
    assert "matrix" in reason.source


def test_an_ampere_that_fell_off_the_bus_needs_no_other_modules():
    reason = _alone("a100-one-fell-off")
    assert "dmesg" in reason.remedy
    assert "nstall" not in reason.remedy


def test_a_blackwell_under_the_proprietary_modules_gets_the_open_ones():
    reason = _alone("rtx5090-proprietary-module")
    assert reason.remedy.startswith("Install the open kernel modules (nvidia-driver-575-open) and reboot")
    assert "kernel modules" in reason.source


def test_what_the_open_modules_would_drop_is_said():
    reason = _alone("gtx1080ti-rtx5090-proprietary")
    assert "would drop GeForce GTX 1080 Ti: one machine cannot use both" in reason.remedy
    assert "nstall" not in reason.remedy
    assert reason.remedy.endswith("or name the cards to use (--gpus 0).")


def test_a_card_that_nothing_drives_beside_a_loaded_driver_is_not_told_to_install_it():
    gt710 = _alone("rtx5090-gt710-r580")
    assert "R470 is the last driver branch for Kepler" in gt710.because
    assert "A driver of branch R470 would drop GeForce RTX 5090" in gt710.remedy
    ampere = _alone("rtx5090-gt710-r580", device="2204")
    assert "dmesg" in ampere.remedy
    pascal = _alone("rtx5090-gt710-r580", device="1b06")  # R580 has it, the open modules do not
    assert "The proprietary kernel modules (nvidia-driver-580) would drop GeForce RTX 5090" in pascal.remedy
    listed = _at(machine(RTX_3090, pci=_cards("2204", "2204", driver=None)), "0000:01:00.0")
    module = replace(
        machine(pci=_cards("2204", driver=None)), driver=Driver(module_version=Version("580.65.06"))
    )
    for host in (listed, module):
        assert "dmesg" in unlisted(host, CPU)[0].remedy
    nouveau = _alone("rtx3090-nouveau-before-nvidia")
    assert nouveau.remedy.startswith("Keep nouveau off it")
    for reason in (gt710, ampere, pascal, nouveau):
        assert "nstall" not in reason.remedy


def test_a_driver_that_is_older_than_the_card_is_told_the_first_branch():
    b300 = _alone("rtx5090-proprietary-module", device="3182")
    assert b300.remedy.startswith("Install a driver of branch R580 or newer with the open kernel modules")
    ada = unlisted(machine(pci=_cards("2684"), driver="515.48.07"), CPU)[0]
    assert "R520 is the first driver branch for Ada" in ada.because
    kepler = _at(machine(K80, pci=_cards("102d", "2684"), driver="470.82.01"), "0000:01:00.0")
    assert "would drop Tesla K80: one machine cannot use both" in unlisted(kepler, CPU)[0].remedy
    volta = _at(machine(V100, pci=_cards("1db1", "3182"), driver="535.161.08"), "0000:01:00.0")
    assert "would drop Tesla V100-SXM2-16GB: one machine cannot use both" in unlisted(volta, CPU)[0].remedy


def test_a_card_without_a_driver_is_told_the_last_branch_that_it_has():
    (kepler,) = unlisted(machine(pci=_cards("102d", driver=None)), CPU)
    assert kepler.remedy.startswith("Install NVIDIA's driver of branch R470 at most")
    (ampere,) = unlisted(machine(pci=_cards("2204", driver=None)), CPU)
    assert ampere.remedy.startswith("Install NVIDIA's driver, or load it (modprobe nvidia)")


def test_a_driver_known_by_its_cuda_only_has_a_branch_all_the_same():
    (reason,) = unlisted(machine(pci=_cards("102d"), cuda="12.2"), CPU)
    assert "R470 is the last driver branch for Kepler, and the driver is of CUDA 12.2" in reason.because


def test_every_way_out_ends_with_the_users_own_word():
    (reason,) = unlisted(machine(pci=_bus(None)), CPU)
    assert "--gpus none" in reason.remedy
    (reason,) = unlisted(_at(machine(RTX_3090, pci=_bus("nvidia", None)), "0000:01:00.0"), CPU)
    assert "--gpus 0" in reason.remedy


def test_a_listed_card_is_recognised_by_its_address_however_many_zeros_stand_before_it():
    host = _at(machine(RTX_3090, pci=_bus("nvidia")), "00000000:01:00.0")
    assert unlisted(host, CPU) == ()
    elsewhere = _at(host, "0000:05:00.0")
    assert [reason.verdict for reason in unlisted(elsewhere, CPU)] == ["refused"]


def test_without_addresses_the_cards_are_counted():
    assert unlisted(machine(RTX_3090, pci=_bus("nvidia")), CPU) == ()
    assert len(unlisted(machine(RTX_3090, pci=_bus("nvidia", "nvidia", "nvidia")), CPU)) == 2


def test_what_was_given_away_or_is_not_nvidias_is_not_missing():
    assert unlisted(machine(pci=_bus("vfio-pci")), CPU) == ()
    assert unlisted(machine(pci=_bus("amdgpu", vendor="1002")), CPU) == ()


def test_a_container_sees_the_whole_bus_but_only_its_own_cards():
    inside = _at(machine(RTX_3090, pci=_bus("nvidia", "nvidia")), "0000:01:00.0")
    inside = replace(inside, os=replace(inside.os, container="docker"))
    assert unlisted(inside, CPU) == ()
    blind = replace(inside, gpus=())
    assert all("--gpus all" in reason.remedy for reason in unlisted(blind, CPU))
    assert len(unlisted(blind, CPU)) == 2


def test_an_unread_bus_refuses_nothing():
    assert unlisted(machine(pci=None), CPU) == ()


def test_the_cpu_is_not_used_while_a_gpu_stands_idle():
    (reason,) = cpu(machine(RTX_3090), CPU)
    assert reason.verdict == "refused"
    assert "GeForce RTX 3090" in reason.because
    assert "--gpus none" in reason.remedy


def test_the_cpu_only_wheel_of_aarch64_is_refused_for_a_gpu_job():
    # torch 2.10.0 from the public index holds CUDA on x86_64 and none on aarch64.
    (reason,) = cpu(machine(GB10, cpu="aarch64", driver="580.95.05"), ARM_CPU)
    assert reason.verdict == "refused"
    assert "torch==2.10.0 gets on aarch64 holds no CUDA" in reason.because
    assert "GB10 idle" in reason.because
    assert "--gpus none" in reason.remedy


def test_without_a_gpu_the_cpu_build_fits_and_a_gpu_build_is_not_needed():
    (own,) = cpu(machine(), CPU)
    assert own.verdict == "fits"
    (larger,) = cpu(machine(), CU128)
    assert larger.verdict == "fits"
    assert "not needed" in larger.because


def test_with_a_gpu_there_is_nothing_to_say_about_a_gpu_build():
    assert cpu(machine(RTX_3090), CU128) == ()


def test_unknown_gpus_may_stand_idle():
    (reason,) = cpu(machine(gpus=None), CPU)
    assert reason.verdict == "unknown"
    assert "`gpus`" in reason.because
