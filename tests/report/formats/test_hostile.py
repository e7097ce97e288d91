"""Texts that try to leave their place, in every field, in every format."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from envcheck.report.console import PlainConsole
from envcheck.report.doctor import WIDTH, findings_screen
from envcheck.report.formats import FORMATS
from envcheck.report.formats.markdown import markdown
from envcheck.report.page import in_full

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.mark.parametrize("name", FORMATS)
def test_no_control_character_and_no_half_character_is_written(hostile, name):
    text = FORMATS[name](hostile)
    assert not _CONTROLS.search(text)
    assert not _BIDI.search(text)
    assert len(text.encode("utf-8")) < 1_000_000


def test_a_terminal_gets_nothing_to_obey(hostile):
    sink = io.StringIO()
    PlainConsole(file=sink, width=WIDTH).print(findings_screen(hostile.diagnosis))
    assert not _CONTROLS.search(sink.getvalue())
    assert not _BIDI.search(sink.getvalue())
    sink.getvalue().encode("utf-8")


def test_junit_parses_and_has_one_case_a_check(hostile):
    suite = ET.fromstring(FORMATS["junit"](hostile)).find("testsuite")  # noqa: S314 - our own
    assert [case.get("name") for case in suite.findall("testcase")] == [
        finding.id for finding in hostile.diagnosis.findings
    ]
    assert {child.tag for case in suite for child in case} <= {"failure", "skipped", "system-out"}


def test_in_markdown_a_text_is_text_and_code_is_code(hostile):
    """CommonMark's own reader sees the headings, tables, fences and links of ours, and no other."""
    reader = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    tokens = reader.parse(markdown(hostile, most=10_000_000))
    inline = [child for token in tokens for child in token.children or ()]
    count = len(in_full(hostile.diagnosis))
    kinds = [token.type for token in tokens]
    assert kinds.count("heading_open") == 1 + count
    assert kinds.count("fence") == 2 * count
    assert kinds.count("table_open") == 2
    rows = len(hostile.diagnosis.findings) + 2
    assert kinds.count("tr_open") == rows
    assert kinds.count("td_open") + kinds.count("th_open") == 3 * rows
    assert not {"bullet_list_open", "ordered_list_open", "blockquote_open", "hr", "code_block"} & set(kinds)
    assert not {"image", "link_open", "html_inline", "s_open"} & {child.type for child in inline}
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<") == 4
    assert html.startswith("<details><summary>")
    words = "".join(child.content for child in inline if child.type == "text")
    assert not re.search(r"@[a-z]|#\d|GH-\d|www\.e|://[a-z]", words)


def test_github_hears_only_the_commands_that_are_ours(hostile):
    lines = re.split("\r\n|\r|\n", FORMATS["github"](hostile))
    heard, stopped = [], None
    for line in lines:
        command = line.strip()
        if stopped is not None and command == f"::{stopped}::":
            stopped = None
        elif stopped is None and command.startswith("::"):
            heard.append(command.split("::")[1].split(" ")[0])
            if heard[-1] == "stop-commands":
                stopped = command.split("::")[2]
    assert stopped is None
    # Findings that follow from another have no annotation of their own; info, ok and skip have none at all.
    assert heard == ["group", "stop-commands", "endgroup", "error", "error", "warning", "notice"]
    annotations = [line for line in lines if line.startswith(("::error", "::warning", "::notice"))]
    for line in annotations:
        _, head, message = line.split("::", 2)
        assert head.count("=") >= 1
        assert head.partition("title=")[2].count(":") == head.partition("title=")[2].count(",") == 0
        assert not re.search("%(?!25|0A|0D|3A|2C)", head + message)
        assert len(line) < 20_000
    assert not any("##[" in line for line in lines)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = set(), [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_in_html_nothing_runs_and_nothing_is_fetched(hostile):
    reader = _Page()
    reader.feed(FORMATS["html"](hostile))
    assert reader.open == []
    assert reader.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "b", "strong", "section"),
        *("code", "pre", "table", "tr", "th", "td", "br", "span", "a"),
    }
    assert {name for _, name, _ in reader.attributes} <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "aria-hidden", "href", "rel"),
    }
    assert all(value.startswith("https://") for _, name, value in reader.attributes if name == "href")
    assert not reader.rawdata
