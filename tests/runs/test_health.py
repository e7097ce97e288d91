"""What the doctor says of a machine, as a record keeps it, held against doctor's own document."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from envcheck.cli import app
from envcheck.runs.health import health
from envcheck.situation import look


@pytest.mark.parametrize("name", ["a100-hang", "by-hand-nothing-known", "h200x8-compute-node"])
def test_a_record_says_of_a_machine_what_doctor_says_of_it(root, name):
    host = str(root / "tests" / "hosts" / f"{name}.json")
    told = json.loads(CliRunner().invoke(app, ["doctor", "--host", host, "--format", "json"]).stdout)
    kept = health(look(host))
    assert kept.status == told["status"]
    assert [(one.id, one.status, one.title, one.cause, one.follows_from) for one in kept.findings] == [
        tuple(one[key] for key in ("id", "status", "title", "cause", "follows_from"))
        for one in told["findings"]
        if one["status"] in ("info", "warn", "error")
    ]
    assert set(kept.unknown) == {one["id"] for one in told["findings"] if one["status"] == "unknown"}


def test_the_cause_to_act_on_first_is_named_and_what_follows_from_it_is_not(root):
    assert health(look(str(root / "tests" / "hosts" / "a100-hang.json"))).primary == "driver.hang"
    assert health(look(str(root / "tests" / "hosts" / "h200x8-compute-node.json"))).primary is None
