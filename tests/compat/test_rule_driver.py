from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.driver import driver
from tests.compat.machines import K80, RTX_3090, machine

CU117 = tables.build_of(Version("1.13.1"), "cu117")
CU128 = tables.build_of(Version("2.10.0"), "cu128")
CU130 = tables.build_of(Version("2.14.1"), "cu130")
CPU = tables.build_of(Version("2.13.0"), "cpu")
CU102 = replace(CU117, tag="cu102", cuda=Version("10.2"))


def _only(reasons):
    (reason,) = reasons
    return reason


@pytest.mark.parametrize(
    ("build", "version", "verdict"),
    [
        (CU117, "450.80.02", "fits"),
        (CU117, "450.51.06", "refused"),  # R450, and still too old: every field counts
        (CU128, "525.60.13", "fits"),
        (CU128, "525.60.04", "refused"),
        (CU128, "615.10", "fits"),  # newer drivers run older toolkits
        (CU130, "580.65.06", "fits"),
        (CU130, "575.57.08", "refused"),
        (CU102, "440.33.01", "fits"),
        (CU102, "418.87.00", "refused"),  # before 11 each minor release needs its own driver
    ],
)
def test_a_driver_runs_a_build_from_its_floor_on(build, version, verdict):
    assert _only(driver(machine(RTX_3090, driver=version), build)).verdict == verdict


def test_the_reason_has_this_machines_number_and_the_floor_as_nvidia_writes_them():
    reason = _only(driver(machine(RTX_3090, driver="450.51.06"), CU117))
    assert reason.because == "Driver 450.51.06 is below 450.80.02, the floor of every CUDA 11."
    assert reason.remedy == "Install NVIDIA driver 450.80.02 or newer."
    assert "release notes" in reason.source


@pytest.mark.parametrize(
    ("build", "version", "verdict"),
    [
        (CU117, "452.39", "fits"),
        (CU117, "452.06", "refused"),
        (CU128, "528.24", "refused"),
        (CU128, "528.33", "fits"),
    ],
)
def test_under_wsl_the_number_is_windows_and_so_is_the_floor(build, version, verdict):
    reason = _only(driver(machine(RTX_3090, driver=version, wsl=True), build))
    assert reason.verdict == verdict
    assert ("in Windows" in reason.remedy) == (verdict == "refused")


def test_a_number_that_is_enough_for_linux_only_is_unknown_while_nobody_says_which_it_is():
    reason = _only(driver(machine(RTX_3090, driver="527.41", wsl=None), CU128))
    assert reason.verdict == "unknown"
    assert "`os.wsl`" in reason.because
    assert _only(driver(machine(RTX_3090, driver="550.54.14", wsl=None), CU128)).verdict == "fits"


def test_a_third_field_says_that_a_number_is_linuxs():
    assert _only(driver(machine(RTX_3090, driver="525.85.12", wsl=None), CU128)).verdict == "fits"


def test_no_driver_beside_a_gpu_refuses_and_one_that_could_not_be_read_is_unknown():
    bare = machine(RTX_3090)
    assert _only(driver(bare, CU128)).verdict == "refused"
    hung = replace(bare, unknown={"driver": "NVML did not answer"})
    assert _only(driver(hung, CU128)).verdict == "unknown"
    assert "NVML did not answer" in _only(driver(hung, CU128)).because


@pytest.mark.parametrize(
    ("build", "own_cuda", "verdict"),
    [
        (CU128, "13.0", "fits"),
        (CU128, "12.8", "fits"),
        (CU128, "12.4", "unknown"),  # surely enough but for the earliest 12.0 drivers: their version tells
        (CU128, "11.8", "refused"),
        (CU102, "10.1", "refused"),
    ],
)
def test_where_the_version_is_not_known_the_drivers_own_cuda_may_settle_it(build, own_cuda, verdict):
    assert _only(driver(machine(RTX_3090, cuda=own_cuda), build)).verdict == verdict


def test_an_unread_version_without_cuda_says_which_fact_would_settle_it():
    host = machine(RTX_3090, cuda="12.4")
    host = replace(host, driver=replace(host.driver, cuda=None), unknown={"driver.version": "NOT_SUPPORTED"})
    reason = _only(driver(host, CU128))
    assert reason.verdict == "unknown"
    assert "NOT_SUPPORTED" in reason.because
    assert "`driver.version`" in reason.because


def test_no_newer_driver_is_advised_where_the_card_has_none():
    reason = _only(driver(machine(K80, driver="470.82.01"), CU128))
    assert "R470 is the last driver branch for Tesla K80" in reason.because
    assert reason.remedy == ""


def test_the_driver_is_no_question_for_the_cpu_nor_without_a_gpu():
    assert driver(machine(RTX_3090, driver="440.33"), CPU) == ()
    assert driver(machine(), CU128) == ()


def test_a_cuda_that_the_tables_do_not_know_is_unknown():
    build = replace(CU128, cuda=Version("14.0"))
    assert _only(driver(machine(RTX_3090, driver="580.65.06"), build)).verdict == "unknown"
