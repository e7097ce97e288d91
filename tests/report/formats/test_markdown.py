"""Markdown as an issue takes it: what it shows, and how much."""

from __future__ import annotations

from envcheck.doctor.finding import Finding, Fix
from envcheck.report.formats.markdown import MOST_IN_AN_ISSUE, fenced, markdown


def test_a_finding_is_told_with_evidence_fix_commands_and_link(page):
    fix = Fix("Do it.", ("sudo do it",), needs_root=True, destructive=True)
    finding = Finding("a.b", "error", "It broke", ("seen_here",), "Because.", fix, "https://x.test/a?b=1")
    text = markdown(page(finding, Finding("c.d", "ok", "fine")))
    assert "### ✗ It broke\n\nerror · `a.b`\n\nBecause.\n\n```text\nseen_here\n```\n\n" in text
    assert "**Fix** Do it. (needs root, can end running work)\n\n```sh\nsudo do it\n```\n" in text
    assert "More: <https://x.test/a?b=1>" in text
    assert "| ✓ ok | `c.d` | fine |" in text


def test_a_fence_is_longer_than_what_stands_in_it():
    assert fenced(["a ````` b"]) == "``````text\na ````` b\n``````"
    assert fenced(["plain"]).startswith("```text\n")


def test_what_an_issue_does_not_take_is_left_out_in_whole_blocks_and_the_end_stays(page):
    findings = (Finding(f"a.n{n}", "warn", "title", cause="c" * 1500) for n in range(100))
    text = markdown(page(*findings, redacted="Redacted: UUIDs."))
    assert MOST_IN_AN_ISSUE - 2000 < len(text.encode()) <= MOST_IN_AN_ISSUE
    *_, cut, end = text.strip().split("\n\n")
    assert cut.startswith("*The rest is left out")
    assert end == "*Redacted: UUIDs.*"


def test_of_very_much_evidence_the_first_is_shown_and_the_rest_counted(page):
    text = markdown(page(Finding("a.b", "warn", "t", tuple(f"line {n}" for n in range(1000)))))
    assert "line 19\nand 980 more\n```" in text
