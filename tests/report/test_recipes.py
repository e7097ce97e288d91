from __future__ import annotations

import io

import pytest

from envcheck.audit.audit import Audit, Inspection
from envcheck.report.console import PlainConsole
from envcheck.report.recipes import audit_screen


@pytest.fixture
def shown():
    def show(*checks):
        sink = io.StringIO()
        PlainConsole(file=sink).print(audit_screen(Audit(checks=checks)))
        return [" ".join(line.split()) for line in sink.getvalue().splitlines()]

    return show


def test_locks_with_one_answer_share_a_line_and_the_states_are_counted(shown):
    lines = shown(
        Inspection("mine", "", "base image", "passed", "It is named."),
        *(Inspection("mine", lock, "pins", "passed", "There.") for lock in ("3.10", "3.11", "3.12")),
        *(Inspection("mine", lock, "wheel", "not verified", "Not here.") for lock in ("3.10", "3.12")),
        Inspection("mine", "3.11", "wheel", "failed", "It lacks sm_90."),
    )
    assert lines == [
        "mine",
        "passed base image It is named.",
        "passed pins every lock There.",
        "not verified wheel all but 3.11 Not here.",
        "failed wheel 3.11 It lacks sm_90.",
        "",
        "4 passed, 1 failed, 2 not verified.",
    ]


def test_few_of_many_locks_are_named(shown):
    checks = [Inspection("mine", f"3.{minor}", "wheel", "passed", "Read.") for minor in (10, 11)]
    checks += [Inspection("mine", f"3.{minor}", "wheel", "failed", f"No {minor}.") for minor in (12, 13)]
    assert "passed wheel 3.10, 3.11 Read." in shown(*checks)
    assert "failed wheel 3.12 No 12." in shown(*checks)


def test_what_comes_from_a_file_reaches_no_terminal_as_a_command(shown):
    assert "\x1b" not in "".join(shown(Inspection("\x1b[31mmine", "", "[b]", "failed", "\x1b[2J")))
