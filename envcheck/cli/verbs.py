"""The verbs: parse, call one function, show, exit. No logic.

Each verb imports what it needs when it runs, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

from typing import Annotated

import typer
import typer.core

from envcheck import __version__, errors
from envcheck.cli.cache import cache_app
from envcheck.cli.data import data_app
from envcheck.cli.doctor import doctor
from envcheck.cli.options import (
    CudaOption,
    FileOption,
    Format,
    FormatOption,
    GpusOption,
    HostsOption,
    PythonOption,
    RecipeOption,
    RequirementsOption,
    TorchOption,
)
from envcheck.cli.recipes import recipes_app, tables_app
from envcheck.cli.runs import build, bundle, exec_, replay, run, shell
from envcheck.errors import StoppedError


class _Verbs(typer.core.TyperGroup):
    """The verbs; typer itself would end an interruption without a word."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the verb that was typed. Raises `StoppedError` when somebody stops it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None


app = typer.Typer(
    cls=_Verbs,
    help="Says what is wrong with this machine, and runs your training in the environment that fits it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_AS_TYPED = {"allow_extra_args": True, "ignore_unknown_options": True}
app.add_typer(recipes_app, name="recipes")
app.add_typer(tables_app, name="tables")
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(f"envcheck {__version__}")
        raise typer.Exit


app.command()(doctor)


@app.command()
def probe(output: FileOption = None) -> None:
    """Print this machine's facts as JSON."""
    from envcheck.host.probe import probe as probe_host
    from envcheck.report.console import answer

    answer(probe_host(), None, as_json=True, file=output)


@app.command()
def pick(
    host: HostsOption = None,
    torch: TorchOption = None,
    cuda: CudaOption = None,
    python: PythonOption = None,
    requirements: RequirementsOption = None,
    gpus: GpusOption = None,
    recipe: RecipeOption = None,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Choose the recipe that runs here, and say why, and why not the others."""
    from envcheck.choice.fleet import Fleet
    from envcheck.report.choice import choice_screen
    from envcheck.report.console import answer
    from envcheck.report.fleet import fleet_screen
    from envcheck.situation import Request, look, survey

    request = Request(recipe, gpus, torch, cuda, python, requirements)
    seen = survey(host, request) if host else look(request=request)
    if isinstance(seen, Fleet):
        answer(seen, fleet_screen(seen), as_json=format is Format.json)
        raise typer.Exit(errors.FAILED if seen.uncovered else errors.OK)
    answer(seen.choice, choice_screen(seen), as_json=format is Format.json)
    if seen.choice.recipe is None:
        raise typer.Exit(errors.FAILED)


@app.command()
def builds(
    host: HostsOption = None,
    torch: TorchOption = None,
    cuda: CudaOption = None,
    python: PythonOption = None,
    requirements: RequirementsOption = None,
    gpus: GpusOption = None,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Judge every official torch build for this machine, or for others."""
    from envcheck.report.builds import builds_screen
    from envcheck.report.console import answer
    from envcheck.situation import Request, judge_official

    request = Request(None, gpus, torch, cuda, python, requirements)
    judged, machine = judge_official(host or (), request)
    answer(judged, builds_screen(judged, machine), as_json=format is Format.json)
    if not judged.running:
        raise typer.Exit(errors.FAILED)


@app.command()
def explain(
    log: Annotated[str, typer.Argument(metavar="LOGFILE|-", help="Of a training or a build; -: stdin.")],
    format: FormatOption = Format.text,  # noqa: A002
    output: FileOption = None,
) -> None:
    """Say what went wrong by what a log says, the cause first, and what to do."""
    from envcheck.explain.explain import explain as explain_log
    from envcheck.report.console import answer
    from envcheck.report.explain import explain_screen

    explanation = explain_log(log)
    answer(explanation, explain_screen(explanation), as_json=format is Format.json, file=output)
    if not explanation.causes:
        raise typer.Exit(errors.FAILED)


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its id, or a bundle of it.")],
    second: Annotated[str, typer.Argument(metavar="RUN")],
    format: FormatOption = Format.text,  # noqa: A002
    output: FileOption = None,
) -> None:
    """Say what differs between two runs, the likeliest cause of another result on top."""
    from envcheck.repeat.diff import compare
    from envcheck.repeat.find import find_record
    from envcheck.report.console import answer
    from envcheck.report.diff import diff_screen

    comparison = compare(find_record(first), find_record(second))
    answer(comparison, diff_screen(comparison), as_json=format is Format.json, file=output)


app.command()(replay)
app.command()(bundle)
app.command()(build)
app.command(add_help_option=False, context_settings=_AS_TYPED)(run)
app.command("exec", context_settings=_AS_TYPED)(exec_)
app.command()(shell)
