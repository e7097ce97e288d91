"""Pages made by hand."""

from __future__ import annotations

import pytest

from envcheck.doctor.diagnose import SCHEMA, Diagnosis
from envcheck.doctor.finding import SEVERITIES, Finding, Fix
from envcheck.report.page import Page

# What tries to leave its place in one format or another. Each stands in every field of a page.
HOSTILE = {
    "terminal": "\x1b[31mred\x1b[0m \x9b2J \x07 \x08 \x7f",
    "workflow command": "a\n::error::pwned\r::add-mask::x\r\n  ::set-output name=x::y",
    "old workflow command": "##[error]pwned ##[group]x",
    "workflow escapes": "100%0A::error::x %25 a:b,c",
    "markdown": "```\n# x\n~~~\n````` [x](javascript:alert(1)) ![i](http://x.y/z) **b** _u_ | a\n- l\n---",
    "list": "1. one\n2) two\n* three\n> four",
    "heading": "# x",
    "heading of two lines": "===",
    "rule": "---",
    "item": "- x",
    "number": "1. x",
    "cells": "a | b \\| c",
    "mention": "@somebody torvalds/linux#1 #12 GH-3 https://evil.test www.evil.test a@b.test",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)></details></pre></style>&lt; \"' <!-- x",
    "template": "{body} {0} %s ${x} $x$",
    "xml": "]]> <![CDATA[ &amp; &#0; \x00 \x0b \ufffe \uffff",
    "halves": "\ud800 \udfff",
    "direction": "\u202egnp.exe \u2066x\u2069 \u2028y",
    "rich": "[bold red]x[/] [link=http://x]y[/link] [/]",
    "long": "x" * 1_000_000,
    "long words": "<b> | ` " * 130_000,
    "lines": "\n" * 100_000 + "end",
}


def _filled(text: str, **more) -> Finding:
    fix = Fix(text, (text, text), needs_root=True, reboot=True, destructive=True)
    evidence = (text,) * (40 if len(text) < 1000 else 2)
    fields = {"title": text, "evidence": evidence, "cause": text, "fix": fix, "link": text}
    return Finding(**{"id": "a.bad", "status": "error", "seconds": 0.5, **fields, **more})


@pytest.fixture
def page():
    """Return a function that makes a page of findings."""

    def page(*findings, **more) -> Page:
        worst = max((finding.severity for finding in findings), default=0)
        diagnosis = Diagnosis(SCHEMA, SEVERITIES[worst], tuple(findings))
        return Page(**{"machine": ("a GPU", "a driver"), "diagnosis": diagnosis, "pick": "cpu runs", **more})

    return page


@pytest.fixture(params=HOSTILE)
def hostile(request, page):
    """A page with a hostile text in every field of findings of every status."""
    text = HOSTILE[request.param]
    findings = [
        _filled(text),
        _filled(text, id="a.next", follows_from="a.bad"),
        *(_filled(text, id=f"b.{status}", status=status) for status in SEVERITIES),
    ]
    return page(*findings, machine=(text, text), pick=text, redacted=text)


@pytest.fixture
def troubled(page):
    """Return a function that makes a page with some findings of one status."""
    return lambda status, count: page(
        *(Finding(f"a.n{number}", status, f"title {number}", cause="why") for number in range(count))
    )
