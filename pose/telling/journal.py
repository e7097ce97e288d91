"""What is kept of a run while it goes, besides its results; of a team, by the process that leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pose.telling.debug_pictures import DebugPictures
from pose.telling.scalars import Scalars


def _nowhere(_line: str) -> None:
    """Keeps nothing."""


@dataclass(frozen=True)
class Journal:
    """Where it goes; as it is, nowhere."""

    line: Callable[[str], None] = _nowhere  # the log file's
    scalars: Scalars = field(default_factory=Scalars)
    pictures: DebugPictures | None = None
