"""The verbs: parse, call one function, show, exit. No logic.

Each verb imports what it needs when it runs, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from envcheck import __version__, errors
from envcheck.cli.options import (
    CudaOption,
    FileOption,
    Format,
    FormatOption,
    GpusOption,
    HostOption,
    HostsOption,
    In,
    InOption,
    Level,
    PythonOption,
    RecipeOption,
    RequirementsOption,
    Stage,
    TorchOption,
)
from envcheck.cli.recipes import recipes_app, tables_app
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
app.add_typer(recipes_app, name="recipes")
app.add_typer(tables_app, name="tables")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(f"envcheck {__version__}")
        raise typer.Exit


@app.command()
def doctor(
    host: HostOption = None,
    format: FormatOption = Format.text,  # noqa: A002 - the option's name
    output: FileOption = None,
    fail_on: Annotated[
        Level, typer.Option("--fail-on", help="From which status on the exit code is 1.")
    ] = Level.error,
) -> None:
    """Say what is wrong with this machine, the cause first, and what would run on it."""
    from envcheck.doctor.diagnose import diagnose
    from envcheck.report.console import answer
    from envcheck.report.doctor import doctor_screen
    from envcheck.situation import look

    seen = look(host)
    diagnosis = diagnose(seen.host, seen.choice)
    answer(diagnosis, doctor_screen(diagnosis, seen), as_json=format is Format.json, file=output)
    if fail_on is not Level.never and diagnosis.reaches(fail_on.value):
        raise typer.Exit(errors.FAILED)


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
def build(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A name or a file; else the one that fits.")
    ] = None,
    gpus: GpusOption = None,
) -> None:
    """Build an environment, and print the interpreter inside it."""
    from envcheck.environments.prepare import prepare
    from envcheck.report.console import Steps
    from envcheck.situation import Request, look

    seen = look(request=Request(recipe, gpus))
    place = prepare(seen.recipe, seen.python, seen.host, "venv", Steps())
    typer.echo(place.python)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def run(
    context: typer.Context,
    stage: Annotated[Stage | None, typer.Argument(help="What to run.")] = None,
    recipe: RecipeOption = None,
    place: InOption = In.auto,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The dataset: sets DATASET.ROOT.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="For results and runs/: sets OUTPUT_DIR.")
    ] = None,
    gpus: GpusOption = None,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Only repeatable kernels.")] = False,
    help: Annotated[bool, typer.Option("--help", help="This text, and the stage's own.")] = False,  # noqa: A002
) -> None:
    """Run a stage of pose in the environment that fits.

    The options below are envcheck's, wherever they stand; everything else goes to the stage as it was typed.
    """
    from envcheck.environments.place import Place
    from envcheck.environments.prepare import kind_of, prepare, program_of_pose
    from envcheck.report.console import Steps, show
    from envcheck.report.run import footer, header
    from envcheck.runs.run import Job, run_stage
    from envcheck.situation import Request, look

    if help or stage is None:
        typer.echo(context.get_help())
        raise typer.Exit(_stage_help(stage) if stage else errors.OK)
    seen = look(request=Request(recipe, gpus))
    kind, why = kind_of(place.value)
    job = Job(
        typed=tuple(sys.argv[2:]),
        arguments=(stage.value, *_shared_options(stage, data, output, deterministic), *context.args),
        program=program_of_pose(),
        situation=seen,
    )

    def ready() -> Place:
        python = seen.python if kind == "venv" else ""  # the interpreter at hand has one already
        prepared = prepare(seen.recipe, python, seen.host, kind, Steps())
        show(header(job, prepared, why))
        return prepared

    finished = run_stage(job, output or Path.cwd(), ready)
    show(footer(finished))
    raise typer.Exit(finished.record.exit_code or errors.OK)


def _stage_help(stage: Stage) -> int:
    """Show a stage's own help; pose answers it without torch, so this interpreter will do."""
    from envcheck.environments.prepare import program_of_pose
    from envcheck.processes import stream

    return stream([sys.executable, str(program_of_pose()), stage.value, "--help"])


def _shared_options(
    stage: Stage, data: Path | None, output: Path | None, deterministic: bool
) -> tuple[str, ...]:
    """Return the options that are envcheck's and the stage's at once, as the stage takes them."""
    options: list[str] = []
    if data is not None:
        options += ["--data", str(data)]
    if output is not None and stage is not Stage.env:  # which writes nothing but its run's folder
        options += ["--output", str(output)]
    if deterministic:
        options += ["--deterministic"]
    return tuple(options)
