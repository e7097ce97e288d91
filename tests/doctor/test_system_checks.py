"""WSL, Jetson, disk and shared memory."""

from __future__ import annotations

import pytest

from envcheck.doctor.check import Case
from envcheck.doctor.checks.system import Disk, Jetson, SharedMemory, Wsl

GIB = 1024


def test_a_working_wsl_is_a_note_and_one_that_is_cut_off_a_warning(machine):
    assert Wsl().look(Case(machine("wsl2-rtx5090"))).status == "info"
    cut_off = Wsl().look(Case(machine("wsl2-rtx5090", gpus=None, unknown={"gpus": "UNKNOWN"})))
    assert cut_off.status == "warn"
    assert "in Windows" in cut_off.fix.text


def test_a_wsl_that_works_needs_no_restart_which_would_end_every_session(machine):
    assert Wsl().look(Case(machine("wsl2-rtx5090"))).fix is None
    cut_off = Wsl().look(Case(machine("wsl2-rtx5090", gpus=None, unknown={"gpus": "UNKNOWN"})))
    assert cut_off.fix.commands == ("wsl --shutdown",)
    assert cut_off.fix.destructive


def test_more_shared_memory_comes_from_who_starts_the_container(machine):
    fixes = {
        container: SharedMemory()
        .look(Case(machine("rtx3090-driver550", hardware={"shm_mib": 64}, os={"container": container})))
        .fix
        for container in (None, "docker", "podman", "kubernetes")
    }
    assert fixes[None].needs_root
    assert fixes["docker"].commands == ("docker run --shm-size=1g ...",)
    assert fixes["podman"].commands == ("podman run --shm-size=1g ...",)
    assert fixes["kubernetes"].commands == ()
    assert "emptyDir" in fixes["kubernetes"].text


def test_a_wsl_without_any_driver_may_have_no_nvidia_card_at_all(machine):
    assert Wsl().look(Case(machine("wsl2-rtx5090", driver=None, gpus=()))).status == "info"


def test_a_jetson_is_sent_to_its_own_wheels(machine):
    finding = Jetson().look(Case(machine("jetson-orin")))
    assert (finding.status, finding.evidence) == ("warn", ("L4T 36.4.3",))


def test_a_cuda_environment_needs_more_room_than_the_cpus(machine, picked):
    host = machine("rtx3090-driver550", hardware={"cache_free_mib": 5 * GIB})
    assert Disk().look(Case(host)).status == "ok"
    tight = Disk().look(Case(host, picked))
    assert tight.status == "warn"
    assert tight.evidence[0].startswith("5.0 GiB free")


@pytest.mark.parametrize(("size", "status"), [(64, "warn"), (65, "ok")])
def test_dockers_default_of_shared_memory_is_too_small(machine, size, status):
    host = machine("rtx3090-driver550", hardware={"shm_mib": size})
    assert SharedMemory().look(Case(host)).status == status


def test_a_container_gets_shared_memory_when_it_is_started(machine):
    assert SharedMemory().look(Case(machine("container-without-gpus"))).fix.commands == (
        "docker run --shm-size=1g ...",
    )


@pytest.mark.parametrize(("check", "fact"), [(Disk(), "cache_free_mib"), (SharedMemory(), "shm_mib")])
def test_what_could_not_be_measured_is_unknown_with_its_reason(machine, check, fact):
    host = machine("rtx3090-driver550", hardware={fact: None}, unknown={f"hardware.{fact}": "it hides"})
    finding = check.look(Case(host))
    assert (finding.status, finding.cause) == ("unknown", "it hides")


def test_room_whose_inodes_nobody_counted_is_told_as_such(machine):
    host = machine("rtx3090-driver550", hardware={"cache_free_mib": 50 * GIB, "cache_free_inodes": None})
    seen, open_question = Disk().look(Case(host)).evidence
    assert seen.startswith("50.0 GiB free")
    assert open_question == "free inodes: The facts do not say."
