"""A listener to builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest


class Listener:
    """Hears the steps of a build."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        self.steps.append(title)
        yield lambda _news: None


@pytest.fixture
def listener() -> Listener:
    return Listener()
