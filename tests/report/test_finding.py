"""A finding as text: what its fix asks of a person stands beside the sentence, as in every other format."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from envcheck.doctor.finding import Fix
from envcheck.report.finding import told


@pytest.mark.parametrize(
    ("fix", "line"),
    [
        (Fix("Reset it."), "fix   Reset it."),
        (Fix("Reset it.", needs_root=True, destructive=True), "Reset it. (needs root, can end running work)"),
        (Fix("Reset it.", needs_root=True, reboot=True), "Reset it. (needs root, a reboot)"),
    ],
)
def test_what_a_fix_asks_for_stands_behind_it(fix, line):
    screen = io.StringIO()
    Console(file=screen, width=100).print(
        told("error", "A title", "an.id", rows=(), fix=fix, link="", followers=())
    )
    assert line in [text.strip()[-len(line) :] for text in screen.getvalue().splitlines()]
