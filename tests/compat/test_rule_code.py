from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.compat.rules.code import code, sass_runs
from envcheck.compat.verdict import join
from tests.compat.builds import ARM_CU130, ARM_CU132, CPU, CU117, CU126, CU128, CU130, CU132, WITH_PTX, build
from tests.compat.machines import GB10, GTX_1080_TI, ORIN, RTX_3090, RTX_5090, THOR, V100, machine


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


def test_ptx_goes_upward_and_the_reason_says_who_compiles_it():
    (reason,) = code(machine(("card of tomorrow", "13.0")), WITH_PTX)
    assert reason.verdict == "fits"
    assert "compute_120, which the driver compiles" in reason.because


def test_ptx_of_a_toolkit_older_than_the_gpu_serves_torch_and_maybe_not_its_libraries():
    # 1.5.1 cu102 holds compute_37. Without this rule it "serves" a 1080 Ti and a 5090 together.
    old = build("1.5.1", "10.2", "3.7", "5.0", "6.0", "7.0", "7.5", ptx=("3.7",))
    pascal, blackwell = code(machine(GTX_1080_TI, RTX_5090), old)
    assert pascal.verdict == "fits"
    assert blackwell.verdict == "unknown"
    assert "CUDA 12.8 was the first to know" in blackwell.because


def test_the_wheels_of_today_hold_no_ptx_for_the_cards_of_tomorrow():
    (reason,) = code(machine(("card of tomorrow", "13.0")), CU132)
    assert reason.verdict == "refused"


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
        ("5.0", "5.3", "10.2", False),
        ("6.1", "6.2", "10.2", False),
        ("10.1", "11.0", "12.9", True),  # Thor, before and after CUDA 13 renamed it
        ("11.0", "10.1", "13.0", True),
        ("10.0", "11.0", "13.2", False),
    ],
)
def test_tegra_runs_its_own_code_only(made_for, runs_on, toolkit, expected):
    assert sass_runs(Version(made_for), Version(runs_on), Version(toolkit)) is expected


@pytest.mark.parametrize(
    ("card", "build", "cuda", "verdict"),
    [
        (ORIN, ARM_CU132, "13.0", "unknown"),  # is 13.2 the toolkit's or the platform's?
        (ORIN, ARM_CU132, None, "unknown"),
        (ORIN, ARM_CU132, "13.2", "fits"),
        (ORIN, ARM_CU132, "13.4", "fits"),
        (ORIN, ARM_CU130, "13.2", "refused"),
        (THOR, ARM_CU132, "13.0", "fits"),  # sm_110 is its own
        (THOR, build("2.8.0", "12.9", "10.1"), None, "fits"),  # by its old number
        (GB10, ARM_CU132, "13.0", "fits"),  # no Tegra
    ],
)
def test_servers_code_on_a_board_wants_a_joined_toolkit_and_a_joined_driver(card, build, cuda, verdict):
    (reason,) = code(machine(card, cpu="aarch64", jetson="38.2", cuda=cuda), build)
    assert reason.verdict == verdict
    assert ("`driver.cuda`" in reason.because) == (verdict == "unknown")


def test_an_unknown_capability_or_list_is_unknown_and_says_what_would_settle_it():
    (reason,) = code(machine(RTX_3090, ("card", None)), CU128)[:1]
    assert (reason.verdict, "`gpus[1].compute_capability`" in reason.because) == ("unknown", True)
    (reason,) = code(replace(machine(), gpus=None, unknown={"gpus": "NVML hangs"}), CU128)
    assert reason.verdict == "unknown"
    assert "NVML hangs" in reason.because


def test_code_is_no_question_for_the_cpu_nor_without_a_gpu():
    assert code(machine(RTX_3090), CPU) == ()
    assert code(machine(), CU128) == ()
