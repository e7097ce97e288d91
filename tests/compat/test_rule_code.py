from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.code import code, sass_runs
from envcheck.compat.verdict import join
from tests.compat.machines import GTX_1080_TI, RTX_3090, RTX_5090, V100, machine

CU117 = tables.build_of(Version("1.13.1"), "cu117")
CU126 = tables.build_of(Version("2.7.1"), "cu126")
CU128 = tables.build_of(Version("2.10.0"), "cu128")
CU130 = tables.build_of(Version("2.14.1"), "cu130")
CPU = tables.build_of(Version("2.13.0"), "cpu")
# torch 2.7.1 cu128 as an independent table has it: code up to 12.0, and PTX of 12.0 for what comes after.
WITH_PTX = replace(CU128, ptx=(Version("12.0"),))


def _verdict(capability, build, **more):
    return join(code(machine(("card", capability), driver="580.65.06", **more), build))


@pytest.mark.parametrize(
    ("capability", "build", "verdict"),
    [
        ("3.7", CU117, "fits"),
        ("3.5", CU117, "refused"),  # sm_37 is newer than 3.5
        ("8.6", CU117, "fits"),
        ("8.9", CU117, "fits"),  # runs sm_86
        ("9.0", CU117, "refused"),
        ("6.1", CU126, "fits"),  # runs sm_60
        ("6.1", CU130, "refused"),  # the driver-only table's mistake: 1080 Ti on 580 is no CUDA 13 machine
        ("7.5", CU126, "fits"),
        ("7.0", CU130, "refused"),  # sm_75 is newer than 7.0
        ("12.0", CU126, "refused"),
        ("12.0", CU128, "fits"),
        ("12.1", CU128, "fits"),  # runs sm_120
        ("10.3", CU128, "fits"),  # runs sm_100
        ("11.0", CU130, "refused"),
    ],
)
def test_machine_code_runs_within_its_major_version_from_its_minor_up(capability, build, verdict):
    assert _verdict(capability, build) == verdict


def test_the_reason_names_the_card_and_the_code_that_it_runs():
    (own,) = code(machine(RTX_3090), CU128)
    assert own.because == "GeForce RTX 3090 (8.6): the wheel holds sm_86, its own code."
    (near,) = code(machine(GTX_1080_TI), CU126)
    assert "GeForce GTX 1080 Ti (6.1)" in near.because
    assert "sm_60" in near.because
    (refused,) = code(machine(RTX_5090), CU117)
    assert "sm_37, sm_50, sm_60, sm_70, sm_75, sm_80, sm_86" in refused.because


def test_every_gpu_is_judged_and_the_order_never_matters():
    one_way = code(machine(V100, RTX_5090), CU130)
    other_way = code(machine(RTX_5090, V100), CU130)
    assert one_way == other_way
    assert [reason.verdict for reason in one_way] == ["refused", "fits"]
    assert join(code(machine(V100, RTX_5090), CU128)) == "fits"


def test_cards_of_one_kind_share_a_reason():
    (reason,) = code(machine(V100, V100, V100, V100), CU128)
    assert "4 x Tesla V100" in reason.because


@pytest.mark.parametrize(
    ("own_cuda", "verdict"), [("12.8", "fits"), ("13.0", "fits"), ("12.4", "refused"), (None, "unknown")]
)
def test_ptx_goes_upward_only_where_the_drivers_own_cuda_can_compile_it(own_cuda, verdict):
    host = machine(("card of tomorrow", "13.0"), driver="580.65.06", cuda=own_cuda)
    (reason,) = code(host, WITH_PTX)
    assert reason.verdict == verdict
    assert "compute_120" in reason.because
    if verdict == "refused":
        assert "570.86.10" in reason.remedy
    if verdict == "unknown":
        assert "`driver.cuda`" in reason.because


def test_ptx_never_goes_downward():
    assert _verdict("11.0", WITH_PTX, cuda="13.0") == "refused"


def test_architecture_specific_code_runs_on_exactly_its_own():
    build = replace(CU117, exact=(Version("9.0"),))
    assert _verdict("9.0", build) == "fits"
    assert _verdict("9.1", build) == "refused"


@pytest.mark.parametrize(
    ("made_for", "runs_on", "toolkit", "expected"),
    [
        ("8.6", "8.7", "13.0", False),  # Orin is Tegra, a world of its own
        ("8.6", "8.7", "13.2", True),  # until the two were joined
        ("8.7", "8.7", "12.6", True),
        ("8.7", "8.9", "13.2", False),
        ("7.0", "7.2", "11.7", False),
        ("7.0", "7.5", "11.7", True),
    ],
)
def test_tegra_runs_its_own_code_only(made_for, runs_on, toolkit, expected):
    assert sass_runs(Version(made_for), Version(runs_on), Version(toolkit)) is expected


def test_an_unknown_capability_or_list_is_unknown_and_says_what_would_settle_it():
    (reason,) = code(machine(("card", None)), CU128)
    assert (reason.verdict, "`compute_capability`" in reason.because) == ("unknown", True)
    (reason,) = code(replace(machine(), gpus=None, unknown={"gpus": "NVML hangs"}), CU128)
    assert reason.verdict == "unknown"
    assert "NVML hangs" in reason.because


def test_code_is_no_question_for_the_cpu_nor_without_a_gpu():
    assert code(machine(RTX_3090), CPU) == ()
    assert code(machine(), CU128) == ()
