"""A run repeated from its record: with its own source of pose, its lock and its words, into a fresh folder.

What cannot be restored is said before anything starts. Whether the repetition came to the same is `verdict`'s
to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from envcheck.environments.prepare import Wanted
from envcheck.environments.program import kept_copy, program_of_pose
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import load_recipe, lock_hash
from envcheck.runs.order import Order
from envcheck.runs.record import Record

# What of the words says where results go, each with a value.
_PLACES = ("--output", "--out", "--modelDir", "--logDir", "OUTPUT_DIR", "LOG_DIR")


@dataclass(frozen=True, slots=True)
class Replay:
    """What is about to be repeated."""

    order: Order
    folder: Path  # where its results go
    directory: Path  # where its words were typed, and their paths count from
    threads: int | None
    lacking: tuple[str, ...]  # what cannot be restored


def plan(record: Record, kind: Wanted | None, output: Path | None) -> Replay:
    """Return how a run is repeated: in a `kind` of place other than its own, with its results in `output`.

    Raises `UsageError` for a run that cannot be repeated at all.
    """
    if record.stage in ("exec", "shell") or record.environment is None or "--run-dir" not in record.command:
        raise UsageError(
            f"{record.id} cannot be repeated: "
            + ("only a stage of pose leaves what can be compared" if record.command else "it never started")
        )
    directory = Path(record.working_directory)
    if not directory.is_dir():
        raise UsageError(f"The folder that {record.id} was started in is gone: {directory}")
    folder = _fresh(output or Path.cwd() / f"replay-{record.id}")
    program, lacking = _program(record)
    words = record.command[record.command.index("--run-dir") + 2 :]
    order = Order(
        typed=record.argv,
        name=record.stage,
        arguments=(*_without_places(words), *_place(record.stage, folder)),
        is_stage=True,
        recipe=record.environment.recipe,
        gpus="none" if (record.computing or {}).get("device") == "cpu" else None,
        kind=kind or record.environment.kind,
        base_image=None if record.environment.image is None else _base(record),
        variables={},
        network=record.environment.limits.network,
        memory=record.environment.limits.memory,
        cpus=record.environment.limits.cpus,
        data=None,
        output=folder,
        program=program,
    )
    threads = (record.computing or {}).get("threads")
    return Replay(order, folder, directory, threads, (*lacking, *_lacking(record)))


def settle(replay: Replay) -> None:
    """Put this process where the run was: its folder, and as many threads."""
    os.chdir(replay.directory)
    if replay.threads is not None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(replay.threads)


def _program(record: Record) -> tuple[Path, tuple[str, ...]]:
    """Return the copy of pose that the run used, or today's and what that means."""
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    kept = kept_copy(record.environment.pose)
    if kept is not None:
        return kept, ()
    today = program_of_pose()
    if today.name == record.environment.pose:
        return today, ()
    return today, (f"pose itself is another one: {record.environment.pose:.40} is no longer kept",)


def _lacking(record: Record) -> Iterator[str]:
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    used = record.environment
    if used.kind != "current":
        try:
            recipe = load_recipe(used.recipe).on(record.host.os.machine)
            lock = recipe.lock_for(".".join(used.python.split(".")[:2]))
        except EnvcheckError as error:
            yield error.message
            return
        if lock is None or lock_hash(lock) != used.lock_hash:
            yield f"the lock of {used.recipe} is another one now"
    if (record.config or {}).get("AUTO_RESUME"):
        yield "it may have gone on from a checkpoint (AUTO_RESUME), and a repetition begins anew"


def _base(record: Record) -> str | None:
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    image = record.environment.image
    return None if image is None or image.is_recipes_base else image.base


def _fresh(folder: Path) -> Path:
    """Return the folder, or the next one by number that is not there yet."""
    folder = folder.absolute()
    if not folder.exists():
        return folder
    return next(
        other for number in count(2) if not (other := folder.with_name(f"{folder.name}-{number}")).exists()
    )


def _without_places(words: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in _PLACES:
            next(rest, None)
        elif not word.startswith(tuple(f"{name}=" for name in _PLACES)):
            kept.append(word)
    return tuple(kept)


def _place(stage: str, folder: Path) -> tuple[str, ...]:
    return () if stage in ("env", "check-data") else ("--output", str(folder))
