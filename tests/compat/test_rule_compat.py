from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.compat.rules import judge
from envcheck.compat.rules.compat import compat
from envcheck.compat.verdict import join
from tests.compat.builds import CPU, CU121, CU126, CU128, CU132
from tests.compat.machines import A100, H100, ORIN, RTX_3090, machine


def _only(reasons):
    (reason,) = reasons
    return reason


@pytest.mark.parametrize(
    ("brand", "verdict"),
    [
        ("tesla", "fits"),
        ("quadro", "fits"),
        ("quadro rtx", "fits"),
        ("nvidia rtx", "fits"),
        ("nvidia", "fits"),
        ("nvidia vapps", "fits"),
        ("nvidia vpc", "fits"),
        ("nvidia vcs", "fits"),
        ("nvidia vws", "fits"),
        ("nvidia cloud gaming", "fits"),
        ("geforce", "refused"),
        ("geforce rtx", "refused"),
        ("titan", "refused"),
        ("titan rtx", "refused"),
        ("nvs", "refused"),
        ("grid", "refused"),
        ("a brand of tomorrow", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_newer_libcuda_is_for_data_centre_brands_and_never_for_geforce(brand, verdict):
    host = machine(A100, driver="550.54.14", cuda="12.4", libcuda="12.9", brand=brand)
    reason = _only(compat(host, CU121))
    assert (reason.rule, reason.verdict) == ("compat", verdict)
    assert "libcuda is CUDA 12.9 and the driver is CUDA 12.4" in reason.because
    assert ("LD_LIBRARY_PATH" in reason.remedy) == (verdict != "fits")
    assert ("`gpus[0].brand`" in reason.because) == (verdict == "unknown")


def test_one_geforce_among_others_is_enough_to_refuse():
    host = machine(A100, RTX_3090, driver="550.54.14", libcuda="12.9", brand="tesla")
    host = replace(host, gpus=(host.gpus[0], replace(host.gpus[1], brand="geforce")))
    reason = _only(compat(host, CU121))
    assert reason.verdict == "refused"
    assert "GeForce RTX 3090 (brand geforce)" in reason.because


@pytest.mark.parametrize(
    ("driver", "libcuda", "verdict"),
    [
        ("535.104.05", "12.9", "fits"),
        ("560.35.03", "12.9", "fits"),
        ("560.35.03", "13.1", "unknown"),  # its note names 535, 550, 570, 575, 580 and 590
        ("580.65.06", "13.1", "fits"),
        ("525.60.13", "12.9", "unknown"),
        ("535.104.05", "13.0", "fits"),  # both packages that were read name it
        ("560.35.03", "13.0", "unknown"),  # they differ
        ("545.23.08", "12.8", "unknown"),
    ],
)
def test_the_driver_has_to_be_of_a_branch_that_the_package_names(driver, libcuda, verdict):
    host = machine(H100, driver=driver, libcuda=libcuda, brand="nvidia")
    assert _only(compat(host, CU121)).verdict == verdict


def test_the_branch_tells_the_drivers_cuda_better_than_nvml_which_may_ask_libcuda_itself():
    host = machine(RTX_3090, driver="535.104.05", cuda="12.9", libcuda="12.9", brand="geforce")
    assert _only(compat(host, CU121)).verdict == "refused"


def test_a_branch_that_the_tables_do_not_have_leaves_it_to_nvml():
    jetson = machine(ORIN, cpu="aarch64", jetson="36.4.3", driver="540.4.0", cuda="12.6", libcuda="12.6")
    assert compat(jetson, CU126) == ()
    windows = machine(RTX_3090, driver="576.52", cuda="12.9", libcuda="12.9", wsl=True, brand="geforce")
    assert compat(windows, CU126) == ()
    tomorrow = machine(RTX_3090, driver="700.10", cuda="14.0", libcuda="14.0", brand="geforce")
    assert compat(tomorrow, CU126) == ()


def test_on_a_jetson_and_under_wsl_it_is_not_known():
    jetson = machine(ORIN, cpu="aarch64", jetson="38.2", driver="540.4.0", cuda="12.6", libcuda="13.2")
    unsaid = _only(compat(jetson, CU126))
    assert (unsaid.verdict, "brand" in unsaid.because) == ("unknown", False)
    windows = machine(A100, driver="535.98", cuda="12.2", libcuda="12.9", wsl=True, brand="tesla")
    assert _only(compat(windows, CU126)).verdict == "unknown"


def test_without_a_version_the_two_cudas_are_compared_and_the_branch_is_asked_for():
    reason = _only(compat(machine(A100, cuda="12.2", libcuda="12.9", brand="tesla"), CU121))
    assert reason.verdict == "unknown"
    assert "`driver.version`" in reason.because


@pytest.mark.parametrize("brand", ["geforce", "tesla"])
def test_a_libcuda_has_to_be_newer_than_the_driver(brand):
    host = machine(A100, driver="550.54.14", cuda="12.4", libcuda="12.1", brand=brand)
    for build in (CU121, CU126):
        reason = _only(compat(host, build))
        assert reason.verdict == "refused"
        assert "newer than the driver" in reason.because
        assert "LD_LIBRARY_PATH" in reason.remedy


def test_a_libcuda_of_the_drivers_own_or_an_unread_one_is_no_question():
    assert compat(machine(RTX_3090, driver="550.54.14", cuda="12.4", libcuda="12.4"), CU128) == ()
    assert compat(machine(RTX_3090, driver="550.54.14", cuda="12.4"), CU128) == ()
    assert compat(machine(RTX_3090), CU128) == ()


def test_a_libcuda_beside_a_driver_of_unknown_cuda_may_be_either():
    for facts in ({}, {"driver": "452.39", "wsl": True}):
        reason = _only(compat(machine(RTX_3090, libcuda="12.4", **facts), CU128))
        assert reason.verdict == "unknown"
        assert "`driver.cuda`" in reason.because


def test_compat_is_no_question_for_the_cpu_nor_without_a_gpu():
    facts = {"driver": "550.54.14", "libcuda": "12.9", "brand": "geforce"}
    assert compat(machine(RTX_3090, **facts), CPU) == ()
    assert compat(machine(**facts), CU128) == ()


def test_all_rules_agree_on_an_a100_that_reaches_cuda_13_by_cuda_compat():
    host = machine(A100, driver="535.104.05", cuda="12.2", libcuda="13.1", brand="tesla")
    assert join(judge(host, CU132)) == "fits"
    assert join(judge(replace(host, driver=replace(host.driver, libcuda=None)), CU132)) == "refused"
