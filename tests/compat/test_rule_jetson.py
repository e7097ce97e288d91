from __future__ import annotations

import pytest

from envcheck.compat.rules import judge
from envcheck.compat.rules.jetson import jetson
from envcheck.compat.verdict import join
from tests.compat.builds import ARM_CPU, ARM_CU130, ARM_CU132, CU130
from tests.compat.machines import ORIN, RTX_3090, THOR, machine


def _only(reasons):
    (reason,) = reasons
    return reason


@pytest.mark.parametrize(
    ("release", "jetpack"),
    [("32.7.4", "JetPack 4"), ("34.1.1", "JetPack 5"), ("35.4.1", "JetPack 5"), ("36.4.3", "JetPack 6")],
)
def test_public_wheels_are_refused_before_their_time_with_the_torch_to_take(release, jetpack):
    reason = _only(jetson(machine(ORIN, cpu="aarch64", jetson=release), ARM_CU132))
    assert reason.verdict == "refused"
    assert release in reason.because
    assert f"the torch that NVIDIA builds for {jetpack}" in reason.remedy
    assert "http" not in reason.remedy


@pytest.mark.parametrize("release", ["38.2", "38.2.2", "39.2.0"])
def test_from_jetpack_7_on_public_wheels_are_for_boards_too(release):
    reason = _only(jetson(machine(THOR, cpu="aarch64", jetson=release), ARM_CU130))
    assert reason.verdict == "fits"
    assert release in reason.because


@pytest.mark.parametrize(
    "board", ["NVIDIA Jetson AGX Orin Developer Kit", "unnamed board", "38.x", "9" * 500]
)
def test_a_board_without_a_release_is_unknown(board):
    reason = _only(jetson(machine(ORIN, cpu="aarch64", jetson=board), ARM_CU132))
    assert reason.verdict == "unknown"
    assert "`os.jetson`" in reason.because


@pytest.mark.parametrize(
    ("card", "build", "verdict"),
    [
        (THOR, ARM_CU130, "fits"),  # sm_110
        (ORIN, ARM_CU130, "refused"),  # sm_80 runs on 8.7 only from CUDA 13.2 on
        (ORIN, ARM_CU132, "fits"),
    ],
)
def test_under_jetpack_7_the_code_decides(card, build, verdict):
    host = machine(card, cpu="aarch64", jetson="39.2.0", driver="595.45.04", cuda="13.2")
    reasons = judge(host, build)
    assert join(reasons) == verdict
    assert {reason.rule for reason in reasons if reason.verdict == "refused"} <= {"code"}


def test_orin_under_jetpack_6_is_refused_whatever_the_code():
    host = machine(ORIN, cpu="aarch64", jetson="36.4.3", driver="540.4.0", cuda="12.6")
    refused = {reason.rule for reason in judge(host, ARM_CU132) if reason.verdict == "refused"}
    assert "jetson" in refused


def test_jetson_is_no_question_elsewhere_nor_for_the_cpu_nor_for_other_processors_wheels():
    assert jetson(machine(RTX_3090), ARM_CU130) == ()
    assert jetson(machine(ORIN, cpu="aarch64", jetson="36.4.3"), ARM_CPU) == ()
    assert jetson(machine(cpu="aarch64", jetson="36.4.3"), ARM_CU130) == ()
    assert jetson(machine(ORIN, cpu="aarch64", jetson="36.4.3"), CU130) == ()  # the platform rule says so
