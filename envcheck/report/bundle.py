"""A bundle that was written, as people see it: how large, how it is known, what it lacks, how it is used."""

from __future__ import annotations

import shlex

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.bundle.pack import Bundled
from envcheck.report.cache import size
from envcheck.report.disarm import few, one_line


def bundled_screen(bundled: Bundled) -> RenderableType:
    """Return the file with its size and digest, and the command that uses it."""
    name = one_line(str(bundled.file))
    inputs = f", {size(bundled.inputs_bytes)} of it what the run read" if bundled.inputs_bytes else ""
    what = f"the run {one_line(bundled.run)}" if bundled.run else f"the recipe {one_line(bundled.recipe)}"
    lines = [
        Text.assemble((name, "bold"), f"  {size(bundled.bytes)}{inputs}", no_wrap=True, overflow="ignore"),
        Text(f"  {what}, Python {', '.join(bundled.pythons)}, {bundled.members} members"),
        Text(f"  SHA-256 of its bundle.json: {bundled.sha256}", no_wrap=True, overflow="ignore"),
        *(Text(f"  not in it: {line}", style="yellow") for line in few(bundled.left_out)),
        Text(f"Next:  {_command(bundled)}", no_wrap=True, overflow="ignore"),
    ]
    return Group(*lines)


def _command(bundled: Bundled) -> str:
    file = shlex.quote(one_line(str(bundled.file)))
    if bundled.stage in ("exec", "shell", None):
        return f"envcheck exec --bundle {file} -- COMMAND ..."
    if bundled.stage == "pred":  # whose words name pictures
        return f"envcheck replay {file}"
    if bundled.stage == "synth":
        return f"envcheck run synth --bundle {file} --out DIR"
    data = " --data DIR" if any("--data DIR" in line for line in bundled.left_out) else ""
    return f"envcheck run {bundled.stage} --bundle {file}{data}"
