"""Versions: compared as versions and written as they were read; and the one that pins a build of torch."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version


class Spelled(Version):
    """A version that keeps its spelling: driver 450.80.02, which a `Version` would print as 450.80.2."""

    def __init__(self, text: str) -> None:
        """Raise `packaging.version.InvalidVersion` for what is no version."""
        super().__init__(text)
        self._spelling = text.strip()

    def __str__(self) -> str:
        return self._spelling


def pinned_torch(text: str) -> Version | None:
    """Return the version in "torch==2.0.1+cu118", None for a text that says less, more or something else."""
    name, _, version = text.replace(" ", "").partition("==")
    try:
        return Version(version) if name == "torch" else None
    except InvalidVersion:
        return None
