"""What a check says: one frozen value, whatever it looked at. Nothing here knows a check or a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from envcheck.symptoms import Fix

__all__ = ["SEVERITIES", "Finding", "Fix", "Status"]

Status = Literal["ok", "info", "warn", "error", "skip", "unknown"]

# From harmless to bad. What could not be checked is no trouble yet, but never as good as fine.
SEVERITIES: tuple[Status, ...] = ("skip", "ok", "info", "unknown", "warn", "error")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer about one machine."""

    id: str  # the check's own: "driver.open-module"
    status: Status
    title: str  # the answer in one line
    evidence: tuple[str, ...] = ()  # the facts it rests on, and where they were read
    cause: str = ""  # how it comes to be; for skip and unknown, why there is no answer
    fix: Fix | None = None
    link: str = ""
    seconds: float | None = None  # how long the check took
    follows_from: str | None = None  # the id of the finding that explains this one

    @property
    def severity(self) -> int:
        """The place of `status` in `SEVERITIES`: a larger number is worse."""
        return SEVERITIES.index(self.status)

    @property
    def is_trouble(self) -> bool:
        """Whether somebody should do something about it."""
        return self.status in {"warn", "error"}
