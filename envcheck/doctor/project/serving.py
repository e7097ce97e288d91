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
    recipe: str | None  # that runs here and has what the file asks for
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
        inside = f"envcheck exec --recipe {choice.recipe} -- ..."
        return Serving(listing.file, choice.recipe, because, (inside, pick))
    near = next((one for one in choice.answers if one.torch is not None), None)
    if near is None:
        return Serving(listing.file, None, choice.advice or "No official build of torch runs here.", (pick,))
    how = "is what it asks for, and" if near.kind == "exact" else f"is the {near.kind} build that"
    why = f" ({near.because})" if near.because else ""
    because = f"torch {near.torch} {near.tag} {how} runs here{why}."
    return Serving(listing.file, near.recipe, because, (near.command, pick))
