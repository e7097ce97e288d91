"""What serves a file of a repository on a machine: a recipe, else the nearest official build. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from envcheck.doctor.project.facts import Listing, Project
from envcheck.doctor.project.meant import torches
from envcheck.host.facts import Host


@dataclass(frozen=True, slots=True)
class Serving:
    """One file, and what to type for it."""

    file: str
    recipe: str | None  # that has it
    because: str  # a sentence
    commands: tuple[str, ...]  # the first one does it, the others say more


def serving(project: Project, host: Host) -> tuple[Serving, ...]:
    """Return what serves each file that asks for torch."""
    return tuple(serves(one.listing) for one in torches(project, host))


def serves(listing: Listing) -> Serving:
    """Return what serves a file."""
    choice = listing.choice
    pick = shlex.join(["envcheck", "pick", "--requirements", listing.path])
    if choice.recipe is not None:
        because = f"{choice.recipe} has what it asks for and runs here: torch {choice.torch}."
        return Serving(listing.file, choice.recipe, because, (_inside(choice.recipe), pick))
    near = next((one for one in choice.answers if one.torch is not None), None)
    if near is None:
        return Serving(listing.file, None, choice.advice or "No official build of torch runs here.", (pick,))
    how = "is what it asks for, and" if near.kind == "exact" else f"is the {near.kind} build that"
    why = f" ({near.because})" if near.because else ""
    because = f"torch {near.torch} {near.tag} {how} runs here{why}."
    ready = [_inside(one.recipe) for one in choice.answers if one.recipe is not None]
    return Serving(listing.file, near.recipe, because, (near.command, *ready, pick))


def _inside(recipe: str) -> str:
    return f"envcheck exec --recipe {recipe} -- ..."
