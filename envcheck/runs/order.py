"""A run from how it was typed to its end: what the machine is, what the stage needs, then the run itself.

A run waits for other programs and for its own rooms to be imported. Both happen here at the same time, so
most rooms are imported where the waiting is. How a place is prepared is known to `environments`, how a
command is run in it to `run`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck.environments.program import program_of_pose
from envcheck.host.probe import probe
from envcheck.runs.needs import ask_pose

if TYPE_CHECKING:
    from envcheck.environments.images import Carried
    from envcheck.environments.place import Watcher
    from envcheck.environments.prepare import Ready, Wanted
    from envcheck.runs.book import Job
    from envcheck.runs.run import Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run, and what the command line says of where and with what; None: not said.

    Plain values: the rooms that give them a meaning are not imported when it is made.
    """

    typed: tuple[str, ...]  # all that stood after envcheck's verb
    name: str  # the stage's, "exec" or "shell"
    arguments: tuple[str, ...]  # the stage's name and what belongs to it; or the command; none: a shell
    is_stage: bool
    recipe: str | None
    gpus: str | None
    kind: Wanted
    base_image: str | None
    variables: Mapping[str, str]
    network: bool
    memory: int | None  # bytes
    cpus: float | None
    data: Path | None
    output: Path | None
    python: str | None = None  # of a virtual environment, "3.11"
    program: Path | None = None  # a copy of pose that is kept; else today's
    # The digest of the bundle that brought recipe and program; then nothing is fetched.
    bundle: str | None = None
    carried: Carried | None = None  # its image


def carry_out(order: Order, watch: Watcher, begun: Callable[[Job, Ready], None]) -> Finished:
    """Run what was ordered to its end; `begun` is told when the command has been started.

    Raises `EnvcheckError` for what keeps it from being started; what it does itself is its exit code.
    """
    since = time.monotonic()
    parent = order.output or Path.cwd()
    with ThreadPoolExecutor(max_workers=2) as pool:
        facts = pool.submit(probe)
        program = order.program or program_of_pose()
        asked = pool.submit(ask_pose, program, order.arguments, parent) if order.is_stage else None
        # Imported while those two are waited for.
        from envcheck.engine.terminal import is_interactive  # noqa: PLC0415
        from envcheck.environments.place import Limits  # noqa: PLC0415
        from envcheck.environments.prepare import Terms, prepare  # noqa: PLC0415
        from envcheck.runs.book import Job  # noqa: PLC0415
        from envcheck.runs.run import run_command, run_stage  # noqa: PLC0415
        from envcheck.situation import Request, look  # noqa: PLC0415

        seen = look(request=Request(order.recipe, order.gpus, python=order.python), facts=facts.result)
    limits = Limits(order.network, order.memory, order.cpus)
    terms = Terms(
        order.kind,
        order.base_image,
        order.variables,
        limits,
        order.program,
        order.carried,
        offline=order.bundle is not None,
    )
    job = Job(
        typed=order.typed,
        name=order.name,
        arguments=order.arguments,
        situation=seen,
        limits=limits,
        reads=(order.data,) if order.data else (),
        writes=(order.output,) if order.output else (),
        terminal=not order.is_stage and is_interactive(),
        since=since,
        bundle=order.bundle,
    )

    def ready() -> Ready:
        return prepare(terms, seen.recipe, seen.host, lambda: seen.python, watch, gpus=bool(seen.judged))

    def started(at: Ready) -> None:
        begun(job, at)

    if asked is not None:
        return run_stage(job, asked.result(), parent, ready, started)
    return run_command(job, parent, ready, started)
