"""A run held against its repetition: equal to the bit, within a tolerance, different, or not comparable.

`bitwise` is said only where everything that decides on bits is known to be the same: two processors that
happen to agree once have proved nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from envcheck.errors import FAILED, OK, UNANSWERED
from envcheck.runs.diff import Deviation, compare, products
from envcheck.runs.record import Record

SCHEMA = "envcheck.replay/1"

Word = Literal["bitwise", "within tolerance", "differs", "not comparable"]

# With another one of these a repetition is another experiment, whatever comes out.
_MUST_AGREE = ("seed", "stage", "dataset.fingerprint", "environment.pose", "computing.world_size")
_MUST_AGREE_BELOW = ("config.", "inputs[")
# With another one of these, sums are taken in another order, by other kernels.
_DECIDES_BITS = (
    "computing.",
    "proof.torch",
    "proof.numpy",
    "proof.opencv",
    "proof.cudnn",
    "environment.lock_hash",
)
# These change no number, or are of the computing only to be looked up: see `influence`.
_HARMLESS = 10

# AP and PCKh of a test are public numbers; half a thousandth is what other kernels make of them, and 0.002 is
# what `test --expect` allows. A training multiplies every difference by its steps.
_OF_A_TEST = 0.002
_OF_A_TRAINING = 0.02
_OF_A_LOSS = 0.05  # of the loss itself


@dataclass(frozen=True, slots=True)
class Held:
    """One number of the run, and the same of its repetition."""

    name: str
    before: float
    now: float
    tolerance: float

    @property
    def is_within(self) -> bool:
        """Whether both are the same as far as the tolerance goes; a number that is none is not."""
        return abs(self.before - self.now) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The document `envcheck.replay/1`."""

    schema: str = SCHEMA
    run: str
    replay: str
    verdict: Word
    because: tuple[str, ...]  # what is missing or other, where it is not "bitwise"
    metrics: tuple[Held, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of `envcheck replay`."""
        return {"differs": FAILED, "not comparable": UNANSWERED}.get(self.verdict, OK)


def judge(first: Record, second: Record, lacking: tuple[str, ...] = ()) -> Verdict:
    """Return what a repetition proves; `lacking` is what could not be restored for it."""
    found = compare(first, second)
    metrics = tuple(_held(first, second))
    word, because = _judged(first, second, found.differences, metrics, lacking)
    return Verdict(run=first.id, replay=second.id, verdict=word, because=because, metrics=metrics)


def _judged(
    first: Record,
    second: Record,
    differences: tuple[Deviation, ...],
    metrics: tuple[Held, ...],
    lacking: tuple[str, ...],
) -> tuple[Word, tuple[str, ...]]:
    others = tuple(_words(one) for one in differences if _is_another_experiment(one))
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
    bits = tuple(_words(one) for one in differences if _decides_bits(one))
    if made == made_again and first.metrics == second.metrics and not bits:
        return "bitwise", ()
    outside = tuple(
        f"{one.name}: {one.before:.6g}, then {one.now:.6g}" for one in metrics if not one.is_within
    )
    if outside:
        return "differs", (*outside, *bits)
    changed = tuple(f"{name} has other bytes" for name in made if made_again.get(name) != made[name])
    if not metrics and changed:
        return "differs", (*changed, *bits)
    return "within tolerance", bits or changed


def _is_another_experiment(one: Deviation) -> bool:
    if one.likelihood < _HARMLESS:
        return False
    return one.fact in _MUST_AGREE or one.fact.startswith(_MUST_AGREE_BELOW)


def _decides_bits(one: Deviation) -> bool:
    return one.likelihood >= _HARMLESS and one.fact.startswith(_DECIDES_BITS)


def _words(one: Deviation) -> str:
    return f"{one.fact}: {one.first:.60}, then {one.second:.60}"


def _held(first: Record, second: Record) -> Iterator[Held]:
    tolerance = _OF_A_TRAINING if first.epochs else _OF_A_TEST
    for name, value in first.metrics.items():
        now = second.metrics.get(name)
        if isinstance(value, float | int) and isinstance(now, float | int):
            percent = (
                100.0 if name.startswith(("Mean", "Head", "Shoulder")) else 1.0
            )  # PCKh counts in percent
            yield Held(name, value, now, tolerance * percent)
    again = {row.get("epoch"): row.get("loss") for row in second.epochs}
    for row in first.epochs:
        loss, now = row.get("loss"), again.get(row.get("epoch"))
        if isinstance(loss, float) and isinstance(now, float):
            yield Held(f"loss of epoch {row.get('epoch')}", loss, now, _OF_A_LOSS * abs(loss))
