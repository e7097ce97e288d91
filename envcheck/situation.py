"""A machine and what was chosen for it: the first half of every command.

Facts come from this machine or from a snapshot; the recipes are the shipped ones and whatever file was named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envcheck.choice.choose import Choice, choose
from envcheck.choice.gpus import narrow
from envcheck.choice.visible import Visible, counts, resolve
from envcheck.choice.wishes import Wishes
from envcheck.documents import MAX_DOCUMENT_BYTES, parse_json, read_json
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.cuda_order import CudaOrder, read_cuda_order
from envcheck.host.facts import SCHEMA, Gpu, Host
from envcheck.host.probe import probe
from envcheck.recipes import Recipe, load_recipe, load_recipes


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known, and what follows from it."""

    host: Host
    choice: Choice
    judged: tuple[Gpu, ...]  # the GPUs that the choice is for
    chosen: Recipe | None
    visible: str = ""  # what CUDA_VISIBLE_DEVICES stands for, where it decided which GPUs are judged

    @property
    def recipe(self) -> Recipe:
        """The recipe that was chosen. Raises `EnvcheckError` when none fits."""
        if self.chosen is None:
            raise EnvcheckError("No recipe runs on this machine", self.choice.advice)
        return self.chosen

    @property
    def python(self) -> str:
        """The Python of an environment here, "3.11". Raises `EnvcheckError` when there is none."""
        if self.choice.python is None:
            raise EnvcheckError(
                f"No Python on this machine is served by {self.recipe.name}",
                f"It serves {', '.join(self.recipe.pythons)}, with venv; install one of them.",
            )
        return self.choice.python


def look(host: str | None = None, *, recipe: str | None = None, gpus: str | None = None) -> Situation:
    """Return the situation on this machine, or on the one whose facts lie in file `host` ("-": stdin).

    `recipe` is a name or a file, `gpus` a list with commas or "none". Raises `UsageError` for bad input.
    """
    facts = probe() if host is None else _read_host(host)
    left_open = host is None and gpus is None  # our environment says nothing about a snapshot
    visible = _visible(facts.gpus, os.environ) if left_open and facts.gpus else None
    recipes = load_recipes()
    wished = load_recipe(recipe) if recipe is not None else None
    if wished is not None:
        recipes = (*(one for one in recipes if one.name != wished.name), wished)
    wishes = Wishes(recipe=wished.name if wished else None, gpus=visible.names if visible else _gpus(gpus))
    choice = choose(facts, recipes, wishes)
    chosen = next((one for one in recipes if one.name == choice.recipe), None)
    judged = narrow(facts, wishes.gpus).gpus or ()
    return Situation(facts, choice, judged, chosen, visible.sentence if visible else "")


def _read_host(name: str) -> Host:
    if name == "-":
        data = sys.stdin.buffer.read(MAX_DOCUMENT_BYTES + 1)
        return parse_json(data, Host, source="standard input", schema=SCHEMA)
    return read_json(Path(name), Host, schema=SCHEMA)


def _gpus(text: str | None) -> tuple[str, ...] | Literal["none"] | None:
    if text is None:
        return None
    if text == "none":
        return "none"
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if not named:
        raise UsageError(f"--gpus {text!r:.40} names no GPU", "--gpus none asks for the CPU.")
    return named


def _visible(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> Visible | None:
    """Return what CUDA_VISIBLE_DEVICES, set by a scheduler or the user, leaves; None where it is not set."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    if not counts(value) or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or _alike(gpus):
        return resolve(value, gpus)
    order = _cuda_order(gpus)
    if order.uuids is None:
        raise UsageError(
            f"CUDA_VISIBLE_DEVICES={value:.60} counts in CUDA's order, which is not known: {order.unknown}",
            "Name them by UUID, or set CUDA_DEVICE_ORDER=PCI_BUS_ID, or say --gpus.",
        )
    return resolve(value, gpus, order.uuids)


def _alike(gpus: tuple[Gpu, ...]) -> bool:
    """Return whether no GPU is faster than another: CUDA, too, is then taken to count them by bus."""
    names = {gpu.name for gpu in gpus}
    return len(gpus) == 1 or (len(names) == 1 and None not in names)


def _cuda_order(gpus: tuple[Gpu, ...]) -> CudaOrder:
    if any(gpu.mig is not None and gpu.mig.enabled for gpu in gpus):
        return CudaOrder(None, "where MIG splits a GPU, CUDA lists a slice and no other GPU")
    return read_cuda_order()
