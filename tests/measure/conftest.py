"""Fixtures of the tests that measure wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.measure.wheels import write_wheel


@pytest.fixture
def torch_wheel(tmp_path) -> Callable[..., Path]:
    """`torch_wheel(name=..., metadata=..., version=..., library=...)` writes one."""

    def write(
        name: str = "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl", **members: str | bytes
    ) -> Path:
        return write_wheel(tmp_path / name, **members)

    return write
