from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.compat.rules.ptx import ptx
from tests.compat.builds import CU128, WITH_PTX, build
from tests.compat.machines import GTX_1080_TI, K80, RTX_3090, machine

TOMORROW = ("card of tomorrow", "13.0")


def _only(reasons):
    (reason,) = reasons
    return reason


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"cuda": "12.8"}, "fits"),
        ({"cuda": "13.0"}, "fits"),
        ({"cuda": "12.7"}, "refused"),
        ({"driver": "570.26"}, "fits"),  # NVIDIA's table has 12.8 from here; its runfile carries 570.86.10
        ({"driver": "565.57.01"}, "refused"),
        ({"driver": "572.16", "wsl": True}, "fits"),
        ({"driver": "566.36", "wsl": True}, "refused"),
        ({"driver": "535.104.05", "cuda": "12.2", "libcuda": "12.9"}, "fits"),  # libcuda compiles
        ({"driver": "580.65.06", "cuda": "13.0", "libcuda": "12.2"}, "refused"),
    ],
)
def test_ptx_is_compiled_by_a_driver_of_its_own_cuda_or_newer(facts, verdict):
    reason = _only(ptx(machine(TOMORROW, **facts), WITH_PTX))
    assert reason.rule == "ptx"
    assert reason.verdict == verdict
    assert "compute_120" in reason.because


def test_minor_version_compatibility_does_not_cover_ptx():
    # 525.60.13 is the floor of every CUDA 12, and CUDA 12.0 cannot compile what 12.8 made.
    reason = _only(ptx(machine(TOMORROW, driver="525.60.13", cuda="12.0"), WITH_PTX))
    assert reason.verdict == "refused"
    assert reason.remedy == "Install NVIDIA driver 570.86.10 or newer."


def test_under_wsl_the_windows_driver_of_the_toolkit_is_advised():
    reason = _only(ptx(machine(TOMORROW, driver="566.36", wsl=True), WITH_PTX))
    assert "570.65 or newer in Windows" in reason.remedy


def test_a_cuda_without_a_toolkit_in_the_tables_is_asked_for_by_its_number():
    odd = build("9.9.9", "14.1", ptx=("12.0",))
    reason = _only(ptx(machine(TOMORROW, cuda="13.0"), odd))
    assert "CUDA 14.1 or newer" in reason.remedy


def test_no_driver_is_advised_that_does_not_drive_the_card():
    old = build("9.9.9", "12.8", ptx=("3.5",))
    reason = _only(ptx(machine(K80, driver="470.82.01"), old))
    assert "R470 is the last driver branch for Tesla K80" in reason.because
    assert reason.remedy == ""


def test_without_any_number_the_driver_says_which_fact_would_settle_it():
    for host in (machine(TOMORROW), machine(TOMORROW, open_module=True)):
        reason = _only(ptx(host, WITH_PTX))
        assert reason.verdict == "unknown"
        assert "`driver.cuda`" in reason.because


def test_ptx_is_no_question_where_machine_code_runs_or_none_is_there():
    old = {"driver": "525.60.13", "cuda": "12.0"}
    assert ptx(machine(RTX_3090, **old), WITH_PTX) == ()
    assert ptx(machine(TOMORROW, **old), CU128) == ()
    assert ptx(machine(GTX_1080_TI, **old), WITH_PTX) == ()  # PTX never goes downward
    assert ptx(machine(("card", None), **old), WITH_PTX) == ()
    own = build("9.9.9", "12.8", ptx=("8.0",), exact=("9.0",))
    assert ptx(machine(("H100", "9.0"), **old), own) == ()


def test_the_newest_ptx_that_serves_is_named():
    several = build("9.9.9", "12.8", ptx=("8.0", "9.0", "14.0"))
    assert "compute_90," in _only(ptx(machine(("card", "12.0"), cuda="12.8"), several)).because
    assert Version("14.0") in several.ptx
