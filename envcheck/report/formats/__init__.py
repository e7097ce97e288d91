"""The formats of doctor's page beside text and JSON, each in a file of its own: a page in, a text out.

To add one: write its function, and put it here and into `cli.doctor.PageFormat`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from envcheck.report.formats.github import github
from envcheck.report.formats.html import html
from envcheck.report.formats.junit import junit
from envcheck.report.formats.markdown import markdown
from envcheck.report.page import Page

FORMATS: Mapping[str, Callable[[Page], str]] = {
    "markdown": markdown,
    "junit": junit,
    "github": github,
    "html": html,
}

# Read by everybody, most often: an issue, and the log of a public repository.
PUBLIC = frozenset({"markdown", "github"})
