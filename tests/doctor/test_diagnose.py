"""Isolation, folding, order and the worst status, on checks made for the purpose."""

from __future__ import annotations

import json

import pytest

from envcheck.doctor.check import Check
from envcheck.doctor.checks import CHECKS
from envcheck.doctor.checks.on_request import ALL
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.finding import SEVERITIES, Finding
from envcheck.documents import to_json


def check(identifier, status="ok", caused_by=(), silenced_by=()):
    """Return a check that always answers `status`, or raises it when it is an exception."""

    class Made(Check):
        id = identifier
        title = f"{identifier} is well"

        def look(self, _case):
            if isinstance(status, Exception):
                raise status
            return Finding(identifier, status, f"{identifier} says {status}")

    Made.caused_by = caused_by
    Made.silenced_by = silenced_by
    return Made()


@pytest.fixture
def diagnosis_of(machine):
    host = machine("rtx3090-driver550")
    return lambda *checks: diagnose(host, checks=checks)


def test_a_check_that_raises_is_unknown_with_its_reason_and_the_others_go_on(diagnosis_of):
    diagnosis = diagnosis_of(check("a", KeyError("gone")), check("b"))
    broken, fine = diagnosis.findings
    assert (broken.id, broken.status) == ("a", "unknown")
    assert broken.cause == "The check failed: KeyError: 'gone'"
    assert (fine.id, fine.status) == ("b", "ok")


def test_a_consequence_stands_under_its_cause(diagnosis_of):
    diagnosis = diagnosis_of(
        check("x", "warn"), check("effect", "error", caused_by=("cause",)), check("cause", "error")
    )
    assert [(one.id, one.follows_from) for one in diagnosis.findings] == [
        ("cause", None),
        ("effect", "cause"),
        ("x", None),
    ]
    assert diagnosis.primary.id == "cause"
    assert [one.id for one in diagnosis.consequences(diagnosis.primary)] == ["effect"]


def test_each_cause_has_its_own_consequences(diagnosis_of):
    diagnosis = diagnosis_of(
        check("a", "error"), check("b", "error"), check("c", "error", ("a",)), check("d", "error", ("b",))
    )
    assert [one.id for one in diagnosis.findings] == ["a", "c", "b", "d"]
    assert [one.id for one in diagnosis.consequences(diagnosis.findings[2])] == ["d"]


def test_a_chain_of_causes_folds_under_its_first(diagnosis_of):
    diagnosis = diagnosis_of(
        check("a", "error"), check("b", "error", caused_by=("a",)), check("c", "unknown", caused_by=("b",))
    )
    assert {one.id: one.follows_from for one in diagnosis.findings} == {"a": None, "b": "a", "c": "a"}


def test_what_is_fine_explains_nothing_and_follows_from_nothing(diagnosis_of):
    diagnosis = diagnosis_of(
        check("a", "info"),
        check("b", "error", caused_by=("a",)),
        check("c", "ok", caused_by=("b",)),
        check("d", "skip", caused_by=("b",)),
    )
    assert [one.follows_from for one in diagnosis.findings] == [None, None, None, None]


def test_the_first_cause_that_is_in_trouble_counts(diagnosis_of):
    diagnosis = diagnosis_of(
        check("a"), check("b", "warn"), check("c", "error"), check("d", "error", caused_by=("a", "b", "c"))
    )
    assert {one.id: one.follows_from for one in diagnosis.findings}["d"] == "b"


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (("ok", "skip"), "ok"),
        (("ok", "info", "skip"), "info"),
        (("info", "unknown"), "unknown"),
        (("unknown", "warn"), "warn"),
        (("warn", "error", "unknown"), "error"),
        ((), "ok"),
    ],
)
def test_the_status_is_the_worst_one(diagnosis_of, statuses, worst):
    diagnosis = diagnosis_of(*(check(f"c{place}", status) for place, status in enumerate(statuses)))
    assert diagnosis.status == worst


@pytest.mark.parametrize(
    ("status", "fails"), [("error", True), ("warn", True), ("unknown", False), ("ok", False)]
)
def test_a_level_is_reached_by_itself_and_by_worse(diagnosis_of, status, fails):
    assert diagnosis_of(check("a", status)).reaches("warn") is fails


def test_without_trouble_there_is_no_primary_finding(diagnosis_of):
    assert diagnosis_of(check("a", "unknown"), check("b", "info")).primary is None


def test_the_document_has_the_fields_that_were_promised(machine):
    document = json.loads(to_json(diagnose(machine("rtx5090-proprietary-module"))))
    assert document["schema"] == "envcheck.doctor/1"
    assert document["status"] == "error"
    first = document["findings"][0]
    assert set(first) == {
        "id", "status", "title", "evidence", "cause", "fix", "link", "seconds", "follows_from"
    }  # fmt: skip
    assert set(first["fix"]) == {"text", "commands", "needs_root", "reboot", "destructive", "action"}


def test_what_keeps_a_check_from_knowing_does_not_explain_its_own_trouble(diagnosis_of):
    lost = check("lost", "error")
    blind = check("blind", "unknown", silenced_by=("lost",))
    ill = check("ill", "warn", silenced_by=("lost",))
    assert {one.id: one.follows_from for one in diagnosis_of(lost, blind, ill).findings} == {
        "lost": None,
        "blind": "lost",
        "ill": None,
    }


def test_identifiers_are_unique_and_causes_exist():
    identifiers = [one.id for one in ALL]
    assert len(identifiers) == len(set(identifiers))
    assert {cause for one in ALL for cause in one.caused_by + one.silenced_by} <= set(identifiers)


def test_causes_never_run_in_a_circle():
    causes = {one.id: one.caused_by + one.silenced_by for one in ALL}

    def above(identifier, seen):
        assert identifier not in seen, seen
        for cause in causes[identifier]:
            above(cause, (*seen, identifier))

    for identifier in causes:
        above(identifier, ())


def test_every_check_says_one_thing_under_its_own_name(machine):
    findings = diagnose(machine("container-without-gpus")).findings
    assert sorted(one.id for one in findings) == sorted(one.id for one in CHECKS)
    assert all(one.status in SEVERITIES and one.seconds is not None for one in findings)
