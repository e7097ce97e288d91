"""The verbs of the command line: parse, call one function, show, exit. No logic.

Each verb imports what it needs when it runs, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, cast

import typer
import typer.core

from envcheck import __version__, errors
from envcheck.errors import BugError, EnvcheckError, StoppedError, UsageError

# typer brings its own click or uses the installed one, depending on its release. Either way
# BadParameter's grandparent is ClickException, the family of all that can be wrong with a command line.
_ClickException = cast("type[Exception]", typer.BadParameter.__mro__[2])


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
recipes_app = typer.Typer(help="The pinned environments.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(recipes_app, name="recipes")
tables_app = typer.Typer(help="What is known of torch builds.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(tables_app, name="tables")


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


class Machine(str, Enum):
    """What a wheel can be for, as uname says it."""

    x86_64 = "x86_64"
    aarch64 = "aarch64"


class Stage(str, Enum):
    """What pose can do."""

    demo = "demo"
    train = "train"
    test = "test"
    pred = "pred"
    synth = "synth"
    env = "env"


HostOption = Annotated[
    str | None,
    typer.Option("--host", metavar="FILE", help="Another machine's facts, by `envcheck probe`; -: stdin."),
]
HostsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="FILE|DIR|-", help="Other machines' facts; several: what covers them all."
    ),
]
TorchOption = Annotated[
    str | None, typer.Option("--torch", metavar="SPEC", help="1.13, 2.0.1+cu118, '>=2.1,<2.5'.")
]
CudaOption = Annotated[str | None, typer.Option("--cuda", metavar="SPEC", help="11.8, '>=12,<13'.")]
PythonOption = Annotated[str | None, typer.Option("--python", metavar="SPEC", help="3.11, '>=3.10'.")]
RequirementsOption = Annotated[
    Path | None,
    typer.Option(
        "--requirements",
        metavar="FILE",
        help="What a repository asks for: requirements.txt, pyproject.toml, environment.yml, Dockerfile.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="For people, or for programs.")]
FileOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write there, not to stdout.")
]
GpusOption = Annotated[
    str | None,
    typer.Option(
        "--gpus", metavar="LIST|none", help="Only these, by index or UUID, with commas; none: the CPU."
    ),
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="NAME|FILE", help="This recipe and no other.")
]
MachineOption = Annotated[Machine, typer.Option("--machine", help="The processor that the wheels are for.")]
InOption = Annotated[
    In, typer.Option("--in", help="A virtual environment built from the lock, or this interpreter as it is.")
]


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
    from envcheck.situation import Asked, look, survey

    asked = Asked(recipe, gpus, torch, cuda, python, requirements)
    seen = survey(host, asked) if host else look(asked=asked)
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
    from envcheck.situation import Asked, judge_official

    asked = Asked(None, gpus, torch, cuda, python, requirements)
    judged, machine = judge_official(host or (), asked)
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
    from envcheck.situation import Asked, look

    seen = look(asked=Asked(recipe, gpus))
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
    from envcheck.situation import Asked, look

    if help or stage is None:
        typer.echo(context.get_help())
        raise typer.Exit(_stage_help(stage) if stage else errors.OK)
    seen = look(asked=Asked(recipe, gpus))
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


@recipes_app.command("list")
def recipes_list() -> None:
    """List the recipes."""
    from envcheck.recipes import load_recipes
    from envcheck.report.console import show
    from envcheck.report.recipes import recipes_table

    show(recipes_table(load_recipes()), data=True)


@recipes_app.command("show")
def recipes_show(name: Annotated[str, typer.Argument(metavar="NAME|FILE")]) -> None:
    """Show a recipe: what it pins, why, and how far that was tried."""
    from envcheck.recipes import load_recipe
    from envcheck.report.console import show
    from envcheck.report.recipes import recipe_screen

    show(recipe_screen(load_recipe(name)), data=True)


@recipes_app.command("lock")
def recipes_lock(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    python: Annotated[str, typer.Option("--python", metavar="X.Y", help="The Python that the lock is for.")],
    machine: MachineOption = Machine.x86_64,
) -> None:
    """Resolve a recipe's lock anew and write it beside the recipe."""
    from envcheck.environments.author import relock
    from envcheck.recipes import load_recipe
    from envcheck.report.console import Steps

    typer.echo(relock(load_recipe(name), python, Steps(), machine.value))


@recipes_app.command("add")
def recipes_add(
    build: Annotated[str, typer.Argument(metavar="torch==X[+cuNNN]", help="An official build of torch.")],
    requirements: Annotated[
        Path | None,
        typer.Option("--requirements", metavar="FILE", help="Somebody's own packages, locked beside torch."),
    ] = None,
    python: Annotated[
        list[str] | None,
        typer.Option("--python", metavar="X.Y", help="A Python to lock for, again for each; else 3.11."),
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the recipe goes.")] = Path("recipes"),
    machine: MachineOption = Machine.x86_64,
) -> None:
    """Write a recipe for a build of torch, with its locks, and print its file."""
    from envcheck.choice.requirements.asked import Asked
    from envcheck.choice.requirements.read import read
    from envcheck.choice.wishes import Wishes
    from envcheck.environments.author import Wanted, add, parse_build
    from envcheck.report.console import Steps, show

    asked = read(requirements) if requirements else Asked(wishes=Wishes())
    for origin in asked.wishes.origins:
        show(origin)
    wanted = Wanted(asked.packages, asked.constraints, tuple(python or ()))
    typer.echo(add(parse_build(build, machine.value), wanted, to, Steps()))


@recipes_app.command("check")
def recipes_check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FILE]...", help="Names or files; else every recipe.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no index whether the locks are complete.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Fetch torch's wheels to read them, gigabytes.")
    ] = False,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Prove that recipes keep what they promise, check by check; 1 if any does not."""
    from envcheck.paths import cache_dir
    from envcheck.proof.prove import Means, Proof, prove
    from envcheck.recipes import load_recipe, load_recipes
    from envcheck.report.console import Steps, answer
    from envcheck.report.recipes import proof_screen

    recipes = tuple(map(load_recipe, names)) if names else load_recipes()
    means = Means(cache_dir(), Steps(), online=not offline, deep=deep)
    proof = Proof(checks=tuple(check for recipe in recipes for check in prove(recipe, means)))
    answer(proof, proof_screen(proof), as_json=format is Format.json)
    if proof.fails:
        raise typer.Exit(errors.FAILED)


@recipes_app.command("fetch")
def recipes_fetch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="A name or a file; else the one that fits.")
    ] = None,
) -> None:
    """Fetch a recipe's wheels, and print the requirements file that installs them without network."""
    from envcheck.environments.prepare import fetch
    from envcheck.report.console import Steps
    from envcheck.situation import Asked, look

    seen = look(asked=Asked(name))
    typer.echo(fetch(seen.recipe, seen.python, seen.host, Steps()), nl=False)


@tables_app.callback()
def _tables() -> None:
    """Keep `measure` a verb of its own: typer makes a group's only command the group itself."""


@tables_app.command("measure")
def tables_measure(
    what: Annotated[
        str, typer.Argument(metavar="torch==X[+cuNNN]|WHEEL", help="A build, or a wheel's file.")
    ],
    machine: MachineOption = Machine.x86_64,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Read a build's row off its wheel; exit 1 where the table says otherwise."""
    from envcheck.measure.row import measure
    from envcheck.report.console import Steps, answer
    from envcheck.report.tables import row_screen

    row = measure(what, machine.value, Steps())
    answer(row, row_screen(row), as_json=format is Format.json)
    if row.differences:
        raise typer.Exit(errors.FAILED)


def main() -> None:
    """Run the command line; the one place where failures become words and exit codes."""
    from envcheck.report.console import show_error

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets ? for what it lacks
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: clear away, and say so
    as_json = "--format=json" in sys.argv or ("--format", "json") in pairwise(sys.argv)
    try:
        code = app(standalone_mode=False) or errors.OK
    except EnvcheckError as error:
        show_error(error, as_json=as_json)
        code = error.exit_code
    except _ClickException as error:
        message = cast("typer.BadParameter", error).format_message()
        if type(error).__name__ == "NoArgsIsHelpError":  # click's way to answer a bare command with its help
            typer.echo(message)
            sys.exit(errors.OK)
        show_error(UsageError(message, "envcheck --help shows what there is."), as_json=as_json)
        code = errors.USAGE
    except (KeyboardInterrupt, typer.Abort):  # before or after the verb
        show_error(StoppedError(), as_json=as_json)
        code = errors.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; pointing stdout away keeps the interpreter's own flush quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = errors.FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        failure = EnvcheckError(
            f"{where}{error.strerror or error}", "Is there room, and may you write there?"
        )
        show_error(failure, as_json=as_json)
        code = failure.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary: what is left is a bug of ours
        traceback.print_exc()
        show_error(BugError(error), as_json=as_json)
        code = errors.BUG
    sys.exit(code)


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
