"""Each fault of the table once, at the same moment every time; `python -m tests.faults` draws others."""

from __future__ import annotations

import pytest

from tests.faults.table import FAULTS, built_model, made


@pytest.fixture(scope="session")
def model():
    with built_model() as world:
        yield world


def params():
    for fault in FAULTS:
        if fault.cost == "long":  # minutes: `make faults` alone
            continue
        marks = {"quick": (), "slow": (pytest.mark.slow,), "docker": (pytest.mark.docker,)}[fault.cost]
        yield pytest.param(fault, id=fault.id, marks=marks)


@pytest.mark.parametrize("fault", list(params()))
def test_envcheck_survives(fault, model):
    made(fault, model, fault.name)
