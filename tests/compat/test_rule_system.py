from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.system import glibc, host_pythons, platform, python
from envcheck.host.facts import Engine, Python
from tests.compat.machines import H100, machine

CU117 = tables.build_of(Version("1.13.1"), "cu117")
CU128 = tables.build_of(Version("2.10.0"), "cu128")
CPU = replace(tables.build_of(Version("2.13.0"), "cpu"), machines=("x86_64",))


def _only(reasons):
    (reason,) = reasons
    return reason


@pytest.mark.parametrize("rule", [platform, glibc, python])
def test_what_the_tags_say_is_sourced_from_the_names_of_the_wheels(rule):
    read = (
        "Python and platform tags in the names of torch 2.10.0's wheels on the public index; read 2026-11-23"
    )
    hosts = [machine(), machine(cpu="riscv64", glibc="2.5", pythons=("3.5",)), machine(cpu=None, glibc=None)]
    assert {_only(rule(host, CU128)).source for host in hosts} == {read}
    derived = _only(rule(machine(), replace(CU128, default=False))).source
    assert derived.startswith("derived from the release matrix and the Python and platform tags")


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, "fits"),
        ({"cpu": "aarch64"}, "refused"),
        ({"system": "Windows", "cpu": "AMD64"}, "refused"),
        ({"system": "Darwin", "cpu": "arm64"}, "refused"),
        ({"cpu": None}, "unknown"),
        ({"system": None}, "unknown"),
        ({"system": None, "cpu": "aarch64"}, "refused"),  # one known fact is enough to refuse
    ],
)
def test_wheels_serve_the_system_and_processor_that_they_are_made_for(facts, verdict):
    assert _only(platform(machine(**facts), CU128)).verdict == verdict


def test_windows_is_sent_to_wsl():
    assert "WSL 2" in _only(platform(machine(system="Windows"), CU128)).remedy


def test_an_absent_fact_is_named():
    assert "`os.machine`" in _only(platform(machine(cpu=None), CU128)).because


@pytest.mark.parametrize(
    ("build", "version", "verdict"),
    [
        (CU128, "2.28", "fits"),
        (CU128, "2.27", "refused"),  # Ubuntu 18.04
        (CU117, "2.27", "fits"),
        (CU128, "2.9", "refused"),  # nine is less than twenty-eight
        (CU128, None, "unknown"),
    ],
)
def test_glibc_has_to_be_as_new_as_the_wheels_tag(build, version, verdict):
    reason = _only(glibc(machine(glibc=version), build))
    assert reason.verdict == verdict
    assert ("`os.glibc`" in reason.because) == (verdict == "unknown")


def test_why_glibc_is_unknown_is_said():
    reason = _only(glibc(machine(glibc=None, unknown={"os.glibc": "this is musl"}), CU128))
    assert "this is musl" in reason.because


def test_musl_is_left_to_the_container_unless_no_engine_could_start_one():
    musl = machine(glibc=None, unknown={"os.glibc": "this is musl"})
    assert _only(glibc(replace(musl, engines=(Engine("docker"),)), CU128)).verdict == "unknown"
    assert _only(glibc(replace(musl, engines=None), CU128)).verdict == "unknown"
    reason = _only(glibc(replace(musl, engines=()), CU128))
    assert reason.verdict == "refused"
    assert "podman" in reason.remedy


@pytest.mark.parametrize(
    ("pythons", "verdict"),
    [(("3.11",), "fits"), (("3.9", "3.13"), "fits"), (("3.10",), "refused"), ((), "unknown")],
)
def test_a_python_of_the_host_has_to_be_one_that_is_locked(pythons, verdict):
    assert _only(python(machine(pythons=pythons), CPU)).verdict == verdict


def test_a_missing_python_is_named_with_how_to_get_it():
    reason = _only(python(machine(pythons=("3.10",)), CPU))
    assert "Python 3.10" in reason.because
    assert "3.11, 3.12, 3.13 or 3.14" in reason.because
    assert "apt install python3.11-venv" in reason.remedy


def test_a_python_without_venv_is_not_one_and_is_told_what_it_lacks():
    host = replace(machine(), python=Python(interpreters={"3.10": "x"}, incomplete={"3.12": "y"}))
    reason = _only(python(host, CPU))
    assert reason.verdict == "refused"
    assert "python3.12-venv" in reason.remedy


def test_the_running_interpreter_counts_where_no_list_was_made():
    host = replace(machine(), python=Python(version=Version("3.12.3")))
    assert host_pythons(host) == ("3.12",)
    assert _only(python(host, CPU)).verdict == "fits"


def test_pythons_are_in_the_order_of_numbers():
    assert host_pythons(machine(pythons=("3.10", "3.9"))) == ("3.9", "3.10")


@pytest.mark.parametrize(
    ("engines", "gpus", "build", "verdict"),
    [
        ((), True, CU128, "refused"),
        ((Engine("docker", gpu_request="nvidia"),), True, CU128, "fits"),
        ((Engine("podman", gpu_request="cdi"),), True, CU128, "fits"),
        ((Engine("docker", gpu_request="none"),), True, CU128, "refused"),
        ((Engine("docker"),), True, CU128, "refused"),  # what is not known is not counted on
        ((Engine("docker", gpu_request="none"), Engine("podman", gpu_request="cdi")), True, CU128, "fits"),
        ((Engine("docker", gpu_request="none"),), True, CPU, "fits"),  # nothing has to be handed over
        ((Engine("docker", gpu_request="none"),), False, CU128, "fits"),
    ],
)
def test_a_container_brings_a_python_and_a_c_library_where_an_engine_can_run_it(
    engines, gpus, build, verdict
):
    cards = (H100,) if gpus else ()
    host = replace(machine(*cards, driver="580.65.06", glibc="2.17", pythons=("3.6",)), engines=engines)
    for rule in (python, glibc):
        assert _only(rule(host, build)).verdict == verdict
    said = _only(python(host, build)).because
    assert ("brings its own" in said) == (verdict == "fits")
