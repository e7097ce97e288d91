"""The engines that `.ci/engine` makes and names: one that is named must answer, else the test fails."""

from __future__ import annotations

import pytest

from tests import engines
from tests.engines import address_of


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine_address(request) -> str:
    """Each engine in turn: what is promised on one is promised on both."""
    return address_of(request.param)


@pytest.fixture(scope="session")
def base_image() -> str:
    """The image that stands in for a recipe's base where no registry can be reached."""
    return engines.base_image()
