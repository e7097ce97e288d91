"""Each check of the doctor on a machine that has it, on one that has not, and where it cannot be known."""

from __future__ import annotations

import json

import pytest

from envcheck.doctor.checks.on_request import ALL
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.drift import look_back
from envcheck.doctor.finding import Finding
from envcheck.doctor.project.read import read_project
from envcheck.documents import read_json
from envcheck.host import facts
from envcheck.host.facts import Host
from envcheck.situation import look
from envcheck.symptoms import SYMPTOMS
from tests.doctor.cases import HOSTS, PROJECTS, TROUBLE, Case, cases
from tests.doctor.table import FILE, table

CHECKS = {check.id: check for check in ALL}


@pytest.mark.parametrize("case", [one for one in cases() if not one.never], ids=lambda case: case.name)
def test_what_is_said_of_a_machine(case: Case, tmp_path):
    file = tmp_path / "host.json"
    file.write_text(json.dumps(case.machine()))
    seen = look(str(file))
    before = look_back(str(HOSTS / f"{case.baseline}.json")) if case.baseline else None
    theirs = read_project(PROJECTS / case.project, seen.host) if case.project else None
    diagnosis = diagnose(
        seen.host,
        seen.choice,
        checks=ALL,
        baseline=before,
        proof=case.proof,
        stress=case.stress,
        project=theirs,
    )
    finding = next(one for one in diagnosis.findings if one.id == case.check)
    assert finding.status == case.status
    if case.primary is not None:
        assert diagnosis.primary is not None
        assert diagnosis.primary.id == case.primary
    if case.status in TROUBLE and finding.follows_from is None:
        assert finding.evidence
        assert finding.cause.endswith(".")
        assert finding.fix is not None
        assert finding.fix.text.endswith(".")
    if case.status == "unknown":
        assert finding.cause
    for one in diagnosis.findings:
        assert_root_is_asked_for(one)


def assert_root_is_asked_for(finding: Finding) -> None:
    """Whoever reads a command with sudo has been told before that it needs root."""
    if finding.fix and any("sudo " in command for command in finding.fix.commands):
        assert finding.fix.needs_root, finding.id


def test_on_no_machine_a_fix_needs_root_without_saying_so():
    for file in HOSTS.glob("*.json"):
        for finding in diagnose(read_json(file, Host, schema=facts.SCHEMA)).findings:
            assert_root_is_asked_for(finding)


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.id)
def test_no_symptoms_fix_needs_root_without_saying_so(symptom):
    assert symptom.fix.needs_root or not any("sudo " in command for command in symptom.fix.commands)


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_tried_where_it_bites_where_not_and_where_nobody_knows(check):
    tried = {case.status for case in cases() if case.check == check}
    assert CHECKS[check].worst in tried
    assert tried & {"ok", "skip"}
    assert "unknown" in tried


def test_no_case_is_about_a_check_that_is_gone():
    assert {case.check for case in cases()} <= set(CHECKS)


def test_the_table_in_the_docs_is_the_one_that_is_tested():
    assert FILE.read_text(encoding="utf-8") == table()
