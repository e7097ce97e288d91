from __future__ import annotations

import pytest

from envcheck.compat.rules.modules import modules
from envcheck.compat.verdict import join
from tests.compat.builds import CPU, CU128
from tests.compat.machines import GTX_1080_TI, H100, ORIN, RTX_3090, RTX_5090, V100, machine

GH200 = ("NVIDIA GH200 480GB", "9.0")


@pytest.mark.parametrize(
    ("card", "open_module", "verdict"),
    [
        (RTX_5090, True, "fits"),
        (RTX_5090, False, "refused"),
        (V100, True, "refused"),  # Maxwell, Pascal and Volta: proprietary only
        (V100, False, "fits"),
        (GTX_1080_TI, True, "refused"),
        (H100, True, "fits"),
        (H100, False, "fits"),
        (GH200, True, "fits"),
        (GH200, False, "refused"),  # Grace Hopper: open only, though a Hopper
    ],
)
def test_the_loaded_kernel_modules_have_to_be_ones_that_drive_the_card(card, open_module, verdict):
    (reason,) = modules(machine(card, driver="575.57.08", open_module=open_module), CU128)
    assert (reason.rule, reason.verdict) == ("modules", verdict)
    assert "kernel modules" in reason.source


def test_no_modules_drive_volta_and_blackwell_in_one_machine():
    host = machine(V100, RTX_5090, driver="580.65.06")
    for open_module in (True, False):
        host = machine(V100, RTX_5090, driver="580.65.06", open_module=open_module)
        assert join(modules(host, CU128)) == "refused"


def test_the_way_out_names_branch_and_modules():
    (reason,) = modules(machine(RTX_5090, driver="575.57.08", open_module=False), CU128)
    assert "R575" in reason.remedy
    assert "-open" in reason.remedy


def test_absent_facts_are_settled_by_the_driver_having_listed_the_card():
    assert modules(machine(V100, RTX_5090, driver="580.65.06"), CU128) == ()
    assert modules(machine(RTX_5090), CU128) == ()


def test_open_modules_of_a_branch_that_had_none_are_a_contradiction():
    (reason,) = modules(machine(RTX_3090, driver="470.82.01", open_module=True), CU128)
    assert reason.verdict == "refused"
    assert "R515" in reason.because
    assert join(modules(machine(RTX_3090, driver="515.48.07", open_module=True), CU128)) == "fits"
    (unnumbered,) = modules(machine(RTX_3090, cuda="11.4", open_module=True), CU128)
    assert unnumbered.verdict == "refused"
    assert "the driver is of CUDA 11.4 (R470)." in unnumbered.because
    assert join(modules(machine(RTX_3090, cuda="11.7", open_module=True), CU128)) == "fits"


def test_what_the_tables_do_not_say_of_a_generation_is_no_reason():
    assert modules(machine(ORIN, driver="540.4.0", open_module=True), CU128) == ()
    assert modules(machine(("card of tomorrow", "13.0"), driver="700.10", open_module=True), CU128) == ()


def test_modules_are_no_question_for_the_cpu():
    assert modules(machine(RTX_5090, driver="575.57.08", open_module=False), CPU) == ()
