"""An optimiser's state out of a file, held against the optimiser that is to go on with it.

torch takes what it is given: a missing average is a KeyError in the first step, and one that is too short is
read past its end by the fused kernels. Knows no files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# How an optimiser computes is this machine's and this torch's affair, not the file's.
MACHINE_FLAGS = ("fused", "foreach", "capturable", "differentiable", "decoupled_weight_decay")


@dataclass(frozen=True)
class OptimiserKind:
    """What one optimiser keeps, in every torch."""

    name: str  # TRAIN.OPTIMIZER's
    values: tuple[str, ...]  # of each group
    averages: tuple[str, ...]  # of each weight, of its shape
    counts_steps: bool = False


ADAM = OptimiserKind(
    "adam", ("lr", "betas", "eps", "weight_decay"), ("exp_avg", "exp_avg_sq"), counts_steps=True
)
SGD = OptimiserKind("sgd", ("lr", "momentum", "dampening", "weight_decay", "nesterov"), ("momentum_buffer",))
KINDS: Mapping[type[torch.optim.Optimizer], OptimiserKind] = {torch.optim.Adam: ADAM, torch.optim.SGD: SGD}


def load_strictly(optimizer: torch.optim.Optimizer, state: object) -> None:
    """Every value and average from `state`, each of the kind and shape that the optimiser's own have.

    Raises:
        ValueError: a sentence that says what does not fit; the optimiser is then as it was.
    """
    kind = KINDS[type(optimizer)]
    own = optimizer.param_groups
    if not isinstance(state, Mapping) or not isinstance(state.get("state"), Mapping):
        raise ValueError("it holds no optimiser")  # noqa: TRY004 - one kind of error for what does not fit
    groups = state.get("param_groups")
    if not isinstance(groups, Sequence) or len(groups) != len(own):
        raise ValueError("its optimiser has another number of groups")
    weights: dict[int, Tensor] = {}
    for group, mine in zip(groups, own, strict=True):
        _check_values(group, mine, kind)
        numbers = group.get("params")
        if not isinstance(numbers, Sequence) or any(type(number) is not int for number in numbers):
            raise ValueError("its optimiser does not number its weights")
        if len(numbers) != len(mine["params"]) or weights.keys() & set(numbers):
            raise ValueError("its optimiser is of another number of weights")
        weights.update(zip(numbers, mine["params"], strict=True))
    if len(weights) != sum(len(group["params"]) for group in own) or state["state"].keys() - weights.keys():
        raise ValueError("its optimiser is of another number of weights")
    found = {number: _checked(of, weights[number], kind) for number, of in state["state"].items()}
    flags = [{key: mine[key] for key in MACHINE_FLAGS if key in mine} for mine in own]
    groups = [{**group, **kept} for group, kept in zip(groups, flags, strict=True)]
    optimizer.load_state_dict({"state": found, "param_groups": groups})


def _check_values(group: object, mine: Mapping[str, Any], kind: OptimiserKind) -> None:
    if not isinstance(group, Mapping):
        raise ValueError("its optimiser's groups are none")  # noqa: TRY004 - as above
    missing = [name for name in kind.values if name not in group]
    if missing:
        for other in KINDS.values():
            if other is not kind and all(name in group for name in other.values):
                raise ValueError(f"it was written by another optimiser, {other.name} instead of {kind.name}")
        raise ValueError(f"its optimiser has no {missing[0]}")
    for name, value in group.items():
        if name in mine and name not in (*MACHINE_FLAGS, "params") and not _is_like(value, mine[name]):
            raise ValueError(f"its optimiser's {name} is {str(value)[:80]}")
    if group.get("amsgrad", False) != mine.get("amsgrad", False):
        raise ValueError("its optimiser keeps other averages")


def _is_like(value: object, own: object) -> bool:
    """Whether it is of the same kind, and a number that can be computed with."""
    if isinstance(own, bool):
        return isinstance(value, bool)
    if isinstance(own, tuple):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(own)
            and all(map(_is_like, value, own))
            and all(0 <= number < 1 for number in value)
        )
    return _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _checked(found: object, weight: Tensor, kind: OptimiserKind) -> dict[str, Any]:
    """What is kept of one weight, each average in memory of its own, laid out as the weight is."""
    if not isinstance(found, Mapping):
        raise ValueError("its optimiser keeps no averages")  # noqa: TRY004 - as above
    if not found:
        return {}  # of a weight that never had a gradient
    kept: dict[str, Any] = {"step": _step(found.get("step"))} if kind.counts_steps else {}
    for name in kind.averages:
        average = found.get(name)
        if average is None and kind is SGD:  # of a run without momentum
            kept[name] = None
            continue
        if not isinstance(average, Tensor) or average.shape != weight.shape or average.dtype != weight.dtype:
            raise ValueError(f"its optimiser's {name} does not fit a weight of {tuple(weight.shape)}")
        kept[name] = torch.empty_like(weight.detach()).copy_(average)
    return kept


def _step(value: object) -> Tensor:
    """A plain number before torch 1.12, a scalar since."""
    if isinstance(value, Tensor) and value.shape == ():
        value = value.item()
    if isinstance(value, (int, float)) and _is_number(value) and value >= 0:
        return torch.tensor(float(value))
    raise ValueError(f"its optimiser's step is {str(value)[:80]}")
