"""What the checks of --deep and --stress say beside their status: what explains them, and the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.doctor.checks.on_request import ALL
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.proof import DeviceSeen, Failure, Inside, Made, OperationProof, Proof
from envcheck.doctor.stress import DcgmTest, Stress
from envcheck.symptoms import SYMPTOMS
from envcheck.symptoms.packages import NO_CODE
from envcheck.symptoms.several import PEERS

MADE = Made("venv", "/cache/bin/python", reused=True, seconds=0.1)
GPU = DeviceSeen("cuda:0", "NVIDIA T4")


def wrong(operation="matmul", dtype="float32", device="cuda:0", failure=None) -> OperationProof:
    return OperationProof(operation, dtype, device, None if failure else 0.25, 1e-4, failure=failure)


def proved(*operations, unkept=(), gpus=1) -> Proof:
    inside = Inside("2.10.0", "12.8", (GPU,), unkept, operations)
    return Proof(recipe="torch2.10-cu128", gpus=gpus, made=MADE, inside=inside)


def found(host, **shown):
    return {finding.id: finding for finding in diagnose(host, checks=ALL, **shown).findings}


@pytest.mark.parametrize(
    ("proof", "check"),
    [
        (Proof(recipe="cpu", failure=Failure("broken")), "deep.environment"),
        (Proof(recipe="cpu", made=MADE, failure=Failure("broken")), "deep.promise"),
        (proved(unkept=("a GPU was promised, torch sees none",)), "deep.promise"),
        (proved(wrong()), "deep.matmul"),
        (proved(wrong("conv")), "deep.conv"),
        (proved(wrong("peer", "int32")), "deep.peers"),
    ],
)
def test_a_driver_in_trouble_explains_what_goes_wrong_inside(machine, proof, check):
    finding = found(machine("mismatch-after-upgrade"), proof=proof)[check]
    assert (finding.status, finding.follows_from) == ("error", "driver.module-match")
    assert found(machine("rtx3090-driver550"), proof=proof)[check].follows_from is None


def test_a_broken_promise_explains_a_wrong_result_and_a_failed_environment_all_the_rest(machine):
    host = machine("rtx3090-driver550")
    said = found(host, proof=proved(wrong(), unkept=("torch 1.0 was promised",)))
    assert said["deep.matmul"].follows_from == "deep.promise"
    said = found(host, proof=Proof(recipe="cpu", gpus=1, failure=Failure("broken")))
    rest = [one for one in said.values() if one.id.startswith("deep.") and one.id != "deep.environment"]
    assert {(one.status, one.follows_from) for one in rest} == {("unknown", "deep.environment")}


def test_an_error_that_is_known_has_the_symptoms_own_way_out(machine):
    failure = "CUDA error: no kernel image is available for execution on the device"
    finding = found(machine("rtx3090-driver550"), proof=proved(wrong(failure=failure)))["deep.matmul"]
    assert (finding.fix, finding.cause, finding.link) == (NO_CODE.fix, NO_CODE.why, NO_CODE.link)
    assert finding.evidence == (f"matmul float32 on cuda:0 (NVIDIA T4): {failure}",)


def test_an_error_that_nobody_knows_stands_in_the_evidence(machine):
    finding = found(machine("rtx3090-driver550"), proof=proved(wrong(failure="CUDA error: odd")))[
        "deep.matmul"
    ]
    assert finding.cause == "It ended with an error, which stands in the evidence."
    assert finding.evidence[0].endswith("CUDA error: odd")


def test_copies_between_gpus_have_the_way_out_of_peers_that_do_not_reach_each_other(machine):
    finding = found(machine("rtx3090-driver550"), proof=proved(wrong("peer", "int32", "cuda:0 to cuda:1")))
    assert finding["deep.peers"].fix == PEERS.fix
    assert (
        finding["deep.peers"].title == "Copies between GPUs arrive wrong, or not at all, on cuda:0 to cuda:1"
    )


def test_a_gpu_that_is_wrong_is_to_be_tested_and_a_processor_has_no_such_command(machine):
    host = machine("rtx3090-driver550")
    on_gpu = found(host, proof=proved(wrong()))["deep.matmul"]
    assert "envcheck doctor --stress" in on_gpu.fix.commands
    on_cpu = found(host, proof=proved(wrong(device="cpu")))["deep.matmul"]
    assert on_cpu.fix.commands == ()
    assert on_gpu.evidence == ("matmul float32 on cuda:0 (NVIDIA T4): error 2.5e-01, tolerance 1.0e-04",)


def test_what_kept_the_environment_from_being_made_is_told_with_its_own_hint(machine):
    host = machine("rtx3090-driver550")
    (full,) = (one for one in SYMPTOMS if one.id == "disk.full")
    known = Failure("no room", "Make some", "disk.full")
    assert found(host, proof=Proof(recipe="cpu", failure=known))["deep.environment"].fix == full.fix
    odd = Failure("pip said no", "Ask pip\nand so on")
    finding = found(host, proof=Proof(recipe="cpu", failure=odd))["deep.environment"]
    assert (finding.fix.text, finding.fix.commands) == ("Ask pip.", ("envcheck build",))
    silent = found(host, proof=Proof(recipe="cpu", made=MADE, failure=Failure("odd")))["deep.promise"]
    assert silent.fix.commands == ("envcheck run env",)
    assert silent.fix.text.endswith(".")


def test_a_fault_counts_for_more_than_a_setting(machine):
    host = machine("rtx3090-driver550")
    setting = DcgmTest("software", "Deployment", "fail", messages=("persistence is off",), is_setting=True)
    fault = DcgmTest("memory", "Hardware", "fail", "GPU 0", ("2 double bit errors",))
    both = found(host, stress=Stress(tests=(setting, fault)))["stress.dcgm"]
    assert both.status == "error"
    assert both.evidence == (
        "software: fail: persistence is off",
        "memory on GPU 0: fail: 2 double bit errors",
    )
    assert found(host, stress=Stress(tests=(setting,)))["stress.dcgm"].status == "warn"


@pytest.mark.parametrize(
    ("name", "changes", "commands"),
    [
        ("rtx3090-driver550", {}, ("sudo apt install datacenter-gpu-manager-4-cuda12",)),
        ("v100-r450-rhel8-python311", {}, ("sudo dnf install datacenter-gpu-manager-4-cuda11",)),
        ("rtx3090-driver550", {"os": {"distribution": "arch"}}, ()),
        (
            "rtx3090-driver550",
            {"driver": {"cuda": None}},
            ("sudo apt install datacenter-gpu-manager-4-cuda12",),
        ),
        ("rtx3090-driver550", {"os": {"container": "docker"}}, ("dcgmi diag -r 3",)),
    ],
)
def test_dcgm_is_installed_as_the_distribution_does_it(machine, name, changes, commands):
    finding = found(machine(name, **changes), stress=Stress(is_installed=False))["stress.dcgm"]
    assert (finding.status, finding.fix.commands) == ("unknown", commands)


def test_what_is_not_asked_for_is_skipped_whatever_the_machine(machine):
    host = machine("rtx3090-driver550")
    assert found(host)["stress.dcgm"].cause == "It was not asked for (--stress)."
    nobody_knows = replace(host, gpus=None)
    assert found(nobody_knows)["stress.dcgm"].status == "skip"
    assert found(nobody_knows, stress=Stress(failure="no engine"))["stress.dcgm"].status == "unknown"
