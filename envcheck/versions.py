"""Versions that compare as versions and are written as they were read."""

from __future__ import annotations

from packaging.version import Version


class Spelled(Version):
    """A version that keeps its spelling: driver 450.80.02, which a `Version` would print as 450.80.2."""

    def __init__(self, text: str) -> None:
        """Raise `packaging.version.InvalidVersion` for what is no version."""
        super().__init__(text)
        self._spelling = text.strip()

    def __str__(self) -> str:
        return self._spelling
