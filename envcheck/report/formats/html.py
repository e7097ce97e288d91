"""The page as one HTML file: no script, nothing fetched, readable on a phone, in the dark and on paper.

Every value is escaped where it enters the markup; the page's own policy forbids everything but its style.
"""

from __future__ import annotations

import html as escaping
from collections.abc import Iterable

from envcheck import __version__
from envcheck.doctor.finding import Finding
from envcheck.report.disarm import few, one_line
from envcheck.report.page import SIGNS, Page, counted, demands, followers, in_full

_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #ffffff; --quiet: #57606a; --line: #d0d7de;
  --code: #f6f8fa; --error: #b3141d; --warn: #875400; --unknown: #57606a; --info: #0b5cad; --ok: #1a6b2e }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --quiet: #9aa4af;
  --line: #30363d; --code: #161b22; --error: #ff8f86; --warn: #e3b341; --unknown: #9aa4af; --info: #79b8ff;
  --ok: #62c576 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 52rem; color: var(--text);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.35rem; margin: 0 0 .5rem } h2 { font-size: 1.05rem; margin: 0 }
p { margin: .4rem 0 } .quiet { color: var(--quiet) }
section { border: 1px solid var(--line); border-left: .3rem solid var(--line); border-radius: .3rem;
  padding: .7rem 1rem; margin: 1rem 0; break-inside: avoid }
section.error { border-left-color: var(--error) } section.warn { border-left-color: var(--warn) }
section.info { border-left-color: var(--info) }
pre { margin: .4rem 0; padding: .5rem .7rem; background: var(--code); border-radius: .3rem;
  white-space: pre-wrap; font-size: .85rem }
code { font-size: .85rem } a { color: var(--info) }
.error b { color: var(--error) } .warn b { color: var(--warn) } .info b { color: var(--info) }
.ok b { color: var(--ok) } .unknown b, .skip b { color: var(--unknown) }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem .3rem 0;
  border-bottom: 1px solid var(--line) } td:first-child { white-space: nowrap }
@media print { body { max-width: none; padding: 0; font-size: 10pt } a { color: inherit } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
<p class="quiet">envcheck {version}</p>
</body>
</html>
"""


def html(page: Page) -> str:
    """Return the document, in ASCII: it reads the same whatever the stream's own encoding."""
    body = [f'<p class="quiet">{_text(line)}</p>' for line in page.machine]
    if page.since:
        body.append(f"<p>{_text(page.since)}</p>")
    if page.pick:
        body.append(f"<p><strong>{_text(page.pick)}</strong></p>")
    body += [_section(page, finding) for finding in in_full(page.diagnosis)]
    body.append(_table(page.diagnosis.findings))
    if page.redacted:
        body.append(f'<p class="quiet">{_text(page.redacted)}</p>')
    title = _text(f"envcheck doctor: {counted(page.diagnosis)}")
    whole = _PAGE.format(title=title, style=_STYLE, body="\n".join(body), version=_text(__version__))
    return whole.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _text(text: str) -> str:
    return escaping.escape(one_line(text))


def _lines(lines: Iterable[str]) -> str:
    return "<pre>" + "\n".join(map(_text, lines)) + "</pre>"


def _section(page: Page, finding: Finding) -> str:
    parts = [
        f'<section class="{finding.status}"><h2>{_mark(finding)} {_text(finding.title)}</h2>',
        f'<p class="quiet">{finding.status} &middot; <code>{_text(finding.id)}</code></p>',
    ]
    if finding.cause:
        parts.append(f"<p>{_text(finding.cause)}</p>")
    if finding.evidence:
        parts.append(_lines(few(finding.evidence)))
    if finding.fix is not None:
        asked = demands(finding.fix)
        parts.append(f"<p><strong>Fix</strong> {_text(finding.fix.text)}{f' ({asked})' if asked else ''}</p>")
        if finding.fix.commands:
            parts.append(_lines(few(finding.fix.commands)))
    if following := followers(page.diagnosis, finding):
        parts.append(f"<p>Follows from it: {_text(' · '.join(few(following)))}</p>")
    if finding.link.startswith("https://"):
        parts.append(f'<p><a href="{_text(finding.link)}" rel="noreferrer">{_text(finding.link)}</a></p>')
    return "\n".join((*parts, "</section>"))


def _table(findings: Iterable[Finding]) -> str:
    rows = (
        f'<tr class="{one.status}"><td>{_mark(one)} {one.status}</td><td>{_text(one.title)}'
        f'<br><code class="quiet">{_text(one.id)}</code>{_why(one)}</td></tr>'
        for one in findings
    )
    return "\n".join(("<table>", "<tr><th>status</th><th>check</th></tr>", *rows, "</table>"))


def _why(finding: Finding) -> str:
    if finding.follows_from:
        return f' <span class="quiet">follows from {_text(finding.follows_from)}</span>'
    return f' <span class="quiet">{_text(finding.cause)}</span>' if finding.status == "skip" else ""


def _mark(finding: Finding) -> str:
    return f'<b aria-hidden="true">{SIGNS[finding.status]}</b>'
