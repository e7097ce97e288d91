"""Each fault of the table once; `python -m tests.faults` makes them more often, and says what was seen."""

from __future__ import annotations

import secrets

import pytest

from tests.faults.table import FAULTS, built_model, made


@pytest.fixture(scope="session")
def model():
    with built_model() as world:
        yield world


def params():
    for fault in FAULTS:
        marks = {"quick": (), "slow": (pytest.mark.slow,), "docker": (pytest.mark.docker,)}[fault.cost]
        yield pytest.param(fault, id=fault.id, marks=marks)


@pytest.mark.parametrize("fault", list(params()))
def test_envcheck_survives(fault, model):
    seed = f"{fault.name} {secrets.token_hex(4)}"
    try:
        made(fault, model, seed)
    except AssertionError as error:
        pytest.fail(f"seed {seed!r}: {error}")
