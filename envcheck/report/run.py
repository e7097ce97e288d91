"""A run, before and after: what will run where, and what came out."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.compat.words import cards
from envcheck.environments.prepare import Ready
from envcheck.errors import INTERRUPTED
from envcheck.runs.book import Job
from envcheck.runs.run import Finished


def header(job: Job, at: Ready) -> RenderableType:
    """Return the line that says what runs where and why there, and whatever is not as one would expect."""
    place, judged = at.place, job.situation.judged
    device = cards(judged) if judged else "the CPU"
    kind = place.image.engine if place.image else place.kind
    head = Text.assemble(
        (job.name, "bold"),
        f" in {place.recipe} · {kind} · Python {place.python_version} · on {device}",
    )
    notes = [f"{'a' if place.image else 'no'} container: {at.why}"] if at.why else []
    notes += [f"differs: {difference}" for difference in place.differences]
    if place.image is not None and not place.image.is_recipes_base:
        notes.append(f"starts from {place.image.base}, and not from the recipe's own base image")
    if place.image is not None and judged:
        notes.append("the container's root can be written: what hands over a GPU writes there")
    return Group(head, *(Text(f"  {note}", style="yellow") for note in notes))


def footer(finished: Finished) -> RenderableType:
    """Return how it ended, why where that is known, and where everything lies that a run left."""
    record = finished.record
    code = record.exit_code
    word, style = {0: ("done", "bold green"), INTERRUPTED: ("interrupted", "bold yellow")}.get(
        code or 0, (f"failed with exit code {code}", "bold red")
    )
    lines = [Text.assemble((word, style), f"  {record.stage}")]
    if finished.symptom is not None:
        lines.append(Text(f"  {finished.symptom.meaning}. {finished.symptom.fix.hint}", style="yellow"))
    paths = [*(output.path for output in record.outputs), finished.folder / "record.json"]
    lines += [Text(f"  {path}", no_wrap=True, overflow="ignore") for path in paths]
    return Group(*lines)
