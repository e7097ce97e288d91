from __future__ import annotations

from dataclasses import replace

from envcheck.compat.rules.mig import mig
from envcheck.host.facts import Mig, MigInstance
from tests.compat.builds import CPU, CU128
from tests.compat.machines import A100, H100, RTX_3090, machine

LARGE = MigInstance("MIG-7a3f8f5c", "H100 MIG 3g.40gb", 40448)
SMALL = MigInstance("MIG-c2b8a7d4", "H100 MIG 1g.10gb", 9984)


def _split(*migs, **more):
    """H100s, one for each of `migs`."""
    host = machine(*[H100] * len(migs), **more)
    gpus = tuple(replace(gpu, mig=one) for gpu, one in zip(host.gpus, migs, strict=True))
    return replace(host, gpus=gpus)


def _on(*instances):
    return Mig(enabled=True, instances=instances)


OFF = Mig(enabled=False)


def _only(reasons):
    (reason,) = reasons
    return reason


def test_mig_without_instances_leaves_no_device():
    reason = _only(mig(_split(_on()), CU128))
    assert reason.verdict == "refused"
    assert "no instance" in reason.because
    assert "Make instances" in reason.remedy
    assert "nvidia-smi -i 0 -mig 0" in reason.remedy
    assert "--gpus" not in reason.remedy


def test_other_gpus_are_a_way_out_of_mig_without_instances():
    reason = _only(mig(_split(_on(), OFF, OFF), CU128))
    assert reason.verdict == "refused"
    assert "--gpus 1,2" in reason.remedy


def test_two_slices_are_no_two_devices_for_one_process():
    reason = _only(mig(_split(_on(SMALL, LARGE)), CU128))
    assert reason.verdict == "refused"
    assert "One process sees one slice" in reason.because
    assert reason.remedy == "Name one slice (--gpus MIG-7a3f8f5c)."  # the largest


def test_slices_of_two_gpus_are_two_as_well():
    assert _only(mig(_split(_on(SMALL), _on(LARGE)), CU128)).verdict == "refused"


def test_a_slice_beside_whole_gpus_is_refused_with_both_ways_out():
    reason = _only(mig(_split(_on(LARGE), OFF, None), CU128))
    assert reason.verdict == "refused"
    assert "--gpus MIG-7a3f8f5c" in reason.remedy
    assert "--gpus 1,2" in reason.remedy


def test_one_slice_is_one_device():
    assert _only(mig(_split(_on(LARGE)), CU128)).verdict == "fits"


def test_whole_gpus_are_no_question_of_mig():
    assert mig(_split(OFF, OFF), CU128) == ()
    assert mig(machine(RTX_3090, RTX_3090), CU128) == ()


def test_unknown_instances_are_unknown_and_named():
    reason = _only(mig(_split(OFF, Mig(enabled=True)), CU128))
    assert reason.verdict == "unknown"
    assert "`gpus[1].mig.instances`" in reason.because


def test_an_unknown_mode_is_unknown_and_named():
    reason = _only(mig(_split(Mig()), CU128))
    assert reason.verdict == "unknown"
    assert "`gpus[0].mig.enabled`" in reason.because


def test_a_null_is_a_gpu_without_mig_unless_a_reason_stands_beside_it():
    host = machine(A100, A100, unknown={"gpus[1].mig": "HANG: no answer within 60 s"})
    reason = _only(mig(host, CU128))
    assert reason.verdict == "unknown"
    assert "`gpus[1].mig`" in reason.because


def test_an_unknown_fact_does_not_hide_what_is_refused_anyhow():
    verdicts = [reason.verdict for reason in mig(_split(_on(), Mig(enabled=True)), CU128)]
    assert verdicts == ["unknown", "refused"]


def test_mig_is_no_question_for_the_cpu_nor_without_a_gpu():
    assert mig(_split(_on()), CPU) == ()
    assert mig(machine(), CU128) == ()
    assert mig(machine(gpus=None), CU128) == ()
