"""JUnit: a case a check, failures as the exit code has them, what could not be made is skipped."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from envcheck.doctor.finding import SEVERITIES, Finding
from envcheck.report.formats.junit import junit


def suites(page):
    return ET.fromstring(junit(page))  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("fail_on", "failing"), [("error", {"a.error"}), ("warn", {"a.error", "a.warn"}), (None, set())]
)
def test_failures_are_what_the_exit_code_counts(page, fail_on, failing):
    findings = [Finding(f"a.{status}", status, f"is {status}", cause="why") for status in SEVERITIES]
    root = suites(page(*findings, fail_on=fail_on))
    cases = root.findall("testsuite/testcase")
    assert {case.get("name") for case in cases if case.find("failure") is not None} == failing
    assert {case.get("name") for case in cases if case.find("skipped") is not None} == {"a.skip", "a.unknown"}
    assert {case.get("name") for case in cases if case.find("system-out") is not None} == {
        *{"a.error", "a.warn"} - failing,
        "a.info",
    }
    for element in (root, root.find("testsuite")):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "6", "failures": str(len(failing)), "errors": "0", "skipped": "2"}


def test_a_case_has_its_room_its_time_and_its_reason(page):
    (case,) = suites(
        page(Finding("gpu.x", "unknown", "not verified: x", cause="Nobody says.", seconds=0.25))
    ).iter("testcase")
    assert (case.get("classname"), case.get("name"), case.get("time")) == (
        "envcheck.gpu",
        "gpu.x",
        "0.250000",
    )
    assert case.find("skipped").get("message") == "unknown: Nobody says."


def test_the_document_is_the_same_in_every_encoding(page):
    text = junit(page(Finding("a.b", "error", "schön ✗")))
    assert text.isascii()
    assert ET.fromstring(text).find(".//failure").get("message") == "schön ✗"  # noqa: S314
