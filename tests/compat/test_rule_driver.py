from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.compat.rules.driver import driver
from tests.compat.builds import ARM_CU132, CPU, CU102, CU117, CU128, CU130, CU132, build
from tests.compat.machines import A100, K80, ORIN, RTX_3090, RTX_5090, V100, machine

CU110 = build("1.7.1", "11.0", "3.7", "5.0", "6.0", "7.0", "7.5", "8.0")
CU120 = replace(CU128, cuda=Version("12.0"))


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
    reason = _only(driver(machine(A100, driver="450.51.06"), CU117))
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
        (CU128, "12.1", "fits"),  # a later branch than the floor's
        (CU128, "12.0", "unknown"),  # R525 began before 525.60.13: the version tells
        (CU128, "11.8", "refused"),
        (CU110, "11.0", "unknown"),  # 450.51.06 is CUDA 11.0 too, and refused
        (CU110, "11.1", "fits"),
        (CU117, "11.0", "unknown"),
        (CU120, "12.0", "unknown"),  # so is 525.53
        (CU130, "13.0", "fits"),  # the floor is all of R580
        (CU130, "12.9", "refused"),
        (CU102, "10.1", "refused"),
        (CU102, "10.2", "unknown"),  # before 440.33 there was a beta of R440
        (CU102, "11.0", "fits"),
        (CU132, "13.1", "fits"),
    ],
)
def test_where_the_version_is_not_known_the_drivers_own_cuda_may_settle_it(build, own_cuda, verdict):
    assert _only(driver(machine(RTX_3090, cuda=own_cuda), build)).verdict == verdict


@pytest.mark.parametrize("wsl", [False, True])
@pytest.mark.parametrize(
    ("build", "version", "own_cuda"),
    [(CU110, "450.51.06", "11.0"), (CU120, "525.53", "12.0"), (CU102, "440.26", "10.2")],
)
def test_a_driver_that_is_less_known_fits_no_more_than_a_better_known_one(build, version, own_cuda, wsl):
    assert (
        _only(driver(machine(RTX_3090, driver=version, cuda=own_cuda, wsl=wsl), build)).verdict == "refused"
    )
    less = _only(driver(machine(RTX_3090, cuda=own_cuda, wsl=wsl), build))
    assert less.verdict == "unknown"
    assert "`driver.version`" in less.because


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


def test_the_lowest_driver_for_every_card_is_advised():
    assert "565" not in _only(driver(machine(RTX_5090, driver="470.82.01"), CU128)).remedy
    assert _only(driver(machine(RTX_5090), CU128)).remedy == "Install NVIDIA driver 570 or newer."
    volta = _only(driver(machine(V100, driver="470.82.01"), CU128))
    assert volta.remedy == "Install NVIDIA driver 525.60.13 or newer, of branch R580 at most."


def test_cards_that_no_one_driver_drives_get_no_advice():
    reason = _only(driver(machine(K80, RTX_5090), CU117))
    assert "R470 is the last driver branch for Tesla K80" in reason.because
    assert reason.remedy == ""


def test_without_a_driver_and_by_its_cuda_too_the_cards_end_counts():
    for host in (machine(K80), machine(K80, cuda="11.4")):
        reason = _only(driver(host, CU128))
        assert reason.verdict == "refused"
        assert "R470 is the last driver branch for Tesla K80" in reason.because
        assert reason.remedy == ""


def test_without_a_driver_wsl_is_told_the_windows_number():
    reason = _only(driver(machine(RTX_3090, wsl=True), CU128))
    assert "528.33" in reason.because
    assert "528.33 or newer in Windows" in reason.remedy


def test_a_jetson_gets_its_driver_with_its_jetpack():
    host = machine(ORIN, cpu="aarch64", jetson="36.4.3", driver="540.4.0", cuda="12.6")
    assert "comes with its JetPack" in _only(driver(host, ARM_CU132)).remedy


def test_nvidias_upper_ends_refuse_nothing():
    # "12.x: 525 to 580" is the range of a promise, not a ceiling.
    assert _only(driver(machine(RTX_3090, driver="580.65.06"), CU128)).verdict == "fits"
    assert _only(driver(machine(RTX_3090, driver="615.10"), CU117)).verdict == "fits"


def test_a_driver_of_cuda_12_7_for_which_no_toolkit_exists_runs_every_cuda_12():
    assert _only(driver(machine(RTX_3090, driver="565.57.01", cuda="12.7"), CU128)).verdict == "fits"
    assert _only(driver(machine(RTX_3090, cuda="12.7"), CU128)).verdict == "fits"


@pytest.mark.parametrize(("brand", "verdict"), [("tesla", "fits"), ("geforce", "refused"), (None, "unknown")])
def test_cuda_compat_carries_a_newer_major_where_it_may_be_used(brand, verdict):
    host = machine(A100, driver="535.104.05", cuda="12.2", libcuda="13.1", brand=brand)
    reason = _only(driver(host, CU132))
    assert reason.verdict == verdict
    assert ("libcuda, CUDA 13.1" in reason.because) == (verdict != "refused")


def test_cuda_compat_of_an_older_major_carries_nothing():
    host = machine(A100, driver="535.104.05", cuda="12.2", libcuda="12.9", brand="tesla")
    assert _only(driver(host, CU130)).verdict == "refused"


def test_before_11_cuda_compat_has_to_be_of_the_builds_own_minor():
    host = machine(V100, driver="390.46", cuda="9.1", libcuda="10.1", brand="tesla")
    assert _only(driver(host, CU102)).verdict == "refused"


def test_the_driver_is_no_question_for_the_cpu_nor_without_a_gpu():
    assert driver(machine(RTX_3090, driver="440.33"), CPU) == ()
    assert driver(machine(), CU128) == ()


def test_a_cuda_that_the_tables_do_not_know_is_unknown():
    build = replace(CU128, cuda=Version("14.0"))
    assert _only(driver(machine(RTX_3090, driver="580.65.06"), build)).verdict == "unknown"
