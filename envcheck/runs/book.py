"""A run's folder and its record while it lasts: written at the start, and again however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck import __version__, errors
from envcheck.documents import write_json
from envcheck.environments.place import NO_LIMITS, Limits, Work
from envcheck.errors import EnvcheckError
from envcheck.processes import capture
from envcheck.recipes import is_shipped, recipe_hash
from envcheck.runs.health import health
from envcheck.runs.masked import masked
from envcheck.runs.promise import Promise
from envcheck.runs.record import EnvironmentUsed, FileFacts, Git, Record, file_facts
from envcheck.runs.told import outputs, with_told
from envcheck.situation import Situation

if TYPE_CHECKING:
    from envcheck.environments.prepare import Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run, and on what machine."""

    typed: tuple[str, ...]  # what the user typed after envcheck's verb
    name: str  # the stage's, "exec" or "shell"
    arguments: tuple[str, ...]  # the stage's name and what belongs to it; or the command; none: a shell
    situation: Situation
    limits: Limits = NO_LIMITS
    reads: tuple[Path, ...] = ()  # what the command reads and writes, where somebody said so
    writes: tuple[Path, ...] = ()
    terminal: bool = False  # the command has the terminal for itself
    since: float | None = None  # when it was ordered, by the monotonic clock
    bundle: str | None = None  # the digest of the bundle that brought recipe and pose


class Book:
    """The record of one run, and the folder in which it lies."""

    def __init__(self, job: Job, parent: Path) -> None:
        """Open it under `parent`/runs. Raises `EnvcheckError` when the folder cannot be made."""
        self._started = started = datetime.now(timezone.utc)
        self.folder = _make_folder(parent, job.name, started)
        self.log = self.folder / "log.txt"
        self._opened = time.monotonic()
        self._begun: float | None = None
        self.record = Record(
            id=self.folder.name,
            stage=job.name,
            argv=masked(job.typed),
            working_directory=str(Path.cwd()),
            envcheck=__version__,
            git=_git(Path.cwd()),
            host=job.situation.host,
            choice=job.situation.choice,
            health=health(job.situation),
            started=started.isoformat(timespec="seconds"),
        )
        if job.since is not None:
            self._took("looking", job.since)
        try:
            self._write()
        except BaseException:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # nothing was run, and nothing is in there
            raise

    def settle(self, job: Job, at: Ready, promised: Promise) -> None:
        """Write down where it runs, and what it is promised."""
        place, recipe = at.place, job.situation.recipe
        write_json(self.folder / "promise.json", promised)
        used = EnvironmentUsed(
            kind=place.kind,
            recipe=place.recipe,
            lock_hash=place.lock_hash,
            python=place.python_version,
            pose=at.program.name,
            reused=place.reused,
            differences=place.differences,
            image=place.image,
            limits=job.limits,
            recipe_file=None if is_shipped(recipe) else str(recipe.file.absolute()),
            recipe_hash=recipe_hash(recipe.file),
            bundle=job.bundle,
        )
        self.record = replace(self.record, environment=used)
        self._took("environment", self._opened)
        self._write()

    def begin(self, work: Work) -> None:
        """Write down what is started, and what the single files hold that it reads."""
        self._begun = time.monotonic()
        self.record = replace(self.record, command=work.argv, inputs=_described(work.reads))
        self._write()

    def close(self, code: int, whose: str = "stage", problem: str = "", finding: str = "") -> None:
        """Write down how it ended, and what the command left about itself."""
        if self._begun is not None:
            self._took("stage", self._begun)
        ended = replace(
            self.record,
            ended=self._now().isoformat(timespec="seconds"),
            exit_code=code,
            exit_code_of=whose,
            problem=problem,
            finding=finding,
        )
        self.record = replace(with_told(ended, self.folder), outputs=_described(outputs(self.folder)))
        self._write()

    def _now(self) -> datetime:
        """Return the time, of which a clock that was set back makes nothing earlier than it can be."""
        passed = timedelta(seconds=time.monotonic() - self._opened)
        return max(datetime.now(timezone.utc), self._started + passed)

    def _took(self, part: str, since: float) -> None:
        """Write down the seconds since a moment of the clock that nobody sets."""
        took = {part: round(time.monotonic() - since, 3)}
        self.record = replace(self.record, seconds={**self.record.seconds, **took})

    def _write(self) -> None:
        write_json(self.folder / "record.json", self.record)


@contextlib.contextmanager
def opened(job: Job, parent: Path) -> Iterator[Book]:
    """Give the book of a run; what keeps the run from its end is written down too."""
    book = Book(job, parent)
    try:
        yield book
    except BaseException as error:
        problem, finding = (error.message, error.finding) if isinstance(error, EnvcheckError) else ("", "")
        with contextlib.suppress(OSError):  # which must not hide what happened
            book.close(errors.exit_code_of(error), "envcheck", problem, finding)
        raise


def _make_folder(parent: Path, stage: str, started: datetime) -> Path:
    while True:
        folder = parent / "runs" / f"{started:%Y%m%dT%H%M%SZ}-{stage}-{os.urandom(2).hex()}"
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


def _git(folder: Path) -> Git | None:
    """Return what git says of a folder; what differs is read here: settings rewrite git's own diff."""
    git = ["git", "-C", str(folder)]
    asked = capture([*git, "rev-parse", "--show-toplevel", "HEAD"], seconds=10)
    top, _, commit = asked.stdout.strip().rpartition("\n")
    if asked.code != 0 or not top:
        return None
    options = ["--porcelain", "-z", "--untracked-files=no", "--no-renames"]
    status = capture([*git, "status", *options], seconds=30)
    if status.code != 0:
        return Git(commit, dirty=None)
    digest, names = hashlib.sha256(), sorted(entry[3:] for entry in status.stdout.split("\0") if entry)
    for name in names:
        facts = file_facts(Path(top, name))
        digest.update(f"{name}\0{facts.sha256 if facts else ''}\0".encode())
    return Git(commit, dirty=bool(names), changes=digest.hexdigest() if names else None)


def _described(paths: Iterable[str | Path]) -> tuple[FileFacts, ...]:
    described = (file_facts(Path(path)) for path in paths)
    return tuple(one for one in described if one is not None)
