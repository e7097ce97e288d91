"""What the proof in the picked environment has shown: frozen values, gathered by `trials`, judged by checks.

The numbers are pose's own, from proof.json: an operation's error, and the tolerance of its number format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA = "envcheck.proof/1"

Operation = Literal["matmul", "conv", "deconv", "to-device", "from-device", "peer"]


@dataclass(frozen=True, slots=True)
class OperationProof:
    """One operation on one device."""

    operation: Operation
    dtype: str
    device: str  # "cuda:0"; of a copy between two "cuda:0 to cuda:1"
    error: float | None  # a share of the reference's largest value; of a copy, of its values
    tolerance: float
    milliseconds: float | None = None
    failure: str | None = None  # why there is no error

    @property
    def is_right(self) -> bool:
        """Whether the result is one that the number format allows."""
        return self.error is not None and self.error <= self.tolerance

    @property
    def words(self) -> str:
        """How it came out, in a line."""
        if self.error is None:
            return self.failure or "no result"
        time = f", {self.milliseconds:.2f} ms" if self.milliseconds is not None else ""
        return f"error {self.error:.1e}, tolerance {self.tolerance:.1e}{time}"


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """A device that torch sees."""

    device: str  # "cpu", "cuda:0"
    name: str


@dataclass(frozen=True, slots=True)
class Inside:
    """What pose found in the environment: of proof.json, what is asked here."""

    torch: str
    torch_cuda: str | None = None
    devices: tuple[DeviceSeen, ...] = ()
    unkept: tuple[str, ...] = ()  # what was promised and is not so
    operations: tuple[OperationProof, ...] = ()

    @property
    def gpus(self) -> tuple[DeviceSeen, ...]:
        """The GPUs among the devices."""
        return tuple(device for device in self.devices if device.device != "cpu")


@dataclass(frozen=True, slots=True)
class Made:
    """The environment, where it could be had."""

    kind: str  # "docker", "venv", "current"
    name: str  # the image's, or the interpreter's path
    reused: bool
    seconds: float  # it took to build or to find
    why: str = ""  # it is of this kind; "": it was asked for


@dataclass(frozen=True, slots=True)
class Failure:
    """What kept the environment from being made, or from proving itself."""

    message: str
    hint: str = ""
    finding: str = ""  # the id under which it is known, where it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far it came: an environment, then what is inside; where it stopped, `failure` says why."""

    recipe: str | None  # None: nothing fits, so nothing was tried
    gpus: int = 0  # that were to be seen inside
    made: Made | None = None
    inside: Inside | None = None
    failure: Failure | None = None
