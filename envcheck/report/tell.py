"""Doctor's answer in its format: to standard output or a file, and to the summary of a step of GitHub's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from envcheck.doctor.check import Check
from envcheck.doctor.diagnose import Diagnosis
from envcheck.doctor.selection import listing
from envcheck.errors import UsageError
from envcheck.report.checks import checks_screen
from envcheck.report.console import answer, note, write
from envcheck.report.doctor import WIDTH, doctor_screen
from envcheck.report.page import Page, page_of
from envcheck.situation import Situation


def tell(
    diagnosis: Diagnosis,
    situation: Situation,
    wanted: str,
    file: Path | None,
    *,
    fail_on: Literal["error", "warn"] | None,
    whole: bool,
) -> None:
    """Tell the diagnosis in the `wanted` format; `whole` tells what runs on the machine, too."""
    if wanted in ("text", "json"):
        screen = doctor_screen(diagnosis, situation, whole=whole)
        answer(diagnosis, screen, as_json=wanted == "json", file=file, width=WIDTH)
        return
    # No screen waits for these.
    from envcheck.report.formats import FORMATS, PUBLIC  # noqa: PLC0415
    from envcheck.report.redact import own_names, redact  # noqa: PLC0415

    page = page_of(diagnosis, situation, fail_on=fail_on, whole=whole)
    if wanted in PUBLIC:
        page = redact(page, own_names(), situation.host)
    write(FORMATS[wanted](page), file)
    if wanted == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        _summarise(page, Path(summary))


def tell_checks(checks: Iterable[Check], wanted: str, file: Path | None) -> None:
    """Tell which checks there are. Raises `UsageError` for a format that has no list."""
    if wanted not in ("text", "json"):
        raise UsageError(f"--list has no format {wanted}", "It is text or json.")
    listed = listing(checks)
    answer(listed, checks_screen(listed), as_json=wanted == "json", file=file, width=WIDTH)


def _summarise(page: Page, file: Path) -> None:
    """Append to the step's summary; a diagnosis that was told does not fail for that."""
    from envcheck.report.formats.github import append_summary  # noqa: PLC0415 - as above

    try:
        append_summary(page, file)
    except OSError as error:
        note(f"GITHUB_STEP_SUMMARY: {file} cannot be written: {error.strerror}")
