"""A run repeated from its record: with its own source of pose, its lock and its words, into a fresh folder.

What cannot be restored is said before anything starts. Whether the repetition came to the same is `verdict`'s
to say.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck.bundle.unpack import Unpacked, kept_image, kept_recipe
from envcheck.bundle.use import from_bundle
from envcheck.bundle.words import (
    CONFIGS,
    MODEL_FILE,
    WEIGHTS,
    of_run,
    took_unnamed_weights,
    weights_in_folder,
    with_data,
    without,
)
from envcheck.environments.prepare import Wanted
from envcheck.environments.program import kept_copy, program_of_pose
from envcheck.errors import EnvcheckError, UsageError
from envcheck.paths import cache_dir
from envcheck.recipes import lock_hash, recipe_hash
from envcheck.repeat.diff import how_it_ended, products
from envcheck.repeat.verdict import ReplayVerdict, judge
from envcheck.runs.masked import named_variables
from envcheck.runs.order import Order, carry_out
from envcheck.runs.record import EnvironmentUsed, Record, file_facts

if TYPE_CHECKING:
    from envcheck.environments.place import Watcher
    from envcheck.environments.prepare import Ready
    from envcheck.runs.book import Job

# What of the words says where results go, each with a value.
_PLACES = ("--output", "--out", "--modelDir", "--logDir", "OUTPUT_DIR", "LOG_DIR")
# Of these nothing remains that could be held against another: pictures of people, what a machine is, a list.
_NOTHING_TO_COMPARE = ("exec", "shell", "env", "check-data", "synth")
_BASE_IMAGE = "ENVCHECK_BASE_IMAGE"
# As pose names what it records of its variables: what of these is set here and was not there is taken away.
_DECIDE = re.compile(
    r"(?:OMP|MKL|OPENBLAS|KMP|ONEDNN|DNNL|TORCH)_\w+"
    r"|ATEN_CPU_CAPABILITY|NPY_DISABLE_CPU_FEATURES|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG|PYTHONHASHSEED"
)
# Of those, what names a place or a library to load: a record sets none, as anybody can write one.
_NAMES_A_PLACE = re.compile(r".*(HOME|DIR|PATH|FILE|TOOL|LIBRAR)\w*")
_PLAIN = re.compile(r"[\w .,:;=+*{}()-]{0,200}", re.ASCII)
_NOT_KEPT = "set"  # in place of a value that could be a path


@dataclass(frozen=True, slots=True)
class Replay:
    """What is about to be repeated."""

    order: Order
    folder: Path  # where its results go
    directory: Path  # where its words were typed, and their paths count from
    threads: int | None
    lacking: tuple[str, ...]  # what cannot be restored, and makes it another experiment
    notes: tuple[str, ...] = ()  # what cannot be restored, and need not decide
    variables: Mapping[str, str] | None = None  # those that decide on numbers; None: nobody wrote them down


def plan(
    record: Record,
    kind: Wanted | None,
    output: Path | None,
    bundle: Unpacked | None = None,
    data: Path | None = None,
) -> Replay:
    """Return how a run is repeated: in a `kind` of place other than its own, with its results in `output`.

    With a `bundle` it is repeated here, with what that brings; `data` is where its data set lies now. Raises
    `UsageError` for a run that cannot be repeated at all.
    """
    if why := _why_not(record):
        raise UsageError(f"{record.id} cannot be repeated: {why}")
    assert record.environment is not None  # noqa: S101 - looked at by `_why_not`
    directory = Path(record.working_directory) if bundle is None else Path.cwd()
    if not directory.is_dir():
        raise UsageError(
            f"The folder that {record.id} was started in is gone: {directory}",
            "A bundle of the run can be repeated anywhere: envcheck bundle RUN",
        )
    folder = _fresh(output or Path.cwd() / f"replay-{record.id}")
    program, lacking = (bundle.program, ()) if bundle is not None else _program(record)
    words = record.command[record.command.index("--run-dir") + 2 :]
    weights, unknown = _weights(record, words)
    said = tuple(without(words, *_PLACES))
    said = (*said, *weights) if bundle is None else of_run(said, bundle, record)
    said = with_data(said, data)
    variables = _variables(record)
    given = {name: os.environ[name] for name in named_variables(record.argv) if name in os.environ}
    order = Order(
        typed=record.argv,
        name=record.stage,
        arguments=(*said, *_logs(record, folder), "--output", str(folder)),
        is_stage=True,
        recipe=_recipe(record) if bundle is None else None,
        python=_python(record),
        gpus=_gpus(record),
        kind=kind or record.environment.kind,
        base_image=None if record.environment.image is None else _base(record),
        variables={**given, **(variables or {})},
        network=record.environment.limits.network,
        memory=record.environment.limits.memory,
        cpus=record.environment.limits.cpus,
        data=None,
        output=folder,
        program=program,
        bundle=record.environment.bundle,
        carried=kept_image(record) if bundle is None else None,
    )
    if bundle is not None:
        order = from_bundle(order, bundle)
    threads = (record.computing or {}).get("threads")
    threads = threads if isinstance(threads, int) and threads > 0 else None
    lost = _lacking(record, directory) if bundle is None else _not_in(record, bundle)
    lacking = (*lacking, *unknown, *lost, *_resumed(record))
    return Replay(order, folder, directory, threads, lacking, tuple(_notes(record)), variables)


def repeat(
    record: Record,
    planned: Replay,
    watch: Watcher,
    begun: Callable[[Job, Ready], None],
) -> tuple[ReplayVerdict, Path]:
    """Run it again, and return what that proves and the folder of the run; what it says goes to stderr.

    Raises what `carry_out` does.
    """
    settle(planned)
    with contextlib.redirect_stdout(sys.stderr):  # what the stage says is not the answer here
        finished = carry_out(planned.order, watch, begun)
    return judge(record, finished.record, planned.lacking), finished.folder


def settle(replay: Replay) -> None:
    """Put this process where the run was: its folder, its variables, and as many threads."""
    os.chdir(replay.directory)
    if replay.variables is not None:
        for name in [one for one in os.environ if _DECIDE.fullmatch(one)]:
            if not _NAMES_A_PLACE.fullmatch(name):
                del os.environ[name]
        os.environ.update(replay.variables)
    if replay.threads is not None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(replay.threads)


def _why_not(record: Record) -> str:
    """Return why a run cannot be repeated, or why that could prove nothing; "" where it can."""
    if record.stage in _NOTHING_TO_COMPARE:
        return f"{record.stage} leaves nothing that could be compared"
    if record.exit_code is None and record.command:
        return f"it {how_it_ended(record)}"
    if record.environment is None or "--run-dir" not in record.command:
        return "it never started"
    if how := how_it_ended(record):
        return f"it {how}"
    if not products(record) and not record.metrics:
        return "it left nothing that could be compared"
    return ""


def _variables(record: Record) -> dict[str, str] | None:
    """Return the variables that the run had of those that decide, None where nobody wrote them down."""
    kept = (record.computing or {}).get("variables")
    if not isinstance(kept, dict):
        return None
    return {
        name: text
        for name, text in kept.items()
        if _DECIDE.fullmatch(name) and not _NAMES_A_PLACE.fullmatch(name)
        if isinstance(text, str) and text != _NOT_KEPT and _PLAIN.fullmatch(text)
    }


def _gpus(record: Record) -> str | None:
    """Return which GPUs it is given: as many, at the same places of the bus."""
    if (record.computing or {}).get("device") == "cpu":
        return "none"
    places = {gpu.uuid: str(gpu.index) for gpu in record.host.gpus or () if gpu.index is not None}
    return ",".join(places.get(uuid, uuid) for uuid in record.choice.gpus) or None


def _weights(record: Record, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words that name the weights which lay in the run's own folder, and what is lacking."""
    if not took_unnamed_weights(record, words):
        return (), ()
    read = weights_in_folder(record)
    if read is not None:
        return (MODEL_FILE, read.path), ()
    likely = Path(record.output_dir or "") / WEIGHTS
    found = (MODEL_FILE, str(likely)) if likely.is_file() else ()
    return found, ("which weights it read is not recorded",)


def _logs(record: Record, folder: Path) -> tuple[str, ...]:
    """Return the words that put a training's events beside its results where its config names a place."""
    return ("LOG_DIR", str(folder / "log")) if (record.config or {}).get("LOG_DIR") else ()


def _program(record: Record) -> tuple[Path, tuple[str, ...]]:
    """Return the copy of pose that the run used, or today's and what that means."""
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    kept = kept_copy(record.environment.pose, cache_dir())
    if kept is not None:
        return kept, ()
    today = program_of_pose()
    if today.name == record.environment.pose:
        return today, ()
    return today, (f"pose itself is another one: {record.environment.pose:.40} is no longer kept",)


def _not_in(record: Record, bundle: Unpacked) -> Iterator[str]:
    """Yield which of the files that a run read are not in its bundle."""
    brought = bundle.inputs()
    for one in record.inputs:
        if one.sha256 not in brought and Path(one.path).suffix not in CONFIGS:
            yield f"{one.path} is not in the bundle"


def _lacking(record: Record, directory: Path) -> Iterator[str]:
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    used = record.environment
    if used.kind != "current":
        try:
            recipe = kept_recipe(record).on(record.host.os.machine)
            lock = recipe.lock_for(".".join(used.python.split(".")[:2]))
        except EnvcheckError as error:
            yield error.message
            return
        if lock is None or lock_hash(lock) != used.lock_hash:
            yield f"the lock of {used.recipe} is another one now"
    for one in record.inputs:
        now = file_facts(directory / one.path)
        if now is None:
            yield f"{one.path} is gone"
        elif now.sha256 != one.sha256 and Path(one.path).suffix not in CONFIGS:  # whose values are compared
            yield f"{one.path} is another one now"


def _resumed(record: Record) -> Iterator[str]:
    if isinstance(record.resumed_from, int):
        yield f"it went on from a checkpoint of {record.resumed_from} epochs, and a repetition begins anew"
    elif record.resumed_from == "unknown" and (record.config or {}).get("AUTO_RESUME"):
        yield "it may have gone on from a checkpoint (AUTO_RESUME), and a repetition begins anew"


def _recipe(record: Record) -> str:
    """Return by what the recipe is found: a name, or the file of one that is not shipped."""
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    used = record.environment
    return (used.recipe_file or used.recipe) if used.bundle is None else str(kept_recipe(record).file)


def _notes(record: Record) -> Iterator[str]:
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    used = record.environment
    if used.recipe_hash is not None and used.kind != "current":
        with contextlib.suppress(EnvcheckError, OSError):  # that it is gone has been said
            file = kept_recipe(record).file
            if recipe_hash(file) != used.recipe_hash:
                yield f"the recipe {file} was written anew since; what it installs is held against its lock"
    yield from _foreign(used)
    for name in named_variables(record.argv):
        if name in os.environ:
            yield f"--env {name} has the value that it has here: a record keeps none"
        else:
            yield f"--env {name} is not set here, and a record keeps no value"
    kept = (record.computing or {}).get("variables")
    for name, text in kept.items() if isinstance(kept, dict) else ():
        if text == _NOT_KEPT:
            yield f"{name:.60} was set to what a record does not keep"


def _foreign(used: EnvironmentUsed) -> Iterator[str]:
    """Yield what a record, which anybody can have written, decides on beside recipe and source."""
    image = used.image
    if image is not None and not image.is_recipes_base:
        yield f"it starts from the image {image.base:.120}, whatever that name stands for now"
    elif image is not None and os.environ.get(_BASE_IMAGE):
        yield f"it started from its recipe's own image, and {_BASE_IMAGE} names another"
    if used.limits.network:
        yield "it has the network, as it had (--network)"


def _python(record: Record) -> str | None:
    """Return the Python whose lock a virtual environment had, "3.11"; another one has other wheels."""
    assert record.environment is not None  # noqa: S101 - looked at by `plan`
    used = record.environment
    return ".".join(used.python.split(".")[:2]) if used.kind == "venv" else None


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
