"""GitHub's annotations and the summary of a step: kinds, limits, what is left out."""

from __future__ import annotations

import pytest

from envcheck.doctor.finding import Finding
from envcheck.report.formats.github import append_summary, github

MIB = 1024 * 1024


def annotations(page):
    return [
        line for line in github(page).splitlines() if line.startswith(("::error", "::warning", "::notice"))
    ]


@pytest.mark.parametrize(("status", "kind"), [("error", "error"), ("warn", "warning"), ("unknown", "notice")])
def test_ten_of_a_kind_are_shown_and_of_more_the_tenth_counts_the_rest(troubled, status, kind):
    ten = annotations(troubled(status, 10))
    assert len(ten) == 10
    assert ten[-1] == f"::{kind} title=title 9 [a.n9]::why"
    many = annotations(troubled(status, 13))
    assert len(many) == 10
    assert many[8] == f"::{kind} title=title 8 [a.n8]::why"
    assert many[9] == (
        f"::{kind} title=and 4 more::The summary of the step has them all: a.n9, a.n10, a.n11, a.n12"
    )


def test_what_follows_from_another_and_what_is_fine_is_no_annotation(page):
    findings = [
        Finding("a.cause", "error", "cause"),
        Finding("a.effect", "error", "effect", follows_from="a.cause"),
        *(Finding(f"b.{status}", status, status) for status in ("ok", "info", "skip")),
    ]
    assert annotations(page(*findings)) == ["::error title=cause [a.cause]::"]


def test_the_characters_of_commands_are_escaped_as_github_reads_them(page):
    finding = Finding("a.b", "warn", "50%, 1:2", cause="1:2, 50%", evidence=("x",))
    assert annotations(page(finding)) == ["::warning title=50%25%2C 1%3A2 [a.b]::1:2, 50%25%0Aseen: x"]


def test_the_summary_is_appended_with_the_table(tmp_path, troubled):
    file = tmp_path / "summary.md"
    file.write_text("# of another command\n", encoding="utf-8")
    append_summary(troubled("warn", 12), file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# of another command\n\n## envcheck doctor: 12 warnings")
    assert text.count("| ! warn | `a.n") == 12


@pytest.mark.parametrize("taken", [0, MIB // 2, MIB - 3000, MIB - 10, MIB, MIB + 10])
def test_the_summary_stays_within_its_limit_and_says_what_is_left_out(tmp_path, page, taken):
    file = tmp_path / "summary.md"
    file.write_bytes(b"x" * taken)
    findings = (
        Finding(f"a.n{n}", "warn", "title", cause="c" * 1900, evidence=("e" * 900,)) for n in range(600)
    )
    append_summary(page(*findings), file)
    size = file.stat().st_size
    assert size <= max(MIB, taken)
    text = file.read_text(encoding="utf-8")[taken:]
    if taken <= MIB - 3000:
        assert "The rest is left out: it is too long for this place." in text
        assert text.count("```") % 2 == 0
    else:
        assert text == ""
