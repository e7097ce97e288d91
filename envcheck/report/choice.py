"""The choice: what runs here, on which evidence, what was wished for, then what was not taken, and why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import chain

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envcheck.choice.answers import Answer
from envcheck.choice.candidates import Judgement
from envcheck.recipes import Recipe
from envcheck.report.host import host_lines
from envcheck.situation import Situation


def choice_screen(situation: Situation) -> RenderableType:
    """Return the screen of `pick`: the machine, the choice with its evidence, the others."""
    parts = [
        _machine(situation),
        chosen_lines(situation),
        _origins(situation),
        _official(situation),
        _base(situation),
        _others(situation),
    ]
    shown = [part for part in (*parts, _next(situation)) if part is not None]
    return Group(*chain.from_iterable((part, "") for part in shown[:-1]), shown[-1])


def chosen_lines(situation: Situation) -> RenderableType:
    """Return the picked recipe and its reasons, or why there is none and what comes nearest."""
    choice, recipe = situation.choice, situation.chosen
    if recipe is None:
        asked = f"No recipe meets {choice.wish} and runs" if choice.wish else "No recipe runs"
        if situation.request.recipe is not None:
            asked = f"Recipe {situation.request.recipe} does not run"
        return Group(
            Text(f"{asked} on this machine.", style="bold red"),
            Padding(Text(choice.advice), (0, 0, 0, 2)),
        )
    head = Text.assemble(
        "This machine runs  ", (recipe.name, "bold green"), "   ", _contents(recipe, choice.python)
    )
    return Group(
        head, Padding(Text(choice.advice), (0, 0, 0, 2)), _evidence(_verdict_on(situation, recipe.name))
    )


def _contents(recipe: Recipe, python: str | None) -> str:
    cuda = f"CUDA {recipe.cuda}" if recipe.cuda is not None else "no CUDA"
    return f"torch {recipe.torch} · {cuda} · Python {python or recipe.container_python}"


def _verdict_on(situation: Situation, name: str) -> Judgement:
    return next(one for one in situation.choice.verdicts if one.recipe == name)


def _evidence(judgement: Judgement) -> RenderableType:
    """Return the reasons of a fit, each with the number of its source, and the sources under them."""
    sources = list(dict.fromkeys(reason.source for reason in judgement.reasons if reason.source))
    table = _grid()
    for reason in judgement.reasons:
        number = f"  [{sources.index(reason.source) + 1}]" if reason.source else ""
        table.add_row(Text(reason.rule, style="cyan"), Text.assemble(reason.because, (number, "dim")))
    for index, source in enumerate(sources, start=1):
        table.add_row(Text(f"[{index}]", style="dim"), Text(source, style="dim"))
    return table


def _origins(situation: Situation) -> RenderableType | None:
    """Return where the wishes of a file were read, and what of it was left out."""
    told = situation.choice.origins if situation.request.requirements is not None else ()
    return Group(Text("Asked for"), *(Text(f"  {one}") for one in told)) if told else None


def _official(situation: Situation) -> RenderableType | None:
    """Return the official builds for the wish, and the newest; None where the choice is all of them."""
    choice = situation.choice
    told = [one for one in choice.answers if choice.wish or one.recipe != choice.recipe or one.recipe is None]
    if not told:
        return None
    table = _grid()
    for one in told:
        table.add_row(Text(one.kind, style="cyan"), _answer(one))
    return Group(Text("Among PyTorch's official builds"), table)


def _machine(situation: Situation) -> RenderableType:
    """Return the machine, and which of its GPUs CUDA_VISIBLE_DEVICES leaves."""
    machine = host_lines(situation.host)
    return Group(machine, Text(situation.visible)) if situation.visible else machine


def _base(situation: Situation) -> RenderableType | None:
    if not situation.choice.base:
        return None
    table = _grid()
    for reason in situation.choice.base:
        table.add_row(Text(reason.verdict, style="cyan"), Text(f"{reason.because} {reason.remedy}".rstrip()))
    return Group(Text("Its base image, in a container"), table)


def _answer(answer: Answer) -> Text:
    if answer.torch is None:
        return Text.assemble(("none", "bold"), f". {answer.because}")
    why = f", {answer.because}" if answer.because else ""
    return Text.assemble((f"{answer.torch} {answer.tag}", "bold"), f"{why}:  ", (answer.command, "green"))


def _others(situation: Situation) -> RenderableType:
    """Return the recipes that were not taken, those with the same reasons together."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for one in situation.choice.verdicts:
        if one.recipe != situation.choice.recipe:
            groups.setdefault(tuple(_why_not(one, situation)), []).append(one.recipe)
    table = _grid()
    for reasons, names in groups.items():
        for row, (rule, because) in enumerate(reasons):
            shown = Text("\n".join(names), style="bold") if row == 0 else ""
            table.add_row(shown, Text.assemble((f"{rule}  ", "cyan"), because))
    return Group(Text("Why not the others"), table) if groups else Text("There are no others.")


def _why_not(judgement: Judgement, situation: Situation) -> Iterable[tuple[str, str]]:
    obstacles = [reason for reason in judgement.reasons if reason.verdict != "fits"]
    if judgement.verdict == "refused":
        obstacles = [reason for reason in obstacles if reason.verdict == "refused"]
    for reason in obstacles:
        yield reason.rule, reason.because
    if not obstacles:
        yield "fits", _why_not_taken(situation)


def _why_not_taken(situation: Situation) -> str:
    choice, chosen = situation.choice, situation.chosen
    if choice.wish:
        return f"It would run too, and {choice.wish} was asked for."
    if chosen is None:
        return "It would run."
    if chosen.cuda is None:
        return "It would run on the CPU too; the CUDA in it makes it large and is not needed."
    return f"It would run too; torch {choice.torch} is newer."


def _next(situation: Situation) -> RenderableType:
    where = "Next" if situation.is_here else "Next, on that machine"
    return Text(f"{where}:  {_next_command(situation)}")


def _next_command(situation: Situation) -> str:
    choice, request = situation.choice, situation.request
    if situation.chosen is None:
        ways = [one.command for one in choice.answers if one.command] if choice.wish else []
        return ways[0] if ways else "envcheck doctor"
    words = ["envcheck", "run"]
    if choice.wish:
        words += ["--recipe", request.recipe or situation.chosen.name]
    if request.gpus is not None:
        words += ["--gpus", request.gpus]
    return shlex.join([*words, "demo"])


def _grid() -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
