"""The verbs of what is kept: `cache ...`; like the others, without logic."""

from __future__ import annotations

from typing import Annotated

import typer

from envcheck import errors
from envcheck.cli.options import Format, FormatOption

cache_app = typer.Typer(help="What is kept for the next run.", no_args_is_help=True, rich_markup_mode=None)


@cache_app.command("list")
def cache_list(format: FormatOption = Format.text) -> None:  # noqa: A002
    """Show what lies in the cache, how large it is, and when it was used last."""
    from envcheck.cache.images import with_images
    from envcheck.cache.kept import contents
    from envcheck.paths import cache_dir
    from envcheck.report.cache import contents_screen
    from envcheck.report.console import answer, note

    found = with_images(contents(cache_dir()))
    for sentence in found.notes:
        note(sentence)
    answer(found, contents_screen(found), as_json=format is Format.json)


@cache_app.command("verify")
def cache_verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is damaged and not in use: it is made anew.")
    ] = False,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Hold every wheel, environment and copy of pose against its digest."""
    from envcheck.cache.kept import contents
    from envcheck.cache.verify import verify
    from envcheck.paths import cache_dir
    from envcheck.report.cache import verified_screen
    from envcheck.report.console import answer
    from envcheck.report.steps import Steps

    verified = verify(contents(cache_dir()), Steps(), repair=repair)
    answer(verified, verified_screen(verified), as_json=format is Format.json)
    if verified.held or (verified.damaged and not repair):
        raise typer.Exit(errors.FAILED)


@cache_app.command("prune")
def cache_prune(
    keep_days: Annotated[
        float, typer.Option("--keep-days", metavar="N", help="What was used within N days stays.")
    ] = 30,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")
    ] = False,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Remove what nobody has used for a while; what a run holds stays.

    Copies of pose go too: a later replay of a run that used one runs today's pose, and says so.
    """
    from envcheck.cache.images import with_images
    from envcheck.cache.kept import contents
    from envcheck.cache.prune import prune
    from envcheck.paths import cache_dir
    from envcheck.report.cache import pruned_screen
    from envcheck.report.console import answer, note

    found = with_images(contents(cache_dir()))
    for sentence in found.notes:
        note(sentence)
    pruned = prune(found, keep_days, dry_run=dry_run)
    answer(pruned, pruned_screen(pruned), as_json=format is Format.json)
