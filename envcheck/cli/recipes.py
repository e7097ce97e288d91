"""The verbs of what envcheck knows: `recipes ...` and `tables ...`; like the others, without logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envcheck import errors
from envcheck.cli.options import FileOption, Format, FormatOption, Machine, MachineOption

recipes_app = typer.Typer(help="The pinned environments.", no_args_is_help=True, rich_markup_mode=None)
tables_app = typer.Typer(help="What is known of torch builds.", no_args_is_help=True, rich_markup_mode=None)


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
    from envcheck.report.steps import Steps

    typer.echo(relock(load_recipe(name), python, Steps(), machine.value))


@recipes_app.command("sbom")
def recipes_sbom(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    python: Annotated[
        str | None, typer.Option("--python", metavar="X.Y", help="Which lock; else the container's.")
    ] = None,
    output: FileOption = None,
) -> None:
    """Print a recipe's bill of materials as CycloneDX: its wheels with their digests, and its base image."""
    from envcheck.recipes import load_recipe
    from envcheck.report.console import answer
    from envcheck.sbom import bill_of_materials

    recipe = load_recipe(name)
    answer(bill_of_materials(recipe, python or recipe.container_python), None, as_json=True, file=output)


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
    from envcheck.report.console import show
    from envcheck.report.steps import Steps

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
    from envcheck.audit.audit import Audit, Means, audit
    from envcheck.paths import cache_dir
    from envcheck.recipes import load_recipe, load_recipes
    from envcheck.report.console import answer
    from envcheck.report.recipes import audit_screen
    from envcheck.report.steps import Steps

    recipes = tuple(map(load_recipe, names)) if names else load_recipes()
    means = Means(cache_dir(), Steps(), online=not offline, deep=deep)
    found = Audit(checks=tuple(check for recipe in recipes for check in audit(recipe, means)))
    answer(found, audit_screen(found), as_json=format is Format.json)
    if found.fails:
        raise typer.Exit(errors.FAILED)


@recipes_app.command("fetch")
def recipes_fetch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="A name or a file; else the one that fits.")
    ] = None,
) -> None:
    """Fetch a recipe's wheels, and print the requirements file that installs them without network."""
    from envcheck.environments.prepare import fetch
    from envcheck.report.steps import Steps
    from envcheck.situation import Request, look

    seen = look(request=Request(name))
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
    from envcheck.report.console import answer
    from envcheck.report.steps import Steps
    from envcheck.report.tables import row_screen

    row = measure(what, machine.value, Steps())
    answer(row, row_screen(row), as_json=format is Format.json)
    if row.differences:
        raise typer.Exit(errors.FAILED)
