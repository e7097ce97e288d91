from __future__ import annotations

import pytest

from envcheck.compat.rules.generation import generation
from envcheck.compat.verdict import join
from tests.compat.builds import CPU, CU128
from tests.compat.machines import GTX_1080_TI, K80, RTX_3090, RTX_5090, V100, machine

B300 = ("NVIDIA B300", "10.3")


@pytest.mark.parametrize(
    ("card", "driver", "verdict"),
    [
        (K80, "470.82.01", "fits"),
        (K80, "495.29.05", "refused"),
        (V100, "580.65.06", "fits"),
        (V100, "590.44.01", "refused"),
        (GTX_1080_TI, "595.45.04", "refused"),
        (RTX_3090, "615.10", "fits"),
        (RTX_5090, "565.57.01", "refused"),
        (RTX_5090, "570.86.16", "fits"),
        (B300, "575.57.08", "refused"),  # the open modules first list it in 580.82.07
        (B300, "580.95.05", "fits"),
        (RTX_3090, "450.80.02", "refused"),  # 8.6 came with R455
    ],
)
def test_a_branch_drives_a_generation_from_its_first_to_its_last(card, driver, verdict):
    assert join(generation(machine(card, driver=driver), CU128)) == verdict


def test_windows_numbers_are_put_into_their_branch():
    assert join(generation(machine(V100, driver="582.16", wsl=True), CU128)) == "fits"
    assert join(generation(machine(V100, driver="591.44", wsl=True), CU128)) == "refused"
    assert join(generation(machine(RTX_5090, driver="566.36", wsl=True), CU128)) == "refused"


def test_the_way_out_names_the_branch():
    (reason,) = generation(machine(V100, driver="590.44.01"), CU128)
    assert reason.remedy == "Install a driver of branch R580."
    (reason,) = generation(machine(RTX_5090, driver="566.36", wsl=True), CU128)
    assert reason.remedy == "Install a driver of branch R570 or newer in Windows."


def test_a_mix_that_no_branch_drives_is_refused_from_both_ends():
    kepler, blackwell = generation(machine(RTX_5090, K80, driver="550.54.14"), CU128)
    assert "R470 is the last branch for Kepler" in kepler.because
    assert "R570 is the first branch for Blackwell" in blackwell.because


def test_facts_that_are_absent_are_settled_by_the_driver_having_listed_the_card():
    assert join(generation(machine(V100, RTX_5090, driver="580.65.06"), CU128)) == "fits"
    assert join(generation(machine(RTX_5090, cuda="13.0"), CU128)) == "fits"


def test_a_driver_without_a_version_is_of_the_branch_that_its_cuda_is():
    assert join(generation(machine(V100, cuda="13.0"), CU128)) == "fits"
    (reason,) = generation(machine(V100, cuda="13.1"), CU128)
    assert reason.verdict == "refused"
    assert reason.because.startswith("The driver of CUDA 13.1 (R590) is too new")
    assert join(generation(machine(K80, cuda="11.6"), CU128)) == "refused"
    assert join(generation(machine(RTX_5090, cuda="12.7"), CU128)) == "refused"


def test_a_capability_that_the_tables_do_not_know_is_unknown():
    (reason,) = generation(machine(("card of tomorrow", "13.0"), driver="700.10"), CU128)
    assert reason.verdict == "unknown"
    assert "13.0" in reason.because
    assert "gpus.yaml" in reason.remedy


def test_the_generation_is_no_question_for_the_cpu():
    assert generation(machine(V100, driver="590.44.01"), CPU) == ()
