"""The verbs of the command line: parse, call one function, show, exit. No logic.

Each verb imports what it needs when it runs, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envcheck import __version__, errors
from envcheck.errors import EnvcheckError, UsageError
from envcheck.report.console import Steps, show_error, stderr, stdout

if TYPE_CHECKING:
    from envcheck.choose import Choice
    from envcheck.host.facts import Host

# typer carries its own click, or uses the installed one, depending on its release: this is UsageError's base
# in either, the class of everything that a command line can have wrong.
_ClickError = typer.BadParameter.__mro__[2]

app = typer.Typer(
    help="Takes this machine as it is, says what is wrong with it, and runs your training where it really runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
recipes_app = typer.Typer(help="The pinned environments.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(recipes_app, name="recipes")


class Format(str, Enum):
    """How an answer is written."""

    text = "text"
    json = "json"


class Level(str, Enum):
    """From which status on doctor's exit code is 1."""

    error = "error"
    warn = "warn"
    never = "never"


class In(str, Enum):
    """Where a command runs."""

    auto = "auto"
    venv = "venv"
    current = "current"


class Stage(str, Enum):
    """What pose can do."""

    train = "train"
    test = "test"
    pred = "pred"
    synth = "synth"
    demo = "demo"
    env = "env"


HostOption = Annotated[str | None, typer.Option("--host", metavar="FILE", help="A snapshot by `envcheck probe`; - is stdin.")]
FormatOption = Annotated[Format, typer.Option("--format", help="For people or for programs.")]
OutputOption = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write here instead of stdout.")]
GpusOption = Annotated[
    str | None, typer.Option("--gpus", metavar="LIST|none", help="Indices or UUIDs, comma between them; none: the CPU.")
]
RecipeOption = Annotated[str | None, typer.Option("--recipe", metavar="NAME|FILE", help="This recipe and no other.")]
InOption = Annotated[In, typer.Option("--in", help="A built virtual environment, or this interpreter as it is.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,  # noqa: FBT002
) -> None:
    if version:
        typer.echo(f"envcheck {__version__}")
        raise typer.Exit


@app.command()
def doctor(
    host: HostOption = None,
    format: FormatOption = Format.text,  # noqa: A002 - the option's name
    output: OutputOption = None,
    fail_on: Annotated[Level, typer.Option("--fail-on", help="From which status on the exit code is 1.")] = Level.error,
) -> None:
    """Say what is wrong with this machine, the cause first, and what would run on it."""
    from envcheck.doctor.diagnose import diagnose
    from envcheck.report.screens import doctor_screen

    facts, choice = _facts_and_choice(host, None, None)
    diagnosis = diagnose(facts, choice)
    _answer(diagnosis, lambda: doctor_screen(diagnosis, facts, choice), format, output)
    if fail_on is not Level.never and diagnosis.reaches(fail_on.value):
        raise typer.Exit(errors.FAILED)


@app.command()
def probe(output: OutputOption = None) -> None:
    """Print this machine's facts as JSON."""
    from envcheck.host.probe import probe as probe_host

    _answer(probe_host(), None, Format.json, output)


@app.command()
def pick(
    host: HostOption = None,
    gpus: GpusOption = None,
    recipe: RecipeOption = None,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Choose the recipe that runs here, and say why, and why not the others."""
    from envcheck.report.screens import choice_screen

    facts, choice = _facts_and_choice(host, recipe, gpus)
    _answer(choice, lambda: choice_screen(choice, facts), format, None)
    if choice.recipe is None:
        raise typer.Exit(errors.FAILED)


@app.command()
def build(
    recipe: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="A name or a file; else the one that fits.")] = None,
    gpus: GpusOption = None,
) -> None:
    """Build the picked environment, and print the interpreter inside it."""
    from envcheck.prepare import prepare

    facts, choice = _facts_and_choice(None, recipe, gpus)
    place = prepare(_fitting(choice, recipe), choice, facts, "venv", Steps())
    typer.echo(place.python)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def run(
    context: typer.Context,
    stage: Annotated[Stage | None, typer.Argument(metavar="STAGE")] = None,
    recipe: RecipeOption = None,
    place: InOption = In.auto,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The dataset: sets DATASET.ROOT.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Where results and runs/ go: sets OUTPUT_DIR.")
    ] = None,
    gpus: GpusOption = None,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Same seed, same bits.")] = False,  # noqa: FBT002
    help: Annotated[bool, typer.Option("--help", help="Show this, and the stage's own help.")] = False,  # noqa: A002, FBT002
) -> None:
    """Run a stage of pose in the environment that fits: train, test, pred, synth, demo, env.

    Options named here are envcheck's wherever they stand; everything else goes to the stage as it is typed.
    """
    from envcheck.report.screens import run_footer, run_header
    from envcheck.runs.run import Order, run_stage

    if help or stage is None:
        _show_help(context, stage)
        return
    facts, choice = _facts_and_choice(None, recipe, gpus)
    chosen = _fitting(choice, recipe)
    order = Order.prepare(
        chosen,
        choice,
        facts,
        wanted=place.value,
        watch=Steps(),
        typed=tuple(sys.argv[2:]),
        arguments=_stage_arguments(stage, data, output, deterministic, context.args),
    )
    stderr().print(run_header(order))
    finished = run_stage(order, output or Path.cwd())
    stderr().print(run_footer(finished))
    raise typer.Exit(finished.record.exit_code or 0)
