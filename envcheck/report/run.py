"""A run, before and after: what will run where, and what came out."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.compat.words import cards
from envcheck.environments.place import Place
from envcheck.errors import INTERRUPTED
from envcheck.runs.run import Finished, Job


def header(job: Job, place: Place, why: str) -> RenderableType:
    """Return the line that says what runs where, and each difference from what the lock promises."""
    judged = job.situation.judged
    device = cards(judged) if judged else "the CPU"
    head = Text.assemble(
        (job.arguments[0], "bold"),
        f" in {place.recipe} · {place.kind} ({why}) · Python {place.python_version} · on {device}",
    )
    return Group(
        head, *(Text(f"  differs: {difference}", style="yellow") for difference in place.differences)
    )


def footer(finished: Finished) -> RenderableType:
    """Return where everything lies that a run left."""
    record = finished.record
    code = record.exit_code
    word, style = {0: ("done", "bold green"), INTERRUPTED: ("interrupted", "bold yellow")}.get(
        code or 0, (f"failed with exit code {code}", "bold red")
    )
    lines = [Text.assemble((word, style), f"  {record.stage}")]
    paths = [*(output.path for output in record.outputs), finished.folder / "record.json"]
    lines += [Text(f"  {path}", no_wrap=True, overflow="ignore") for path in paths]
    return Group(*lines)
