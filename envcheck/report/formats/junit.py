"""The page as JUnit XML, one test case a check, for CI systems that show test results.

A failure is what the exit code 1 stands for, so `--fail-on` decides. What could not be checked is skipped,
with its reason: that is the one state of JUnit's that is neither passed nor failed. A warning below the level
passes, and its words are the case's output.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from envcheck.doctor.finding import Finding
from envcheck.doctor.selection import room
from envcheck.report.disarm import few, one_line
from envcheck.report.page import Page, demands


def junit(page: Page) -> str:
    """Return the document, in ASCII: it stays what it says it is, whatever the stream's own encoding."""
    findings = page.diagnosis.findings
    counts = {
        "tests": len(findings),
        "failures": sum(map(page.fails, findings)),
        "errors": 0,
        "skipped": sum(_is_skipped(finding) for finding in findings),
    }
    numbers = {name: str(number) for name, number in counts.items()}
    seconds = f"{sum(finding.seconds or 0 for finding in findings):.6f}"
    suites = ET.Element("testsuites", {"name": "envcheck doctor", **numbers, "time": seconds})
    suite = ET.SubElement(suites, "testsuite", {"name": "envcheck doctor", **numbers, "time": seconds})
    for finding in findings:
        _case(suite, finding, page)
    _add(suite, "system-out", "\n".join(map(one_line, (*page.machine, page.since, page.pick))).rstrip())
    ET.indent(suites)
    document: bytes = ET.tostring(suites, encoding="us-ascii", xml_declaration=True)
    return document.decode("ascii") + "\n"


def _is_skipped(finding: Finding) -> bool:
    return finding.status in ("skip", "unknown")


def _case(suite: ET.Element, finding: Finding, page: Page) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": f"envcheck.{room(finding.id)}",
            "name": finding.id,
            "time": f"{finding.seconds or 0:.6f}",
        },
    )
    if page.fails(finding):
        failure = _add(case, "failure", _told(finding))
        failure.attrib.update({"message": one_line(finding.title), "type": finding.status})
    elif _is_skipped(finding):
        reason = finding.cause or finding.title
        ET.SubElement(case, "skipped", {"message": one_line(f"{finding.status}: {reason}")})
    elif finding.status in ("warn", "info", "error"):
        _add(case, "system-out", f"{finding.status}: {one_line(finding.title)}\n{_told(finding)}")


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, tag)
    child.text = text
    return child


def _told(finding: Finding) -> str:
    lines = [one_line(finding.cause)] if finding.cause else []
    lines += [f"seen: {line}" for line in few(finding.evidence)]
    if finding.fix is not None:
        asked = demands(finding.fix)
        lines.append(f"fix: {one_line(finding.fix.text)}" + (f" ({asked})" if asked else ""))
        lines += [f"  {command}" for command in few(finding.fix.commands)]
    lines += [f"follows from {finding.follows_from}"] if finding.follows_from else []
    lines += [f"more: {one_line(finding.link)}"] if finding.link else []
    return "\n".join(lines)
