"""Markdown as an issue takes it: what it shows, and how much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from envcheck.doctor.finding import Finding, Fix
from envcheck.report.disarm import one_line
from envcheck.report.formats.markdown import MOST_IN_AN_ISSUE, fenced, markdown, prose

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


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


@given(st.text("<>&|\\`*_~[]()!#+-=.:;@$\"'ab1 /", min_size=1, max_size=12).map(one_line).filter(bool))
def test_prose_reads_as_the_same_text_wherever_it_stands(text):
    """CommonMark's own reader finds a paragraph, and a cell, of nothing but that text."""
    for written in (prose(text), f"| x |\n|---|\n| {prose(text)} |"):
        tokens = READER.parse(written)
        assert [token.type for token in tokens][:1] in (["paragraph_open"], ["table_open"]), written
        *_, last = [token for token in tokens if token.type == "inline"]
        assert {child.type for child in last.children} <= {"text", "text_special"}, written
        assert "".join(child.content for child in last.children).replace("\u200b", "") == text, written
    assert not {"<", ">", "|"} & set(prose(text))
