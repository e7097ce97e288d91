"""Where in an epoch a training is: which batches are learnt, and what the epoch's row is made of so far.

Exact: whoever goes on from it has every bit that whoever was not interrupted has. Knows no files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pose.average import Average
from pose.machines.randomness import States
from pose.machines.team import Team


@dataclass(frozen=True)
class Order:
    """What decides on which samples make which batch."""

    seed: int
    people: int
    batch: int  # people in one step, in all processes
    shuffled: bool
    data: str = ""  # the training set's fingerprint; "" where it is not known
    settings: dict[str, Any] = field(default_factory=dict)  # by config key, how samples are made of it

    @property
    def batches(self) -> int:
        """How many make an epoch."""
        return -(-self.people // self.batch)

    def differences(self, other: Order) -> str:
        """What is another, as `seed 1 instead of 0, batch 8 instead of 4`; "" where all is the same."""
        return ", ".join(self._differences(other))

    def _differences(self, other: Order) -> Iterator[str]:
        for name in ("seed", "people", "batch", "shuffled"):
            one, two = getattr(self, name), getattr(other, name)
            if one != two:
                yield f"{name} {one} instead of {two}"
        if self.data and other.data and self.data != other.data:
            yield "another data set"
        for name in self.settings.keys() & other.settings.keys():
            if self.settings[name] != other.settings[name]:
                yield f"{name} {self.settings[name]} instead of {other.settings[name]}"


@dataclass(frozen=True)
class Position:
    """So many batches of an order are learnt; lists have an entry for each process of the team."""

    order: Order
    batches: int = 0
    loss_sums: tuple[float, ...] = ()  # float32 on the device, of which float keeps every bit
    accuracy: Average = field(default_factory=Average)
    seconds: float = 0.0
    random: tuple[States, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the epoch is learnt, and only its test is left."""
        return self.batches >= self.order.batches

    @property
    def people(self) -> int:
        """How many are learnt."""
        return min(self.batches * self.order.batch, self.order.people)

    def loss_sum(self, team: Team) -> float:
        """This process's; the one that leads has them all where they were another number."""
        if len(self.loss_sums) == team.size:
            return self.loss_sums[team.rank]
        return sum(self.loss_sums, 0.0) if team.leads else 0.0

    def accuracy_so_far(self) -> Average:
        """One's own, to be counted on."""
        return replace(self.accuracy)

    def document(self) -> dict[str, Any]:
        """Plain data, and byte tensors for the random states."""
        return {
            "order": asdict(self.order),
            "batches": self.batches,
            "loss_sums": list(self.loss_sums),
            "accuracy": {"total": self.accuracy.total, "count": self.accuracy.count},
            "seconds": self.seconds,
            "random": list(self.random),
        }


def position_in(document: Mapping[str, Any]) -> Position:
    """The position that `document` was made of.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: where it is none.
    """
    accuracy = document["accuracy"]
    return Position(
        order_in(document["order"]),
        natural(document["batches"], least=1),
        tuple(finite(value) for value in document["loss_sums"]),
        Average(None, finite(accuracy["total"]), finite(accuracy["count"])),
        finite(document["seconds"], least=0.0),
        tuple(document["random"]),
    )


def order_in(document: Mapping[str, Any]) -> Order:
    """The order that `asdict` made `document` of; the same errors."""
    return Order(
        natural(document["seed"]),
        natural(document["people"], least=1),
        natural(document["batch"], least=1),
        bool(document["shuffled"]),
        str(document.get("data", "")),
        dict(document.get("settings", {})),
    )


def natural(value: object, *, least: int = 0) -> int:
    """The whole number that it is, from `least` on; else a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{str(value)[:80]} is no number from {least} on")
    return value


def finite(value: object, *, least: float = -math.inf) -> float:
    """The number that it is; else a ValueError."""
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < least:
        raise ValueError(f"{str(value)[:80]} is no number that can be counted on")
    return float(value)
