"""Where in an epoch a training is: which batches are learnt, and what the epoch's row is made of so far.

Exact: whoever goes on from it has every bit that whoever was not interrupted has. Knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pose.average import Average
from pose.machines.randomness import States
from pose.machines.team import Team


@dataclass(frozen=True)
class Order:
    """What decides on which people make which batch."""

    seed: int
    people: int
    batch: int  # people in one step, in all processes
    shuffled: bool

    @property
    def batches(self) -> int:
        """How many make an epoch."""
        return -(-self.people // self.batch)

    def differences(self, other: Order) -> str:
        """What is another, as `seed 1 instead of 0, batch 8 instead of 4`; "" where all is the same."""
        pairs = ((item.name, getattr(self, item.name), getattr(other, item.name)) for item in fields(self))
        return ", ".join(f"{name} {one} instead of {two}" for name, one, two in pairs if one != two)


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
        KeyError, TypeError, ValueError: where it is none.
    """
    order, accuracy = document["order"], document["accuracy"]
    position = Position(
        Order(int(order["seed"]), int(order["people"]), int(order["batch"]), bool(order["shuffled"])),
        int(document["batches"]),
        tuple(float(value) for value in document["loss_sums"]),
        Average(None, float(accuracy["total"]), float(accuracy["count"])),
        float(document["seconds"]),
        tuple(document["random"]),
    )
    if position.order.batch < 1 or position.order.people < 1 or position.batches < 1:
        raise ValueError("an epoch of no batches")
    return position
