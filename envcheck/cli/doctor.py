"""The verb `doctor`; like the others, without logic."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.options import FileOption, HostOption, Level


class PageFormat(str, Enum):
    """How doctor's answer is written."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"
    github = "github"
    html = "html"


_BaselineOption = Annotated[
    str | None,
    typer.Option(
        "--baseline", metavar="FILE", help="Say what has changed since this snapshot, by `envcheck probe`."
    ),
]
_ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="DIR", help="Say what of this repository's files cannot work on the machine."
    ),
]
_OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="ID,...", help="These checks, or all of a room: driver.hang,gpu; repeatable."
    ),
]
_SkipOption = Annotated[
    list[str] | None, typer.Option("--skip", metavar="ID,...", help="Not these; repeatable.")
]
_ListOption = Annotated[
    bool, typer.Option("--list", help="Show the checks that there are, without looking at the machine.")
]
_FailOption = Annotated[Level, typer.Option("--fail-on", help="From which status on the exit code is 1.")]
_FormatOption = Annotated[
    PageFormat | None,
    typer.Option("--format", help="The default is text; github in a job of GitHub Actions."),
]


def doctor(
    host: HostOption = None,
    baseline: _BaselineOption = None,
    project: _ProjectOption = None,
    only: _OnlyOption = None,
    skip: _SkipOption = None,
    fail_on: _FailOption = Level.error,
    format: _FormatOption = None,  # noqa: A002 - the option's name
    output: FileOption = None,
    list_: _ListOption = False,
) -> None:
    """Say what is wrong with this machine, the cause first, and what would run on it."""
    from envcheck.doctor.checks import ALL
    from envcheck.doctor.diagnose import diagnose
    from envcheck.doctor.drift import look_back
    from envcheck.doctor.project.read import read_project
    from envcheck.doctor.selection import select
    from envcheck.report.tell import tell, tell_checks
    from envcheck.situation import look

    checks = select(
        ALL,
        only or (),
        skip or (),
        with_baseline=list_ or baseline is not None,
        with_project=list_ or project is not None,
    )
    if list_:
        tell_checks(checks, format.value if format else "text", output)
        return
    wanted = format or _default_format(output)
    before = look_back(baseline) if baseline is not None else None
    seen = look(host)
    theirs = read_project(project, seen.host) if project is not None else None
    diagnosis = diagnose(seen.host, seen.choice, checks=checks, baseline=before, project=theirs)
    tell(diagnosis, seen, wanted.value, output, fail_on=fail_on.status, whole=not only)
    if code := diagnosis.exit_code(fail_on.status, asked=bool(only)):
        raise typer.Exit(code)


def _default_format(output: Path | None) -> PageFormat:
    """Return the format that was not named: commands to GitHub are heard on standard output only."""
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true" and output is None
    return PageFormat.github if in_actions else PageFormat.text
