"""Every format that the command line takes is there, once."""

from __future__ import annotations

from envcheck.cli.doctor import PageFormat
from envcheck.report.formats import FORMATS, PUBLIC


def test_the_command_line_knows_every_format_and_no_other():
    assert {one.value for one in PageFormat} == {"text", "json", *FORMATS}
    assert set(FORMATS) >= PUBLIC
