"""Which checks are made: ids, rooms, what is left out, and names that no check has."""

from __future__ import annotations

import pytest

from envcheck.doctor.checks import ALL, CHECKS
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.finding import SEVERITIES
from envcheck.doctor.selection import listing, select
from envcheck.documents import read_json
from envcheck.errors import UsageError
from envcheck.host.facts import SCHEMA, Host


def ids(only=(), skip=()):
    return [check.id for check in select(ALL, only, skip)]


def test_without_names_every_check_is_made_in_its_order():
    assert ids() == [check.id for check in ALL]
    without = [check.id for check in select(ALL, [], [], with_baseline=False, with_project=False)]
    assert without == [check.id for check in CHECKS]


def test_ids_and_rooms_may_be_repeated_and_joined_by_commas():
    assert ids(["gpu.mig, driver.hang", "card"]) == [
        *("card.nouveau", "card.vfio", "driver.hang", "card.bound", "card.listed", "gpu.mig"),
    ]


def test_what_is_skipped_is_taken_from_what_was_asked_for():
    assert ids(["gpu"], ["gpu.lost,driver"]) == ["gpu.answers", "gpu.mig"]
    assert "driver.hang" not in ids(skip=["driver"])


@pytest.mark.parametrize(
    ("only", "skip", "said"),
    [
        (["drivr"], [], ("--only 'drivr'", "Did you mean driver")),
        ([], ["gpu.migs"], ("--skip 'gpu.migs'", "gpu.mig")),
        (["Gpu"], [], ("--only 'Gpu'", "gpu")),
        (["gpu,"], [], ("--only ''", "--list")),
        (["x" * 1_000_000], [], ("there is no such check", "--list")),
        (["gpu"], ["gpu"], ("leave no check", "--list")),
    ],
)
def test_a_name_that_no_check_has_is_answered_with_the_nearest(only, skip, said):
    with pytest.raises(UsageError) as caught:
        select(ALL, only, skip)
    assert said[0] in caught.value.message
    assert said[1] in caught.value.hint
    assert len(caught.value.message) < 200


def test_a_consequence_stands_for_itself_where_its_cause_was_not_looked_for(machine):
    host = machine("rtx5090-proprietary-module")
    (finding,) = diagnose(host, checks=select(ALL, ["card.listed"], [])).findings
    assert (finding.status, finding.follows_from) == ("error", None)


def test_no_check_says_worse_than_the_list_announces(root):
    worst = {entry.id: entry.worst for entry in listing(CHECKS).checks}
    reached = set()
    for file in sorted((root / "tests" / "hosts").glob("*.json")):
        for finding in diagnose(read_json(file, Host, schema=SCHEMA)).findings:
            if finding.is_trouble or finding.status == "info":
                assert finding.severity <= SEVERITIES.index(worst[finding.id]), (file.name, finding.id)
                reached.add((finding.id, finding.status))
    # And it is no empty threat: these machines show most of them at their worst.
    assert len(reached & set(worst.items())) >= len(worst) - 3


@pytest.mark.parametrize(
    ("status", "level", "asked", "code"),
    [
        ("error", "error", False, 1),
        ("warn", "error", False, 0),
        ("warn", "warn", True, 1),
        ("error", None, True, 0),
        ("unknown", "error", False, 0),
        ("unknown", "error", True, 3),
        ("unknown", None, True, 0),
        ("skip", "warn", True, 0),
    ],
)
def test_the_exit_code_is_that_of_the_level_and_of_what_was_asked(machine, status, level, asked, code):
    from tests.doctor.test_diagnose import check

    diagnosis = diagnose(machine("h100-mig"), checks=[check("a", status), check("b")])
    assert diagnosis.exit_code(level, asked=asked) == code


@pytest.mark.parametrize("only", [["drift"], ["gpu,drift.pick"]])
def test_a_comparison_without_a_snapshot_is_refused(only):
    with pytest.raises(UsageError, match="compares with a snapshot") as caught:
        select(ALL, only, [], with_baseline=False)
    assert "--baseline" in caught.value.hint
