"""What MODEL.NAME can be: one list is read without torch, the other builds."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

from pose.command import config_checks
from pose.networks import models


def test_every_network_that_is_built_is_checked_and_the_other_way_round():
    assert list(models.MODELS) == list(config_checks.MODELS)


@pytest.mark.parametrize("name", models.MODELS)
def test_a_network_is_a_module_with_the_functions_of_its_contract(name):
    wanted = [one for one in vars(models.Network) if not one.startswith("_")]
    assert wanted == ["build", "initialise", "wanted_of"]
    assert all(callable(getattr(models.MODELS[name], one)) for one in wanted)
