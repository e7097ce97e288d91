"""The verb `doctor`; like the others, without logic."""

from __future__ import annotations

from typing import Annotated

import typer

from envcheck.cli.options import FileOption, Format, FormatOption, HostOption, Level

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


def doctor(
    host: HostOption = None,
    only: _OnlyOption = None,
    skip: _SkipOption = None,
    fail_on: _FailOption = Level.error,
    format: FormatOption = Format.text,  # noqa: A002 - the option's name
    output: FileOption = None,
    list_: _ListOption = False,
) -> None:
    """Say what is wrong with this machine, the cause first, and what would run on it."""
    from envcheck.doctor.checks import CHECKS
    from envcheck.doctor.diagnose import diagnose
    from envcheck.doctor.selection import listing, select
    from envcheck.report.checks import checks_screen
    from envcheck.report.console import answer
    from envcheck.report.doctor import doctor_screen
    from envcheck.situation import look

    checks = select(CHECKS, only or (), skip or ())
    as_json = format is Format.json
    if list_:
        listed = listing(checks)
        answer(listed, checks_screen(listed), as_json=as_json, file=output)
        return
    seen = look(host)
    diagnosis = diagnose(seen.host, seen.choice, checks=checks)
    answer(diagnosis, doctor_screen(diagnosis, seen, whole=not only), as_json=as_json, file=output)
    if code := diagnosis.exit_code(fail_on.status, asked=bool(only)):
        raise typer.Exit(code)
