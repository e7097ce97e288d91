"""A machine and what was chosen for it: the first half of every command.

Facts come from this machine or from a snapshot; the recipes are the shipped ones and whatever file was named.
What only some questions need (fleets, official builds, other people's files) is imported when one is asked:
every run waits for this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.specifiers import SpecifierSet

from envcheck.choice.choose import Choice, choose
from envcheck.choice.gpus import narrow
from envcheck.choice.visible import Visible, counts, resolve
from envcheck.choice.wishes import Wishes, combine, specifier, torch_wish
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.cuda_order import CudaOrder, read_cuda_order
from envcheck.host.facts import Gpu, Host
from envcheck.host.probe import probe
from envcheck.host.snapshots import read_hosts
from envcheck.recipes import Recipe, load_recipe, load_recipes

if TYPE_CHECKING:
    from envcheck.choice.builds import Builds
    from envcheck.choice.fleet import Fleet


_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for, as it was typed."""

    recipe: str | None = None  # a name or a file
    gpus: str | None = None  # a list with commas, or "none"
    torch: str | None = None
    cuda: str | None = None
    python: str | None = None
    requirements: Path | None = None  # what somebody else's repository asks for


ANY = Request()


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known, and what follows from it."""

    host: Host
    choice: Choice
    judged: tuple[Gpu, ...]  # the GPUs that the choice is for
    chosen: Recipe | None  # as this machine sees it
    visible: str = ""  # what CUDA_VISIBLE_DEVICES stands for, where it decided which GPUs are judged
    request: Request = ANY
    is_here: bool = True  # and not the facts of another machine

    @property
    def recipe(self) -> Recipe:
        """The recipe that was chosen. Raises `EnvcheckError` when none fits."""
        if self.chosen is None:
            raise EnvcheckError("No recipe runs on this machine", self.choice.advice)
        return self.chosen

    @property
    def python(self) -> str:
        """The Python of an environment here, "3.11". Raises `EnvcheckError` when there is none."""
        if self.choice.python is None and self.request.python is not None:
            raise EnvcheckError(
                f"Python {self.request.python} is not on this machine, or not served by {self.recipe.name}",
                "Install it, or run in a container, which has its own.",
            )
        if self.choice.python is None:
            raise EnvcheckError(
                f"No Python on this machine is served by {self.recipe.name}",
                f"It serves {', '.join(self.recipe.pythons)}, with venv; install one of them.",
            )
        return self.choice.python


def look(
    host: str | None = None,
    request: Request = ANY,
    *,
    facts: Callable[[], Host] | None = None,
    obeys: bool = True,
) -> Situation:
    """Return the situation on this machine, or on the one whose facts lie in file `host` ("-": stdin).

    `facts` gives this machine's, where somebody has begun to gather them. With `obeys`, a
    CUDA_VISIBLE_DEVICES that leaves no GPU by mistake is bad input; else all GPUs are judged then. Raises
    `UsageError` for bad input, and where `host` is several machines.
    """
    if host is None:
        gathered = (facts or probe)()
        try:
            return _on(gathered, request, os.environ)
        except UsageError:
            if obeys or _VISIBLE not in os.environ:
                raise
            others = {name: value for name, value in os.environ.items() if name != _VISIBLE}
            return _on(gathered, request, others)
    seen = survey([host], request)
    if not isinstance(seen, Situation):
        raise UsageError(f"{host} holds {seen.hosts} hosts, and one is asked for here")
    return seen


def survey(hosts: Sequence[str], request: Request) -> Situation | Fleet:
    """Return the situation of one host, or for several the recipes that cover them all.

    `hosts` are files, folders and "-". Raises `UsageError` for bad input.
    """
    named = read_hosts(hosts)
    first = next(named)
    second = next(named, None)
    if second is None:
        return _on(first[1], request, None)
    from envcheck.choice.fleet import choose_for_all  # noqa: PLC0415 - see above

    _refuse_names_among_several(request)
    recipes, wishes = _wished(request)
    return choose_for_all(chain((first, second), named), recipes, wishes)


def judge_official(hosts: Sequence[str], request: Request) -> tuple[Builds, Host | None]:
    """Return the verdict on every official build on this machine, or on all of `hosts`; and the one host.

    Raises `UsageError` for bad input.
    """
    from envcheck.choice.builds import builds_for  # noqa: PLC0415 - see above

    recipes, wishes = _wished(request)
    named = list(read_hosts(hosts)) if hosts else [("this machine", probe())]
    if len(named) > 1:
        _refuse_names_among_several(request)
    visible = None if hosts else _visible(named[0][1].gpus, os.environ, request)
    builds = builds_for(named, recipes, replace(wishes, gpus=visible.names) if visible else wishes)
    return builds, named[0][1] if len(named) == 1 else None


def _refuse_names_among_several(request: Request) -> None:
    if request.gpus not in (None, "none"):
        raise UsageError("--gpus names GPUs of one machine, and there are several hosts")


def _on(facts: Host, request: Request, environ: Mapping[str, str] | None) -> Situation:
    """Return the situation of a host; `environ` is this machine's, None for another's facts."""
    recipes, wishes = _wished(request)
    visible = _visible(facts.gpus, environ, request) if environ is not None else None
    if visible is not None:
        wishes = replace(wishes, gpus=visible.names)
    choice = choose(facts, recipes, wishes)
    chosen = next((one.on(facts.os.machine) for one in recipes if one.name == choice.recipe), None)
    judged = narrow(facts, wishes.gpus).gpus or ()
    return Situation(
        facts,
        choice,
        judged,
        chosen,
        visible=visible.sentence if visible else "",
        request=request,
        is_here=environ is not None,
    )


def _wished(request: Request) -> tuple[tuple[Recipe, ...], Wishes]:
    """Return the recipes to choose from, a file of one's own among them, and what is wished for."""
    recipes = load_recipes()
    own = load_recipe(request.recipe) if request.recipe is not None else None
    if own is not None:
        recipes = (*(one for one in recipes if one.name != own.name), own)
    torch, tag = torch_wish(request.torch) if request.torch is not None else (SpecifierSet(), None)
    wishes = Wishes(
        recipe=own.name if own else None,
        gpus=_gpus(request.gpus),
        torch=torch,
        tag=tag,
        cuda=specifier("--cuda", request.cuda) if request.cuda is not None else SpecifierSet(),
        python=specifier("--python", request.python) if request.python is not None else SpecifierSet(),
        origins=tuple(
            f"--{name} {text}"
            for name, text in (("torch", request.torch), ("cuda", request.cuda), ("python", request.python))
            if text is not None
        ),
    )
    if request.requirements is not None:
        from envcheck.choice.requirements.read import read  # noqa: PLC0415 - see above

        theirs = read(request.requirements, python=wishes.python).wishes
        wishes = replace(combine(wishes, theirs), requirements=str(request.requirements))
    return recipes, wishes


def _gpus(text: str | None) -> tuple[str, ...] | Literal["none"] | None:
    if text is None:
        return None
    if text == "none":
        return "none"
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if not named:
        raise UsageError(f"--gpus {text!r:.40} names no GPU", "--gpus none asks for the CPU.")
    return named


def _visible(gpus: tuple[Gpu, ...] | None, environ: Mapping[str, str], request: Request) -> Visible | None:
    """Return what CUDA_VISIBLE_DEVICES, set by a scheduler or the user, leaves; None where it says nothing.

    A variable says less than the command line.
    """
    value = environ.get(_VISIBLE)
    if value is None or request.gpus is not None or not gpus:
        return None
    if not counts(value) or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or _alike(gpus):
        return resolve(value, gpus)
    order = _cuda_order(gpus)
    if order.uuids is None:
        raise UsageError(
            f"{_VISIBLE}={value:.60} counts in CUDA's order, which is not known: {order.unknown}",
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
