"""A run held against its repetition: equal to the bit, within a tolerance, different, or not comparable.

`bitwise` is said only where everything that decides on bits is known to be the same, and something was
compared: two processors that happen to agree once have proved nothing. What decides is `influence`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from envcheck.errors import FAILED, OK, UNANSWERED
from envcheck.repeat.diff import Deviation, compare, products, same_numbers
from envcheck.runs.record import Record

SCHEMA = "envcheck.replay/1"

Word = Literal["bitwise", "within tolerance", "differs", "not comparable"]

# AP and PCKh of a test are public numbers; half a thousandth is what other kernels make of them, and 0.002 is
# what `test --expect` allows. A training multiplies every difference by its steps.
_OF_A_TEST = 0.002
_OF_A_TRAINING = 0.02
_OF_A_LOSS = 0.05  # of the loss itself
_IN_PERCENT = "Mean"  # MPII's: where it stands, all beside it are percents


@dataclass(frozen=True, slots=True)
class Held:
    """One number of the run, and the same of its repetition."""

    name: str
    before: float | None  # null: it was no number
    now: float | None
    tolerance: float

    @property
    def is_within(self) -> bool:
        """Whether both are the same as far as the tolerance goes; none is the same as none alone."""
        if self.before is None or self.now is None:
            return self.before is self.now
        return abs(self.before - self.now) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayVerdict:
    """The document `envcheck.replay/1`."""

    schema: str = SCHEMA
    run: str
    replay: str
    verdict: Word
    because: tuple[str, ...]  # what is missing or other, where it is not "bitwise"
    metrics: tuple[Held, ...]
    compared: tuple[str, ...] = ()  # the files whose bytes were held against each other

    @property
    def exit_code(self) -> int:
        """The exit code of `envcheck replay`."""
        return {"differs": FAILED, "not comparable": UNANSWERED}.get(self.verdict, OK)


def judge(first: Record, second: Record, lacking: tuple[str, ...] = ()) -> ReplayVerdict:
    """Return what a repetition proves; `lacking` is what could not be restored for it."""
    found = compare(first, second)
    metrics = tuple(_held(first, second))
    word, because = _judged(first, second, found.differences, metrics, lacking)
    return ReplayVerdict(
        run=first.id,
        replay=second.id,
        verdict=word,
        because=because,
        metrics=metrics,
        compared=tuple(name for name in products(first) if name in products(second)),
    )


def _judged(
    first: Record,
    second: Record,
    differences: tuple[Deviation, ...],
    metrics: tuple[Held, ...],
    lacking: tuple[str, ...],
) -> tuple[Word, tuple[str, ...]]:
    others = tuple(_words(one) for one in differences if one.needed == "experiment")
    unfinished = tuple(
        f"{record.id} ended with exit code {record.exit_code}"
        for record in (first, second)
        if record.exit_code != OK
    )
    if blocking := (*lacking, *unfinished, *others):
        return "not comparable", blocking
    made, made_again = products(first), products(second)
    if not made and not metrics:
        return "not comparable", ("the run left nothing that could be compared",)
    bits = (
        *_unrecorded(first, second),
        *(_words(one) for one in differences if one.needed == "bits"),
        *(() if made else ("the run left no file that could be compared",)),
    )
    gone = tuple(
        f"{name} is missing in the repetition"
        for name in (*made, *first.metrics)
        if name not in made_again and name not in second.metrics
    )
    outside = tuple(
        f"{one.name}: {_number(one.before)}, then {_number(one.now)}" for one in metrics if not one.is_within
    )
    if gone or outside:
        return "differs", (*gone, *outside, *bits)
    changed = tuple(f"{name} has other bytes" for name in made if made_again.get(name) != made[name])
    if not metrics and changed:
        return "differs", (*changed, *bits)
    numbers = (
        *(("metrics",) if not same_numbers(first.metrics, second.metrics) else ()),
        *(("epochs",) if not same_numbers(first.epochs, second.epochs) else ()),
    )
    others_made = tuple(f"{name} was not made before" for name in made_again if name not in made)
    because = (
        *bits,
        *changed,
        *others_made,
        *(f"{name}: not the same to the last digit" for name in numbers),
    )
    return ("within tolerance", because) if because else ("bitwise", ())


def _unrecorded(first: Record, second: Record) -> Iterator[str]:
    """Yield what would have to be known of both to call equal bytes more than luck."""
    for record in (first, second):
        if not record.computing:
            yield f"how {record.id} computed is not recorded"
        if not record.proof:
            yield f"what {record.id} ran in is not recorded"


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.6g}"


def _words(one: Deviation) -> str:
    return f"{one.fact}: {one.first:.60}, then {one.second:.60}"


def _held(first: Record, second: Record) -> Iterator[Held]:
    tolerance = _OF_A_TRAINING if first.epochs else _OF_A_TEST
    percent = 100.0 if _IN_PERCENT in first.metrics else 1.0
    for name, value in first.metrics.items():
        if name in second.metrics and _is_number(value) and _is_number(second.metrics[name]):
            yield Held(name, _finite(value), _finite(second.metrics[name]), tolerance * percent)
    again = {str(row.get("epoch")): row.get("loss") for row in second.epochs}
    for row in first.epochs:
        loss, epoch = row.get("loss"), str(row.get("epoch"))
        if epoch in again and _is_number(loss) and _is_number(again[epoch]):
            before = _finite(loss)
            yield Held(
                f"loss of epoch {epoch}", before, _finite(again[epoch]), _OF_A_LOSS * abs(before or 0.0)
            )


def _is_number(value: object) -> bool:
    """Tell whether it is a number, or stands for one that is none."""
    return value is None or (isinstance(value, float | int) and not isinstance(value, bool))


def _finite(value: Any) -> float | None:  # noqa: ANN401 - a stage's
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:  # a record that somebody wrote by hand
        return None
