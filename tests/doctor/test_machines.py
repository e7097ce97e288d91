"""Whole machines: everything that is not fine on each, and the one cause that the rest follows from."""

from __future__ import annotations

import pytest

from envcheck.doctor.diagnose import diagnose
from envcheck.host.facts import NOT_SAID

# Every trouble, note and open question of its own: the status, and what it follows from. Left out is what
# trouble keeps from being known, and what a snapshot is too old to say.
NOT_FINE = {
    "laptop-without-nvidia": {"engine.present": ("info", None)},
    "rtx3090-driver550": {},
    "rtx5090-proprietary-module": {
        "driver.open-module": ("error", None),
        "card.listed": ("error", "driver.open-module"),
    },
    "gtx1080ti-rtx5090-proprietary": {
        "driver.open-module": ("error", None),
        "card.listed": ("warn", "driver.open-module"),
        "engine.present": ("info", None),
    },
    "h100-mig": {"gpu.mig": ("info", None)},
    "h100-mig-without-instances": {"gpu.mig": ("error", None), "engine.present": ("info", None)},
    "mismatch-after-upgrade": {
        "driver.module-match": ("error", None),
        "driver.answers": ("error", "driver.module-match"),
        "card.listed": ("error", "driver.module-match"),
    },
    "rtx3090-nouveau": {
        "card.nouveau": ("error", None),
        "driver.present": ("error", "card.nouveau"),
        "card.listed": ("error", "card.nouveau"),
        "python.venv": ("error", None),
        "engine.present": ("info", None),
    },
    "rtx3090-nouveau-before-nvidia": {
        "card.nouveau": ("error", None),
        "driver.loaded": ("error", "card.nouveau"),
        "driver.answers": ("error", "card.nouveau"),
        "card.listed": ("error", "card.nouveau"),
        "engine.present": ("info", None),
    },
    "kernel-upgrade-without-module": {
        "driver.loaded": ("error", None),
        "driver.answers": ("error", "driver.loaded"),
        "card.bound": ("error", "driver.loaded"),
        "card.listed": ("error", "driver.loaded"),
        "engine.present": ("info", None),
    },
    "gb10-spark": {"gpu.answers": ("info", None)},
    "wsl2-rtx5090": {"system.wsl": ("info", None)},
    "jetson-orin": {
        "system.jetson": ("warn", None),
        "driver.answers": ("error", "system.jetson"),
        "engine.present": ("info", None),
    },
    "a100x8-slow": {"driver.quick": ("warn", None)},
    "a100-hang": {
        "driver.hang": ("error", None),
        "driver.answers": ("error", "driver.hang"),
        "card.listed": ("error", "driver.hang"),
        "engine.present": ("info", None),
    },
    "a100-lost": {
        "gpu.lost": ("error", None),
        "engine.present": ("info", None),
    },
    "container-without-gpus": {
        "driver.library": ("error", None),
        "driver.answers": ("error", "driver.library"),
        "card.listed": ("error", "driver.library"),
        "system.disk": ("warn", None),
        "system.shm": ("warn", None),
        "engine.present": ("info", None),
    },
    "rtx3090-vfio": {
        "card.vfio": ("warn", None),
        "engine.present": ("info", None),
    },
}


@pytest.mark.parametrize("name", NOT_FINE)
def test_what_is_wrong_with_each_machine(machine, name):
    findings = diagnose(machine(name)).findings
    assert {
        finding.id: (finding.status, finding.follows_from)
        for finding in findings
        if finding.status not in ("ok", "skip") and finding.cause != NOT_SAID
        if finding.status != "unknown" or finding.follows_from is None
    } == NOT_FINE[name]


@pytest.mark.parametrize("name", [name for name, findings in NOT_FINE.items() if any(
    status == "error" for status, _ in findings.values()
)])  # fmt: skip
def test_every_error_that_stands_alone_says_how_it_comes_and_what_to_do(machine, name):
    for finding in diagnose(machine(name)).findings:
        if finding.is_trouble and finding.follows_from is None:
            assert finding.evidence, finding.id
            assert finding.cause.endswith("."), finding.id
            assert finding.fix is not None, finding.id
            assert finding.fix.text.endswith("."), finding.id


def test_a_snapshot_with_the_four_least_facts_leaves_questions_open_and_nothing_wrong(machine):
    diagnosis = diagnose(machine("gtx1080ti-rtx5090"))
    assert diagnosis.status == "unknown"
    assert diagnosis.primary is None
    assert not diagnosis.reaches("warn")
