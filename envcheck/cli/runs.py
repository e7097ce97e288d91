"""The verbs that build and run: parse, call one function, show, exit. No logic."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envcheck import errors
from envcheck.cli.options import (
    BaseImageOption,
    BuiltIn,
    BuiltInOption,
    BundleOption,
    CpusOption,
    DataOption,
    EnvOption,
    FileOption,
    Format,
    FormatOption,
    GpusOption,
    In,
    InOption,
    MemoryOption,
    NetworkOption,
    OutputOption,
    RecipeOption,
    Stage,
)
from envcheck.errors import UsageError

if TYPE_CHECKING:
    from envcheck.environments.prepare import Ready
    from envcheck.runs.book import Job
    from envcheck.runs.order import Order


def build(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A name or a file; else the one that fits.")
    ] = None,
    place: BuiltInOption = BuiltIn.auto,
    gpus: GpusOption = None,
    base_image: BaseImageOption = None,
) -> None:
    """Build an environment, and print its image or the interpreter inside it."""
    from rich.text import Text

    from envcheck.environments.prepare import Terms, prepare
    from envcheck.report.console import show
    from envcheck.report.steps import Steps
    from envcheck.situation import Request, look

    seen = look(request=Request(recipe, gpus))
    terms = Terms(place.value, base_image)
    ready = prepare(terms, seen.recipe, seen.host, lambda: seen.python, Steps(), gpus=bool(seen.judged))
    if ready.why:
        show(Text(f"{ready.place.kind}: {ready.why}"))
    typer.echo(ready.place.image.name if ready.place.image else ready.place.python)


def run(
    context: typer.Context,
    stage: Annotated[Stage | None, typer.Argument(help="What to run.")] = None,
    recipe: RecipeOption = None,
    place: InOption = In.auto,
    data: DataOption = None,
    output: OutputOption = None,
    gpus: GpusOption = None,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Only repeatable kernels.")] = False,
    network: NetworkOption = False,
    base_image: BaseImageOption = None,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    env: EnvOption = None,
    bundle: BundleOption = None,
    help: Annotated[bool, typer.Option("--help", help="This text, and the stage's own.")] = False,  # noqa: A002
) -> None:
    """Run a stage of pose in the environment that fits.

    The options below are envcheck's, wherever they stand; everything else goes to the stage as it was typed.
    """
    if help or stage is None:
        typer.echo(context.get_help())
        raise typer.Exit(_stage_help(stage) if stage else errors.OK)
    words = (stage.value, *_shared_options(stage, data, output, deterministic), *context.args)
    options = (recipe, place, data, output, gpus, network, base_image, memory, cpus, env)
    _finish(_order(stage.value, words, *options, is_stage=True), bundle)


def exec_(
    context: typer.Context,
    recipe: RecipeOption = None,
    place: InOption = In.auto,
    data: DataOption = None,
    output: OutputOption = None,
    gpus: GpusOption = None,
    network: NetworkOption = False,
    base_image: BaseImageOption = None,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    env: EnvOption = None,
    bundle: BundleOption = None,
) -> None:
    """Run anybody's command in the environment that fits: envcheck exec [OPTIONS] -- COMMAND ...

    In a container the command can write into the working directory and --output, and read --data and whatever
    it names on its command line.
    """
    if not context.args:
        raise UsageError("There is no command", "envcheck exec -- python train.py")
    options = (recipe, place, data, output, gpus, network, base_image, memory, cpus, env)
    _finish(_order("exec", tuple(context.args), *options), bundle)


def shell(
    recipe: RecipeOption = None,
    place: InOption = In.auto,
    data: DataOption = None,
    output: OutputOption = None,
    gpus: GpusOption = None,
    network: NetworkOption = False,
    base_image: BaseImageOption = None,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    env: EnvOption = None,
    bundle: BundleOption = None,
) -> None:
    """Open a shell in the environment that fits."""
    options = (recipe, place, data, output, gpus, network, base_image, memory, cpus, env)
    _finish(_order("shell", (), *options), bundle)


def bundle(
    name: Annotated[str, typer.Argument(metavar="RUN|RECIPE", help="A run, or a recipe's name or file.")],
    output: FileOption = None,
    python: Annotated[
        list[str] | None,
        typer.Option("--python", metavar="X.Y", help="A Python to bundle for, again for each."),
    ] = None,
    image: Annotated[
        bool, typer.Option("--image", help="With the image of its environment, for docker or podman.")
    ] = False,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Write a run or a recipe with all its wheels into one file, for a machine without network.

    It has locks, wheels and pose; of a run also record, config, weights and detections, but no data set.
    """
    from envcheck.bundle.gather import of_recipe, of_run
    from envcheck.bundle.pack import bundle as write
    from envcheck.recipes import is_recipe, load_recipe
    from envcheck.repeat.find import find_run
    from envcheck.report.bundle import bundled_screen
    from envcheck.report.console import answer
    from envcheck.report.steps import Steps

    pythons = tuple(python or ())
    asked = of_recipe(load_recipe(name), pythons) if is_recipe(name) else of_run(*find_run(name), pythons)
    done = write(asked, output or Path(f"{asked.name}.bundle.tar"), Steps(), image=image)
    answer(done, bundled_screen(done), as_json=format is Format.json)


def replay(
    name: Annotated[
        str, typer.Argument(metavar="RUN|FILE", help="A run's folder, its id, or a bundle of it.")
    ],
    place: Annotated[
        In | None, typer.Option("--in", help="In place of the kind of environment that it ran in.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="For the results; a fresh folder here otherwise."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where its data set lies now.")
    ] = None,
    format: FormatOption = Format.text,  # noqa: A002
) -> None:
    """Repeat a run from its record, and say whether the same came out: to the bit, or within a tolerance."""
    from envcheck.repeat.find import find_repeatable
    from envcheck.repeat.replay import plan, repeat
    from envcheck.report.console import answer, note
    from envcheck.report.replay import verdict_screen
    from envcheck.report.steps import Steps

    record, bundle = find_repeatable(name, Steps())
    planned = plan(record, place.value if place else None, output, bundle, data)
    for sentence in (*planned.lacking, *planned.notes):
        note(f"cannot be restored: {sentence}")
    verdict, folder = repeat(record, planned, Steps(), _announce)
    answer(verdict, verdict_screen(verdict, folder), as_json=format is Format.json)
    if verdict.exit_code:
        raise typer.Exit(verdict.exit_code)


def _order(
    name: str,
    words: tuple[str, ...],
    recipe: str | None,
    place: In,
    data: Path | None,
    output: Path | None,
    gpus: str | None,
    network: bool,
    base_image: str | None,
    memory: str | None,
    cpus: float | None,
    env: list[str] | None,
    *,
    is_stage: bool = False,
) -> Order:
    """Return what `run`, `exec` and `shell` have in common, its texts read. Raises `UsageError`."""
    from envcheck.runs.order import Order

    if cpus is not None and not math.isfinite(cpus):
        raise UsageError(f"--cpus {cpus} is no number of cores", "For example 2 or 0.5")
    return Order(
        typed=tuple(sys.argv[2:]),
        name=name,
        arguments=words,
        is_stage=is_stage,
        recipe=recipe,
        gpus=gpus,
        kind=place.value,
        base_image=base_image,
        variables=_variables(env or ()),
        network=network,
        memory=_bytes(memory),
        cpus=cpus,
        data=data,
        output=output,
    )


def _finish(order: Order, file: Path | None) -> None:
    """Run something to its end, say what runs and what came out, and exit with its code."""
    from envcheck.report.steps import Steps
    from envcheck.runs.order import carry_out

    if file is not None:
        from envcheck.bundle.use import with_bundle  # no other run waits for it

        order = with_bundle(order, file, Steps())
    finished = carry_out(order, Steps(), _announce)
    from envcheck.report.console import show
    from envcheck.report.run import footer

    show(footer(finished))
    raise typer.Exit(finished.record.exit_code or errors.OK)


def _announce(job: Job, at: Ready) -> None:
    from envcheck.report.console import show  # rich is imported while the command starts
    from envcheck.report.run import header

    show(header(job, at))


def _variables(words: Sequence[str]) -> dict[str, str]:
    """Return what --env says: NAME as it is here, or NAME=VALUE."""
    found = {}
    for word in words:
        name, has_value, value = word.partition("=")
        if not has_value and name not in os.environ:
            raise UsageError(f"--env {name!r:.60}: there is no such variable", "--env NAME=VALUE sets one.")
        found[name] = value if has_value else os.environ[name]
    return found


def _bytes(size: str | None) -> int | None:
    if size is None:
        return None
    from envcheck.engine.containers import bytes_of  # no run without a limit waits for it here

    return bytes_of(size)


def _stage_help(stage: Stage) -> int:
    """Show a stage's own help; pose answers it without torch, so this interpreter will do."""
    from envcheck.environments.program import program_of_pose
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
