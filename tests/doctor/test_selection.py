"""Which checks are made: ids, rooms, what is left out, and names that no check has."""

from __future__ import annotations

import pytest

from envcheck.doctor.checks import CHECKS
from envcheck.doctor.checks.on_request import ALL, DEEP, STRESS
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.finding import SEVERITIES
from envcheck.doctor.selection import asked_for, given, listing, select
from envcheck.documents import read_json
from envcheck.errors import UsageError
from envcheck.host.facts import SCHEMA, Host


def ids(only=(), skip=()):
    return [check.id for check in select(ALL, only, skip)]


def test_without_names_every_check_is_made_in_its_order():
    assert ids() == [check.id for check in ALL]
    without = [check.id for check in select(ALL, [], [], given=())]
    assert without == [check.id for check in CHECKS]


def test_ids_and_rooms_may_be_repeated_and_joined_by_commas():
    assert ids(["gpu.mig, driver.hang", "card"]) == [
        *("card.nouveau", "card.vfio", "driver.hang", "card.bound", "card.listed", "gpu.mig"),
    ]


def test_what_is_skipped_is_taken_from_what_was_asked_for():
    assert ids(["card"], ["card.vfio,driver"]) == ["card.nouveau", "card.bound", "card.listed"]
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
    for file in sorted((root / "tests" / "hosts").glob("*.json")):
        for finding in diagnose(read_json(file, Host, schema=SCHEMA)).findings:
            if finding.is_trouble or finding.status == "info":
                assert finding.severity <= SEVERITIES.index(worst[finding.id]), (file.name, finding.id)


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
    assert diagnosis.exit_code(level, asked={"a", "b"} if asked else {"b"}) == code


@pytest.mark.parametrize("only", [["drift"], ["gpu,drift.pick"]])
def test_a_comparison_without_a_snapshot_is_refused(only):
    with pytest.raises(UsageError, match="compares with a snapshot") as caught:
        select(ALL, only, [], given=("deep", "stress"))
    assert "--baseline" in caught.value.hint


@pytest.mark.parametrize(
    ("only", "said", "option"),
    [
        (["deep"], "deep.environment is about the proof", "--deep"),
        (["gpu,deep.peers"], "deep.peers is about the proof", "--deep"),
        (["stress.dcgm"], "stress.dcgm is about NVIDIA's own tests", "--stress"),
    ],
)
def test_what_is_not_tried_cannot_be_asked_for(only, said, option):
    with pytest.raises(UsageError) as caught:
        select(ALL, only, [], given=("baseline",))
    assert caught.value.message.startswith(said)
    assert option in caught.value.hint


def test_what_is_tried_is_checked_besides_everything_else():
    has = given(baseline=False, project=False, deep=True, stress=False)
    assert select(ALL, [], [], given=has) == (*CHECKS, *DEEP)
    has = given(baseline=False, project=False, deep=False, stress=True)
    assert select(ALL, [], [], given=has) == (*CHECKS, *STRESS)
    assert given(baseline=True, project=False, deep=False, stress=False) == {"baseline"}


def test_an_answer_is_wanted_to_what_is_named_and_to_what_is_tried():
    assert asked_for(CHECKS, []) == frozenset()
    assert asked_for(ALL, []) == {check.id for check in (*DEEP, *STRESS)}
    assert asked_for(CHECKS[:2], ["driver"]) == {check.id for check in CHECKS[:2]}
