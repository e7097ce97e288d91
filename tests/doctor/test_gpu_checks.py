"""Listed GPUs: lost ones, silent ones, and MIG."""

from __future__ import annotations

from envcheck.doctor.check import Case
from envcheck.doctor.checks.gpus import Answered, Lost, MigInstances
from envcheck.host.facts import Gpu, Mig


def test_a_lost_gpu_is_named_by_its_place(machine):
    finding = Lost().look(Case(machine("a100-lost")))
    assert finding.evidence == ("gpus[0]: GPU_IS_LOST",)
    assert finding.fix.destructive


def test_missing_memory_is_a_note_and_a_missing_capability_leaves_it_open(machine):
    memory = Answered().look(Case(machine("gb10-spark")))
    assert (memory.status, memory.evidence) == ("info", ("gpus[0].memory_mib: NOT_SUPPORTED",))
    capability = Answered().look(Case(machine("rtx3090-driver550", gpus=(Gpu(index=0, uuid="GPU-1"),))))
    assert capability.status == "unknown"
    assert capability.evidence == ("gpus[0].compute_capability: not given",)


def test_mig_without_instances_shows_how_to_turn_it_off(machine):
    finding = MigInstances().look(Case(machine("h100-mig-without-instances")))
    assert finding.status == "error"
    assert finding.evidence == ("GPU 0: MIG enabled, 0 instances",)
    assert finding.fix.commands == ("sudo nvidia-smi mig -lgip", "sudo nvidia-smi -i 0 -mig 0")
    assert finding.fix.destructive


def test_instances_that_could_not_be_counted_are_not_taken_for_none(machine):
    uncounted = (Gpu(index=0, mig=Mig(enabled=True)),)
    finding = MigInstances().look(Case(machine("h100-mig-without-instances", gpus=uncounted)))
    assert (finding.status, finding.evidence) == ("unknown", ("gpus[0].mig.instances",))


def test_an_empty_gpu_beside_a_split_one_is_an_error(machine):
    split = machine("h100-mig").gpus[0]
    host = machine("h100-mig", gpus=(split, Gpu(index=1, mig=Mig(enabled=True, instances=()))))
    finding = MigInstances().look(Case(host))
    assert (finding.status, finding.evidence) == ("error", ("GPU 1: MIG enabled, 0 instances",))


def test_a_gpu_that_did_not_say_whether_it_has_mig_leaves_it_open(machine):
    silent = machine("rtx3090-driver550", unknown={"gpus[0].mig": "ERROR_999"})
    finding = MigInstances().look(Case(silent))
    assert (finding.status, finding.cause) == ("unknown", "ERROR_999")


def test_mig_that_is_off_or_not_to_be_had_is_no_trouble(machine):
    assert MigInstances().look(Case(machine("a100x8-slow"))).status == "ok"
    assert MigInstances().look(Case(machine("laptop-without-nvidia"))).status == "skip"
