"""The page for GitHub Actions: annotations among the log's lines, and a summary of the step.

GitHub shows ten annotations of a kind for a step; where there are more, the tenth says how many. Nothing that
came from outside can become a command: commands are escaped, and while the page itself is told, the runner is
told to hear none.

Source: GitHub, "Workflow commands for GitHub Actions", and the runner's `ActionCommand.cs`: a line that
begins with `::` is a command, and so is `##[` anywhere in a line.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from envcheck.doctor.finding import Finding, Status
from envcheck.report.disarm import few, one_line
from envcheck.report.formats.markdown import markdown
from envcheck.report.page import SIGNS, Page, counted, demands, in_full

_KINDS: dict[Status, str] = {"error": "error", "warn": "warning", "unknown": "notice"}
_MOST_OF_A_KIND = 10
_LONGEST_MESSAGE = 4000
# For all that one step writes there; what is more is refused as a whole.
_MOST_IN_A_SUMMARY = 1024 * 1024


def github(page: Page) -> str:
    """Return the lines for standard output: the page, folded, then its annotations."""
    token = secrets.token_hex(16)  # nobody who names a GPU can know it
    lines = [
        f"::group::envcheck doctor: {_escaped(counted(page.diagnosis))}",
        f"::stop-commands::{token}",
        *_log(page),
        f"::{token}::",
        "::endgroup::",
    ]
    for status, kind in _KINDS.items():
        lines += _annotations(
            kind, [finding for finding in in_full(page.diagnosis) if finding.status == status]
        )
    return "\n".join(line.replace("##[", "# #[") for line in lines) + "\n"


def append_summary(page: Page, file: Path) -> None:
    """Append the page to the step's summary, as much of it as there is room for. Raises `OSError`."""
    with file.open("ab") as summary:
        room = _MOST_IN_A_SUMMARY - os.fstat(summary.fileno()).st_size
        text = markdown(page, most=room - 1)
        if len(text.encode()) < room:
            summary.write(f"\n{text}".encode())


def _annotations(kind: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a command for each finding, and for those that are too many one for all."""
    shown = findings if len(findings) <= _MOST_OF_A_KIND else findings[: _MOST_OF_A_KIND - 1]
    for finding in shown:
        message = "\n".join(_message(finding))
        yield _command(kind, f"{one_line(finding.title, 200)} [{finding.id}]", message)
    if rest := findings[len(shown) :]:
        names = ", ".join(finding.id for finding in rest)
        yield _command(kind, f"and {len(rest)} more", f"The summary of the step has them all: {names}")


def _command(kind: str, title: str, message: str) -> str:
    cut = message if len(message) <= _LONGEST_MESSAGE else f"{message[: _LONGEST_MESSAGE - 1]}…"
    return f"::{kind} title={_property(title)}::{_escaped(cut)}"


def _escaped(text: str) -> str:
    """Return a text as the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return a text as a property of a command."""
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _message(finding: Finding) -> Iterator[str]:
    if finding.cause:
        yield one_line(finding.cause)
    yield from (f"seen: {line}" for line in few(finding.evidence))
    if finding.fix is not None:
        yield f"fix: {one_line(finding.fix.text)}"
        yield from few(finding.fix.commands)


def _log(page: Page) -> Iterable[str]:
    yield from map(one_line, page.machine)
    if page.since:
        yield one_line(page.since)
    for finding in page.diagnosis.findings:
        indent = "    " if finding.follows_from else ""
        yield f"{indent}{SIGNS[finding.status]} {finding.status:7} {finding.id:20} {one_line(finding.title)}"
        if finding in in_full(page.diagnosis):
            yield from (f"      {line}" for line in _message(finding))
            if finding.fix is not None and (asked := demands(finding.fix)):
                yield f"      ({asked})"
    if page.pick:
        yield one_line(page.pick)
    if page.redacted:
        yield one_line(page.redacted)
