"""A running mean with its last value: none of either where nothing was counted, which shows as a dash."""

from __future__ import annotations

from dataclasses import dataclass

from pose.report import figure


@dataclass
class Average:
    """Values weighted by what each is a mean over: people of a batch, joints that were judged."""

    last: float | None = None
    total: float = 0.0
    count: float = 0

    def add(self, value: float, count: float = 1) -> None:
        """One more value; one over nothing leaves the mean as it is."""
        self.last = value if count else None
        self.total += value * count
        self.count += count

    @property
    def mean(self) -> float | None:
        """Of everything so far."""
        return self.total / self.count if self.count else None

    def shown(self, decimals: int) -> str:
        """The last value and the mean, as in the public implementation's log lines: `0.0012 (0.0034)`."""
        return f"{figure(self.last, decimals)} ({figure(self.mean, decimals)})"
