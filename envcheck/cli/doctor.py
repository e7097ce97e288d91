"""The verb `doctor`; like the others, without logic."""

from __future__ import annotations

import os
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envcheck.cli.options import FileOption, HostOption, In, InOption, Level
from envcheck.errors import UsageError

if TYPE_CHECKING:
    from envcheck.environments.prepare import Terms


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
_DeepOption = Annotated[
    bool,
    typer.Option(
        "--deep", help="Build or reuse the picked environment, and prove in it that every GPU computes right."
    ),
]
_StressOption = Annotated[
    bool, typer.Option("--stress", help="Let NVIDIA's dcgmi load every GPU: a quarter of an hour, and more.")
]
_FixOption = Annotated[
    bool, typer.Option("--fix", help="Show the plan: every fix in its order, and who is to carry it out.")
]
_YesOption = Annotated[
    bool, typer.Option("--yes", help="With --fix: take the steps that need no root and can be undone.")
]
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
    deep: _DeepOption = False,
    place: InOption = In.auto,
    stress: _StressOption = False,
    fix: _FixOption = False,
    yes: _YesOption = False,
) -> None:
    """Say what is wrong with this machine, the cause first, and what would run on it."""
    from envcheck.host.probe import probing

    _refuse(host=host, deep=deep, place=place, stress=stress, fix=fix, yes=yes)
    facts = probing() if host is None and not list_ else None
    # Imported while others are asked.
    from envcheck.doctor.drift import look_back
    from envcheck.doctor.selection import EVERYTHING, asked_for, checks_for, given
    from envcheck.report.steps import Steps
    from envcheck.report.tell import tell, tell_checks
    from envcheck.situation import look
    from envcheck.trials.visit import Visit, attend

    has = given(baseline=baseline is not None, project=project is not None, deep=deep, stress=stress)
    checks = checks_for(only or (), skip or (), given=EVERYTHING if list_ else has)
    if list_:
        tell_checks(checks, format.value if format else "text", output)
        return
    wanted = format or (PageFormat.text if fix else _default_format(output))
    if fix and wanted not in (PageFormat.text, PageFormat.json):
        raise UsageError(f"--fix has no format {wanted.value}", "It is text or json.")
    before = look_back(baseline) if baseline is not None else None
    terms = _terms(place) if deep else None
    visit = Visit(
        checks=checks, baseline=before, project=project, deep=terms, stress=stress, plan=fix, mend=yes
    )
    seen, diagnosis = attend(partial(look, host, facts=facts, obeys=False), visit, Steps())
    tell(diagnosis, seen, wanted.value, output, fail_on=fail_on.status, whole=not only)
    if code := diagnosis.exit_code(fail_on.status, asked=asked_for(checks, only or ())):
        raise typer.Exit(code)


def _default_format(output: Path | None) -> PageFormat:
    """Return the format that was not named: commands to GitHub are heard on standard output only."""
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true" and output is None
    return PageFormat.github if in_actions else PageFormat.text


def _terms(place: In) -> Terms:
    from envcheck.environments.prepare import Terms  # who only looks does not wait for it

    return Terms(place.value)


def _refuse(*, host: str | None, deep: bool, place: In, stress: bool, fix: bool, yes: bool) -> None:
    """Raise `UsageError` for options that mean nothing together."""
    named = [name for name, asked in (("--deep", deep), ("--stress", stress), ("--yes", yes)) if asked]
    if host is not None and named:
        raise UsageError(f"{named[0]} does something on this machine, and --host names another one")
    if yes and not fix:
        raise UsageError("--yes says yes to a plan, and there is none", "envcheck doctor --fix --yes")
    if place is not In.auto and not deep:
        raise UsageError("--in says where the proof is made, and there is none", "--deep makes one.")
