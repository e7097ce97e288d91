"""Two runs side by side, and a run beside its repetition, as people see them."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

from envcheck.repeat.diff import compare
from envcheck.repeat.verdict import judge
from envcheck.report.console import PlainConsole
from envcheck.report.diff import diff_screen
from envcheck.report.replay import verdict_screen
from tests.runs.records import again, finished, with_result

RUN = finished()
OTHER = again(RUN, computing={**RUN.computing, "threads": 1})


def drawn(screen) -> str:
    sink = StringIO()
    PlainConsole(file=sink, width=110).print(screen, crop=False)
    return sink.getvalue()


def test_a_cause_is_named_only_where_another_result_came_out():
    other, same = (
        drawn(diff_screen(compare(RUN, with_result(OTHER)))),
        drawn(diff_screen(compare(RUN, OTHER))),
    )
    assert "most likely  computing.threads  2, then 1" in other
    assert "most likely" not in same
    assert "What could have changed the result, and did not" in same
    assert "computing.threads" in same


def test_what_was_compared_is_said_with_the_verdict():
    said = drawn(verdict_screen(judge(RUN, again(RUN)), Path("run")))
    assert said.startswith("bitwise  every file that was compared")
    assert "compared byte for byte: final_state.pth" in said


def test_what_is_no_number_is_a_dash():
    empty = replace(RUN, metrics={"AP": float("nan")})
    said = drawn(verdict_screen(judge(empty, again(empty, metrics={"AP": 0.5})), Path("run")))
    assert "AP: no number, then 0.5" in said
    assert "✗" in said
