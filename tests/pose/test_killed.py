"""A few trainings killed for real and resumed; `make bench-kill` does it fifty times."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the pose extra")

from tests import kill_bench


@pytest.mark.slow
def test_trainings_that_are_killed_and_resumed_end_as_one_that_was_not(tmp_path, monkeypatch, root):
    monkeypatch.setenv("PYTHONPATH", str(root))
    outcomes = list(kill_bench.trial(6, tmp_path))
    assert [(outcome.how, outcome.wrong) for outcome in outcomes if outcome.wrong] == []
    assert all(outcome.fell for outcome in outcomes)
    expected = {"random", "writing", "best", "SIGTERM"} | (
        {"disk full"} if kill_bench.can_mount(tmp_path) else set()
    )
    assert {outcome.how for outcome in outcomes} == expected
