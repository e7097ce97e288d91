"""The proof in the picked environment, for people: every operation with its error, tolerance and time."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.doctor.proof import OperationProof, Proof
from envcheck.report.disarm import one_line
from envcheck.report.finding import MARKS

_HEADS = ("", "device", "operation", "error", "tolerance", "ms")


def proof_screen(proof: Proof) -> RenderableType:
    """Return where it was proved and what came out; what went wrong stands among the findings, too."""
    if proof.made is None or proof.inside is None:
        return Text("No environment has proved itself.")
    made, inside = proof.made, proof.inside
    names = {device.device: device.name for device in inside.devices}
    head = f"Proved in {proof.recipe} ({made.kind}), torch {inside.torch}, against float64 on the CPU:"
    table = Table.grid(padding=(0, 2))
    for head_of_column in _HEADS:
        table.add_column(justify="right" if head_of_column in _HEADS[3:] else "left", no_wrap=True)
    table.add_row(*(Text(word, style="dim") for word in _HEADS))
    for one in inside.operations:
        table.add_row(*_row(one))
    shown = [f"{device}: {one_line(name)}" for device, name in names.items()]
    if not inside.gpus:
        shown.append("there is no GPU inside; the CPU was proved")
    return Group(
        Text(head), Padding(table, (0, 0, 0, 2)), *(Text(f"  {line}", style="dim") for line in shown)
    )


def _row(one: OperationProof) -> tuple[Text, ...]:
    mark, style = MARKS["ok" if one.is_right else "error"]
    error = f"{one.error:.1e}" if one.error is not None else "failed"
    time = f"{one.milliseconds:.2f}" if one.milliseconds is not None else ""
    words = (
        one_line(one.device),
        f"{one.operation} {one_line(one.dtype)}",
        error,
        f"{one.tolerance:.1e}",
        time,
    )
    return (Text(mark, style=style), *(Text(word) for word in words))
