"""Running a stage of pose: the run's folder, the place made ready, the promise, the stage, the record.

This module knows the files through which envcheck and pose speak (promise.json, proof.json, result.json), and
nothing of what a stage does.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from envcheck import __version__, errors
from envcheck.documents import write_json
from envcheck.environments.place import Place
from envcheck.errors import EnvcheckError
from envcheck.processes import capture, stream, terminal_hints
from envcheck.runs.record import EnvironmentUsed, Git, Output, Record, describe_output
from envcheck.situation import Situation


@dataclass(frozen=True, slots=True)
class Promise:
    """`promise.json`: what a stage has to find in its environment before it may begin."""

    torch: str | None  # null where nothing was promised: the interpreter at hand is taken as it is
    cuda: str | None
    device: str  # "cpu" or "cuda"
    gpus: tuple[str, ...]  # UUIDs
    schema: str = "envcheck.promise/1"


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended."""

    folder: Path
    record: Record


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and on what machine."""

    typed: tuple[str, ...]  # what the user typed after `envcheck run`
    arguments: tuple[str, ...]  # the stage's name and what belongs to it
    program: Path  # the copy of pose
    situation: Situation


def promise(situation: Situation, place: Place) -> Promise:
    """Return what a stage may rely on in `place`: the recipe's own torch, and the GPUs that were judged."""
    recipe, judged = situation.recipe, situation.judged
    exact = place.kind != "current"
    uuids = tuple(gpu.uuid for gpu in judged if gpu.uuid is not None)
    return Promise(
        torch=str(recipe.torch) if exact else None,
        cuda=str(recipe.cuda) if exact and recipe.cuda is not None else None,
        device="cuda" if judged else "cpu",
        # A GPU without a known UUID cannot be handed over by one: then what is visible stays as it is.
        gpus=uuids if len(uuids) == len(judged) else (),
    )


def run_stage(job: Job, parent: Path, ready: Callable[[], Place]) -> Finished:
    """Run a stage to its end in a folder of its own under `parent`/runs, in the place that `ready` prepares.

    What the stage cannot read is refused before that. Raises `EnvcheckError` when the folder cannot be made,
    and what `ready` raises, once that is in the record; whatever the stage itself does is its exit code.
    """
    started = datetime.now(timezone.utc)
    folder = _make_folder(parent, job.arguments[0], started)
    record = _opened(job, folder, started)
    write_json(folder / "record.json", record)
    log = folder / "log.txt"
    try:
        # pose reads its command line and config with any Python: nobody waits for a build to hear of a typo.
        code = stream([sys.executable, str(job.program), "--check", *job.arguments], log=log)
        if code == errors.OK:
            place = ready()
            promised = promise(job.situation, place)
            write_json(folder / "promise.json", promised)
            command = place.command(job.program, ["--run-dir", str(folder), *job.arguments])
            record = replace(record, command=tuple(command), environment=_environment(job, place))
            write_json(folder / "record.json", record)
            env = {**os.environ, **_device_variables(promised), **terminal_hints()}
            code = stream(command, env=env, log=log)
    except BaseException as error:
        failed = _ended(record, errors.exit_code_of(error), "envcheck")
        with contextlib.suppress(OSError):  # which must not hide what happened
            write_json(folder / "record.json", failed)
        raise
    record = _closed(record, folder, code)
    write_json(folder / "record.json", record)
    return Finished(folder, record)


def _opened(job: Job, folder: Path, started: datetime) -> Record:
    return Record(
        id=folder.name,
        stage=job.arguments[0],
        argv=job.typed,
        working_directory=str(Path.cwd()),
        envcheck=__version__,
        git=_git(Path.cwd()),
        host=job.situation.host,
        choice=job.situation.choice,
        started=started.isoformat(timespec="seconds"),
    )


def _environment(job: Job, place: Place) -> EnvironmentUsed:
    return EnvironmentUsed(
        kind=place.kind,
        recipe=place.recipe,
        lock_hash=place.lock_hash,
        python=place.python_version,
        pose=job.program.name,
        reused=place.reused,
        differences=place.differences,
    )


def _ended(record: Record, code: int, whose: str) -> Record:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return replace(record, ended=now, exit_code=code, exit_code_of=whose)


def _closed(record: Record, folder: Path, code: int) -> Record:
    result = _read(folder / "result.json")
    return replace(
        _ended(record, code, "stage"),
        proof=_read(folder / "proof.json") or None,
        config=result.get("config"),
        seed=result.get("seed"),
        dataset=result.get("dataset"),
        metrics=result.get("metrics") or {},
        output_dir=result.get("output_dir"),
        outputs=_outputs(result),
    )


def _make_folder(parent: Path, stage: str, started: datetime) -> Path:
    while True:
        folder = parent / "runs" / f"{started:%Y%m%dT%H%M%SZ}-{stage}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise EnvcheckError(
                f"The run's folder {folder} cannot be made: {error.strerror}",
                "Choose another place with --output DIR.",
            ) from None
        return folder


def _device_variables(promise: Promise) -> Mapping[str, str]:
    """Return the variables that hand over exactly the promised GPUs, in NVML's order."""
    if promise.device == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    chosen = {"CUDA_VISIBLE_DEVICES": ",".join(promise.gpus)} if promise.gpus else {}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **chosen}


def _git(folder: Path) -> Git | None:
    head = capture(["git", "-C", str(folder), "rev-parse", "HEAD"], seconds=10)
    if head.code != 0:
        return None
    status = capture(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"], seconds=30)
    return Git(head.stdout.strip(), dirty=bool(status.stdout.strip()))


def _read(path: Path) -> dict[str, Any]:
    """Return a document that the stage wrote; a stage that was killed may have written none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _outputs(result: Mapping[str, Any]) -> tuple[Output, ...]:
    described = (describe_output(Path(str(path))) for path in result.get("outputs") or ())
    return tuple(output for output in described if output is not None)
