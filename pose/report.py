"""What a stage tells: notes on stderr, data on stdout, and the run folder's result.json.

The progress bar lives here too, so that only one module knows about terminals.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose.errors import PoseError
from pose.writing import write_json

RESULT_SCHEMA = "pose.result/1"
LONGEST_NOTE = 2000


def note(text: str) -> None:
    """One line for the person at the screen; names out of files cannot move the cursor or fill the screen."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:LONGEST_NOTE])
    print(shown, file=sys.stderr, flush=True)


def data(text: str) -> None:
    """One or more lines of the stage's own output."""
    print(text, flush=True)


def figure(value: float | None, decimals: int) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{decimals}f}"


@dataclass
class Result:
    """What is known about a run so far; stages fill it, `__main__` writes it whatever happens.

    Long ones `keep` it meanwhile: who is killed writes nothing at the end.
    """

    stage: str
    run_dir: Path | None = None  # where result.json goes; else it is written nowhere
    seed: int | None = None
    config: dict[str, Any] | None = None
    dataset: dict[str, str] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    loss: float | None = None  # of the people tested, like the metrics; None where they have no truth
    accuracy: float | None = None  # likewise, and where no joint could be judged
    outputs: list[str] = field(default_factory=list)
    published: dict[str, Any] | None = None  # what a test's metrics are held against
    unreadable: list[str] = field(default_factory=list)  # a sentence for each picture of the last test
    output_dir: str | None = None
    epochs_done: int = 0
    epochs: list[dict[str, Any]] = field(default_factory=list)  # what each finished one came to
    resumed_from: int | None = None  # epochs in the checkpoint that a training went on from
    damaged: list[str] = field(default_factory=list)  # a sentence for each checkpoint that it could not take
    computing: dict[str, Any] | None = None  # see `machines/computing.py`
    memory: dict[str, Any] | None = None  # likewise
    seconds: dict[str, list[float]] = field(default_factory=dict)  # what each epoch took
    problem: str = ""  # the sentence it ended with, of one that did not end well

    def keep(self) -> None:
        """The run folder's result.json as it is now, replaced whole.

        What keeps it from being written is told, and must not hide how the stage ends.
        """
        if self.run_dir is None:
            return
        try:
            write_json(self.run_dir / "result.json", self._document())
        except PoseError as error:
            note(error.message)

    def _document(self) -> dict[str, Any]:
        return {
            "schema": RESULT_SCHEMA,
            "stage": self.stage,
            "config": self.config,
            "seed": self.seed,
            "dataset": self.dataset,
            "metrics": self.metrics,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "published": self.published,
            "unreadable": self.unreadable,
            "outputs": self.outputs,
            "output_dir": self.output_dir,
            "epochs_done": self.epochs_done,
            "epochs": self.epochs,
            "resumed_from": self.resumed_from,
            "damaged": self.damaged,
            "computing": self.computing,
            "memory": self.memory,
            "seconds": self.seconds,
            "problem": self.problem,
        }

    def add_output(self, path: Path) -> None:
        """Remembers a file that the stage has finished."""
        text = str(path.absolute())
        if text not in self.outputs:
            self.outputs.append(text)


class Bar:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self, progress: Any, task: Any) -> None:  # noqa: ANN401 - rich's types, where there is a bar
        self._progress = progress
        self._task = task

    def advance(self, text: str = "") -> None:
        """One step done; `text` is shown behind the bar."""
        if self._progress is not None:
            self._progress.update(self._task, advance=1, text=text)


@contextmanager
def bar(title: str, total: int, done: int = 0) -> Iterator[Bar]:
    """A bar of `total` steps on stderr, `done` of them made, gone at the end.

    rich heeds FORCE_COLOR and (14.1) TTY_COMPATIBLE.
    """
    from rich.console import Console  # noqa: PLC0415 - 0.1 s that `--help` need not pay
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Bar(None, None)
        return
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, progress.add_task(title, total=total, completed=done, text=""))
