"""Running a stage of pose, or anybody's command: the place made ready, the promise, the command, the record.

This module knows the files through which envcheck and pose speak (what `pose --check` says, promise.json,
proof.json, result.json), and nothing of what a stage does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envcheck import errors
from envcheck.engine.containers import Ended
from envcheck.environments.place import Place, Work
from envcheck.environments.prepare import Ready
from envcheck.paths import cache_dir
from envcheck.processes import Outcome, terminal_hints
from envcheck.runs.book import Book, Job, opened
from envcheck.runs.inside import inside
from envcheck.runs.needs import needs_in
from envcheck.runs.promise import Promise, promise
from envcheck.runs.proofs import prove
from envcheck.runs.record import Record
from envcheck.symptoms import Symptom


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended."""

    folder: Path
    record: Record
    symptom: Symptom | None = None  # why, where what was said of it is known


def run_stage(
    job: Job, asked: Outcome, parent: Path, ready: Callable[[], Ready], begun: Callable[[Ready], None]
) -> Finished:
    """Run a stage to its end in a folder of its own under `parent`/runs, in the place that `ready` prepares.

    `asked` is what pose said of its arguments; see `needs`. `begun` is told when the stage has been started,
    and before anything that it says is passed on.
    What the stage cannot read is refused before that. Raises `EnvcheckError` when the folder cannot be made,
    and what `ready` raises, once that is in the record; whatever the stage itself does is its exit code.
    """
    with opened(job, parent) as book:
        if asked.code != errors.OK:
            sys.stderr.write(asked.stderr)
            book.log.write_text(asked.stderr, encoding="utf-8")
            book.close(errors.FAILED if asked.code is None else asked.code)
            return Finished(book.folder, book.record)
        needs = needs_in(asked)
        at = ready()
        promised = promise(job.situation, at.place)
        book.settle(job, at, promised)
        work = _work(
            job,
            book,
            promised,
            argv=at.environment.stage(at.place, ["--run-dir", str(book.folder), *job.arguments]),
            reads=tuple(map(Path, needs.reads)),
            writes=tuple(map(Path, needs.writes)),
        )
        return _run(book, at, replace(work, begun=lambda: begun(at)))


def run_command(
    job: Job, parent: Path, ready: Callable[[], Ready], begun: Callable[[Ready], None]
) -> Finished:
    """Run anybody's command to its end, as `run_stage` runs a stage, after the environment's proof."""
    with opened(job, parent) as book:
        at = ready()
        promised = promise(job.situation, at.place)
        book.settle(job, at, promised)
        argv = job.arguments or at.environment.shell(at.place, book.folder)
        work = _work(job, book, promised, argv=argv, reads=job.reads, writes=job.writes, owns=True)
        prove(at, work, promised, job.situation.host, book.folder, cache_dir())
        return _run(book, at, replace(work, begun=lambda: begun(at)))


def _work(
    job: Job,
    book: Book,
    promised: Promise,
    *,
    argv: tuple[str, ...],
    reads: tuple[Path, ...],
    writes: tuple[Path, ...],
    owns: bool = False,
) -> Work:
    """Return a command with what every run has; one that `owns` the working directory may write there."""
    return Work(
        argv=argv,
        variables={**promised.variables, **({} if job.terminal else terminal_hints())},
        gpus=promised.gpus,
        device=promised.device,
        reads=reads,
        mentions=tuple(_paths_in(job.arguments)) if owns else (),
        writes=(*writes, book.folder),
        owns_directory=owns,
        limits=job.limits,
        stdin=owns and sys.stdin is not None,
        ends_with_reader=owns,
        terminal=job.terminal,
        log=book.log,
        heard=bytearray(),
    )


def _run(book: Book, at: Ready, work: Work) -> Finished:
    book.begin(work)
    ended = at.environment.run(at.place, work)
    symptom = _symptom(ended, work, at.place)
    book.close(ended.code, problem=symptom.meaning if symptom else "", finding=symptom.id if symptom else "")
    return Finished(book.folder, book.record, symptom)


def _symptom(ended: Ended, work: Work, place: Place) -> Symptom | None:
    if ended.code == errors.OK or not place.is_container:
        return None
    return inside(ended, bytes(work.heard or b"").decode("utf-8", "replace"), work.limits)


def _paths_in(words: Sequence[str]) -> Iterator[Path]:
    """Yield what on a command line is the name of something that is there, also behind `--option=`."""
    for word in words:
        for text in (word, word.partition("=")[2]):
            if os.path.exists(text):  # noqa: PTH110 - a program's text is a word too, and too long for a path
                yield Path(text)
