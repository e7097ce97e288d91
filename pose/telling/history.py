"""What training tells about its epochs: a line each on the screen, a row each in history.csv, the time left.

Knows no network: rows come from `train.py`, the file is read back when a run is resumed. Rows after the
checkpoint's epoch are dropped then, because those epochs are trained again.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from pose.errors import PoseError
from pose.report import figure
from pose.writing import replacing

COLUMNS = ("epoch", "loss", "accuracy", "lr", "samples_per_second", "seconds")
# The number that the best epoch is chosen by, COCO's (0 to 1) or MPII's (0 to 100), and its decimals.
SCORES = {"AP": 3, "Mean": 2}
MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class Row:
    """One finished epoch; `metrics` is empty where it was not tested."""

    epoch: int  # counted from 1
    loss: float
    accuracy: float | None  # None where no joint could be judged: a dash, and an empty cell
    lr: float
    samples_per_second: float
    seconds: float  # learning and testing
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Any]:
        """What came out of it, without the time that it took."""
        return {
            "epoch": self.epoch,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "lr": self.lr,
            "metrics": self.metrics,
        }

    @property
    def score(self) -> float | None:
        """AP, or MPII's mean; None where the epoch was not tested."""
        return score_of(self.metrics)


def score_of(metrics: Mapping[str, float]) -> float | None:
    """The number that epochs are compared by, if it is among them."""
    return next((metrics[name] for name in SCORES if name in metrics), None)


@dataclass
class Pace:
    """Seconds that this process's epochs took so far; a resumed run may be on another machine."""

    learning: list[float] = field(default_factory=list)
    testing: list[float] = field(default_factory=list)

    def left(self, epochs: int, tests: int) -> str:
        """How long that many epochs and tests will take, by the medians of the last five.

        `>` stands before a time in which the tests are missing, because none was measured yet.
        """
        unknown = ">" if tests and not self.testing else ""
        seconds = sum(
            count * median(took[-5:])
            for count, took in ((epochs, self.learning), (tests, self.testing))
            if took
        )
        return f"{unknown}{clock(seconds)}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def header(score: str) -> str:
    """The columns' names over the rows of `table_line`."""
    return f"    epoch      loss    acc  {score:>5}        lr  samples/s  time left"


def table_line(row: Row, end_epoch: int, left: str, *, is_best: bool) -> str:
    """The row under the header's columns."""
    score = next(
        (f"{row.metrics[name]:.{places}f}" for name, places in SCORES.items() if name in row.metrics), "-"
    )
    cells = (
        f"{f'{row.epoch}/{end_epoch}':>9}",
        f"{row.loss:8.5f}",
        f"{figure(row.accuracy, 3):>5}",
        f"{score:>5}",
        f"{row.lr:8.3g}",
        f"{row.samples_per_second:9.0f}",
        f"{left:>9}",
        "best so far" if is_best else "",
    )
    return "  ".join(cells).rstrip()


def write(path: Path, rows: Sequence[Row]) -> None:
    """The rows as CSV, whole or not at all; numbers as Python writes them, so that they come back exactly."""
    names = tuple(dict.fromkeys(name for row in rows for name in row.metrics))
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *names))
    for row in rows:
        own = (getattr(row, name) for name in COLUMNS)
        writer.writerow((*own, *(row.metrics.get(name, "") for name in names)))
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")


def read(path: Path, until: int) -> list[Row]:
    """The rows up to epoch `until`, or none without a file.

    Raises:
        PoseError: saying after how many rows something is no row of ours.
    """
    if not path.is_file():
        return []
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(islice(file, MOST_ROWS))
            head = _head(next(lines, []))
            for cells in lines:
                rows.append(_row(head, cells))  # noqa: PERF401 - the error below counts them
    except (OSError, ValueError, csv.Error) as error:
        raise PoseError(
            f"{path} cannot be gone on with, after {len(rows)} rows: {error}",
            "move it elsewhere, and the run starts a new one",
        ) from None
    return [row for row in rows if row.epoch <= until]


def with_metrics(row: Row, metrics: dict[str, float], testing: float) -> Row:
    """The row of an epoch that was tested as well, which took `testing` seconds."""
    return replace(row, metrics=metrics, seconds=row.seconds + testing)


def _head(names: list[str]) -> list[str]:
    if tuple(names[: len(COLUMNS)]) != COLUMNS:
        raise ValueError(f"the first line must begin with {','.join(COLUMNS)}")
    return names


def _row(head: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(head):
        raise ValueError(f"{len(cells)} values under {len(head)} names")
    own = len(COLUMNS)
    accuracy = float(cells[2]) if cells[2] else None
    loss, rate, speed, seconds = (float(cell) for cell in (cells[1], *cells[3:own]))
    metrics = {name: float(cell) for name, cell in zip(head[own:], cells[own:], strict=True) if cell}
    return Row(int(cells[0]), loss, accuracy, rate, speed, seconds, metrics)
