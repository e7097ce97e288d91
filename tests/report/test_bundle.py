"""A bundle that was written, on the screen: the command that uses it is one that works."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from envcheck.bundle.pack import Bundled
from envcheck.report.bundle import bundled_screen


def shown(**changes):
    said = {"run": None, "stage": None, "left_out": (), "inputs_bytes": 0, **changes}
    done = Bundled(
        file=Path("b.tar"),
        bytes=3 << 20,
        sha256="a" * 64,
        recipe="cpu",
        **{"pythons": ("3.11",), "members": 5, **said},
    )
    console = Console(width=200)
    with console.capture() as capture:
        console.print(bundled_screen(done))
    return capture.get()


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "envcheck exec --bundle b.tar -- COMMAND ..."),
        ({"run": "r", "stage": "demo"}, "envcheck run demo --bundle b.tar"),
        (
            {
                "run": "r",
                "stage": "train",
                "left_out": ("the data set in /d: --data DIR says where it lies",),
            },
            "envcheck run train --bundle b.tar --data DIR",
        ),
    ],
)
def test_the_last_line_is_the_command_that_uses_it(changes, command):
    assert shown(**changes).splitlines()[-1] == f"Next:  {command}"


def test_size_digest_and_what_is_not_in_it_are_shown():
    text = shown(
        run="r", stage="train", left_out=("w.pth is gone, or another one now",), inputs_bytes=2 << 20
    )
    assert "3.0 MiB, 2.0 MiB of it what the run read" in text
    assert "a" * 64 in text
    assert "not in it: w.pth is gone, or another one now" in text
