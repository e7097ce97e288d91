"""The verbs of data sets and weights: `data ...`; like the others, without logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck.cli.options import Format, FormatOption

data_app = typer.Typer(help="Data sets and weights.", no_args_is_help=True, rich_markup_mode=None)


@data_app.callback()
def _data() -> None:
    """Keep `get` a verb of its own: typer makes a group's only command the group itself."""


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="coco2017 or imagenet-weights.")],
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="PART,...", help="Some of it: val2017,annotations; resnet50."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="DIR",
            help="In place of the folder that the configs expect: data/coco, models/pytorch/imagenet.",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", metavar="URL", help="Another server with the same folders and files."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the archives, where DATASET.DATA_FORMAT zip finds them.")
    ] = False,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Fetch a data set, or weights, into the folder that the configs expect.

    Every file is checked by its digest. Whatever stops it, the same command goes on from there; what is there
    already is not fetched again.
    """
    from envcheck.data.get import get
    from envcheck.data.plan import plan
    from envcheck.report.console import answer, show
    from envcheck.report.data import data_screen, plan_screen
    from envcheck.report.steps import Steps

    parts = [word.strip() for word in only.split(",")] if only else []
    planned = plan(name, parts, to, mirror, keep=keep)
    if planned.missing:
        show(plan_screen(planned))
    got = get(planned, Steps())
    answer(got, data_screen(got), as_json=format is Format.json)
