"""What holds of every rule, over the machines of tests/hosts and the builds of the facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.compat.rules import RULES, judge
from envcheck.compat.verdict import join
from envcheck.documents import read_json
from envcheck.host.facts import Host
from tests.compat import builds
from tests.compat.builds import ARM_CPU, ARM_CU130, CU117, CU126, CU128, CU130, CU132
from tests.compat.machines import GB10, GTX_1080_TI, RTX_5090, V100, machine

BUILDS = tuple(one for one in vars(builds).values() if isinstance(one, builds.Build))


@pytest.fixture(scope="module")
def hosts(root):
    return {path.stem: read_json(path, Host) for path in sorted((root / "tests/hosts").glob("*.json"))}


def test_each_rule_has_a_name_of_its_own_and_gives_it_to_its_reasons(hosts):
    names = {rule.__name__ for rule in RULES}
    assert len(names) == len(RULES)
    for host in hosts.values():
        for build in BUILDS:
            for rule in RULES:
                assert {reason.rule for reason in rule(host, build)} <= {rule.__name__}


def test_every_reason_is_a_sentence_with_its_source(hosts):
    for name, host in hosts.items():
        for build in BUILDS:
            for reason in judge(host, build):
                assert reason.source, (name, reason)
                assert reason.because.endswith("."), (name, reason)
                assert reason.remedy == "" or reason.remedy.endswith("."), (name, reason)


def test_every_unknown_names_a_fact_or_a_row_that_would_settle_it(hosts):
    for name, host in hosts.items():
        for build in BUILDS:
            for reason in judge(host, build):
                if reason.verdict == "unknown":
                    settled = "`" in reason.because or any(
                        why in reason.because for why in host.unknown.values()
                    )
                    assert settled or "compat/tables" in reason.remedy, (name, reason)


@pytest.mark.parametrize("card", [GTX_1080_TI, V100])
def test_a_driver_of_580_does_not_make_pascal_or_volta_a_cuda_13_machine(card):
    # The driver-only table's answer is cu132; 2.14.1 cu126 is the newest that holds code for them.
    host = machine(card, driver="580.65.06", cuda="13.0")
    for build in (CU130, CU132):
        assert {reason.rule for reason in judge(host, build) if reason.verdict == "refused"} == {"code"}
    assert join(judge(host, CU126)) == "fits"


def test_volta_and_blackwell_meet_in_2_10_cu128_only():
    host = machine(V100, RTX_5090, driver="580.65.06", cuda="13.0")
    assert [join(judge(host, build)) for build in (CU117, CU126, CU128, CU130)] == [
        "refused",
        "refused",
        "fits",
        "refused",
    ]


def test_a_gb10_takes_the_aarch64_wheels_that_hold_cuda():
    host = machine(GB10, cpu="aarch64", driver="580.95.05", cuda="13.0", open_module=True)
    assert join(judge(host, ARM_CU130)) == "fits"
    assert {reason.rule for reason in judge(host, ARM_CPU) if reason.verdict == "refused"} == {"cpu"}
    assert "platform" in {reason.rule for reason in judge(host, CU130) if reason.verdict == "refused"}


def test_minor_version_compatibility_lets_an_older_driver_of_the_major_run_newer_machine_code():
    host = machine(GB10, cpu="aarch64", driver="580.95.05", cuda="13.0")
    assert join(judge(host, replace(ARM_CU130, cuda=CU132.cuda))) == "fits"
