"""What NVIDIA's own diagnostic said of the GPUs under load: frozen values, gathered by `trials`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DcgmStatus = Literal["pass", "warn", "fail", "skip"]

# The category of tests that look at files and versions, and load nothing.
DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class DcgmTest:
    """One of DCGM's tests on one GPU, or on the machine."""

    name: str  # "Targeted Stress"
    category: str  # "Stress"
    outcome: DcgmStatus
    entity: str = ""  # "GPU 0"; "" for the machine
    messages: tuple[str, ...] = ()
    is_setting: bool = False  # it complains of a setting, not of the hardware

    @property
    def words(self) -> str:
        """How it came out, in a line."""
        where = f" on {self.entity}" if self.entity else ""
        said = f": {' '.join(self.messages)}" if self.messages else ""
        return f"{self.name}{where}: {self.outcome}{said}"

    @property
    def loads(self) -> bool:
        """Whether it has put a GPU under load."""
        return self.category.lower() != DEPLOYMENT and self.outcome != "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """A run of `dcgmi diag`, or why there is none."""

    is_installed: bool = True
    tests: tuple[DcgmTest, ...] = ()
    failure: str = ""  # what kept it from its end
    seconds: float = 0.0
