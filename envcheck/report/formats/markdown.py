"""The page as Markdown, to be pasted into an issue, or as the summary of a CI step.

GitHub reads CommonMark with tables. Values stand in fenced blocks that nothing in them can end; in prose
every character that Markdown or HTML would read is escaped, and what GitHub makes of plain words (mentions,
references, links) is broken by a zero-width space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from envcheck.doctor.finding import Finding
from envcheck.report.disarm import few, one_line
from envcheck.report.page import SIGNS, Page, counted, demands, followers, in_full

# What GitHub takes for an issue, in characters.
MOST_IN_AN_ISSUE = 65_536

# What means something anywhere, and what makes a heading, a list or a rule of a line that begins with it.
_PUNCTUATION = re.compile(r"[\\`*_\[\]~$]|^[#+=-]")
_LIST_NUMBER = re.compile(r"^(\d{1,9})([.)])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
# @name, #12, GH-12, www.x.y, http://x.y, a@x.y
_READ_BY_GITHUB = re.compile(r"@|#|(?<=GH)-|(?<=www)\.|(?<=:)//", re.IGNORECASE)
_BREAK = "\u200b"
_BACKTICKS = re.compile("`+")
_URL = re.compile(r"https://[!#-;=?-\[\]_a-z~]+")


def markdown(page: Page, *, most: int = MOST_IN_AN_ISSUE) -> str:
    """Return the page in `most` bytes: where it is longer, whole blocks are left out, and it says so."""
    blocks = list(_blocks(page))
    end = [f"*{prose(page.redacted)}*"] if page.redacted else []
    return _fitted(blocks, end, most)


def prose(text: str) -> str:
    """Return a text as Markdown that reads as the same text, and does nothing."""
    broken = _READ_BY_GITHUB.sub(lambda match: f"{match[0]}{_BREAK}", one_line(text))
    escaped = _LIST_NUMBER.sub(r"\1\\\2", _PUNCTUATION.sub(r"\\\g<0>", broken))
    return "".join(_HTML.get(character, character) for character in escaped)


def fenced(lines: Iterable[str], language: str = "text") -> str:
    """Return lines as a code block whose fence is longer than any run of backticks in it."""
    body = "\n".join(lines)
    longest = max(map(len, _BACKTICKS.findall(body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def _blocks(page: Page) -> Iterator[str]:
    """Yield the page in blocks, each whole in itself, the most important first."""
    findings = page.diagnosis.findings
    yield f"## envcheck doctor: {prose(counted(page.diagnosis))}"
    first, *others = [line for line in map(prose, page.machine) if line] or ["an unknown machine"]
    yield "  \n".join((f"**{first}**", *others))
    for sentence in (page.since, page.pick):
        if sentence:
            yield prose(sentence)
    notable = [finding for finding in findings if finding.status not in ("ok", "skip")]
    if notable:
        yield _table(notable)
    for finding in in_full(page.diagnosis):
        yield _told(page, finding)
    rest = [finding for finding in findings if finding.status in ("ok", "skip")]
    if rest:
        summary = f"{len(rest)} that passed or do not apply"
        yield f"<details><summary>{summary}</summary>\n\n{_table(rest)}\n\n</details>"


def _table(findings: Sequence[Finding]) -> str:
    rows = [f"| {SIGNS[one.status]} {one.status} | `{one.id}` | {prose(_answer(one))} |" for one in findings]
    return "\n".join(("| status | check | answer |", "|---|---|---|", *rows))


def _answer(finding: Finding) -> str:
    after = f" (follows from {finding.follows_from})" if finding.follows_from else ""
    why = f": {finding.cause}" if finding.status == "skip" and finding.cause else ""
    return f"{one_line(finding.title, 300)}{one_line(why, 300)}{after}"


def _told(page: Page, finding: Finding) -> str:
    parts = [f"### {SIGNS[finding.status]} {prose(finding.title)}", f"{finding.status} · `{finding.id}`"]
    if finding.cause:
        parts.append(prose(finding.cause))
    if finding.evidence:
        parts.append(fenced(few(finding.evidence)))
    if finding.fix is not None:
        asked = demands(finding.fix)
        parts.append(f"**Fix** {prose(finding.fix.text)}" + (f" ({asked})" if asked else ""))
        if finding.fix.commands:
            parts.append(fenced(few(finding.fix.commands), "sh"))
    if following := followers(page.diagnosis, finding):
        parts.append(f"Follows from it: {prose(' · '.join(few(following)))}")
    if _URL.fullmatch(finding.link):
        parts.append(f"More: <{finding.link}>")
    return "\n\n".join(parts)


def _fitted(blocks: Sequence[str], end: Sequence[str], most: int) -> str:
    """Return as many of the first blocks as there is room for, and `end`."""
    cut = "*The rest is left out: it is too long for this place. `envcheck doctor` shows all of it.*"
    room = most - _size([cut, *end])
    taken: list[str] = []
    for block in blocks:
        if _size([*taken, block]) > room:
            return _joined([*taken, cut, *end])
        taken.append(block)
    return _joined([*taken, *end])


def _joined(blocks: Sequence[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _size(blocks: Sequence[str]) -> int:
    return len(_joined(blocks).encode())
