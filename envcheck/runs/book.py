"""A run's folder and its record while it lasts: written at the start, and again however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envcheck import __version__, errors
from envcheck.documents import write_json
from envcheck.environments.place import NO_LIMITS, Limits, Work
from envcheck.errors import EnvcheckError
from envcheck.processes import capture
from envcheck.runs.masked import masked
from envcheck.runs.promise import Promise
from envcheck.runs.record import EnvironmentUsed, FileFacts, Git, Record, file_facts
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
    bundle: str | None = None  # the digest of the bundle that brought recipe and pose


class Book:
    """The record of one run, and the folder in which it lies."""

    def __init__(self, job: Job, parent: Path) -> None:
        """Open it under `parent`/runs. Raises `EnvcheckError` when the folder cannot be made."""
        started = datetime.now(timezone.utc)
        self.folder = _make_folder(parent, job.name, started)
        self.log = self.folder / "log.txt"
        self.record = Record(
            id=self.folder.name,
            stage=job.name,
            argv=masked(job.typed),
            working_directory=str(Path.cwd()),
            envcheck=__version__,
            git=_git(Path.cwd()),
            host=job.situation.host,
            choice=job.situation.choice,
            started=started.isoformat(timespec="seconds"),
        )
        self._write()

    def settle(self, job: Job, at: Ready, promised: Promise) -> None:
        """Write down where it runs, and what it is promised."""
        place = at.place
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
            bundle=job.bundle,
        )
        self.record = replace(self.record, environment=used)
        self._write()

    def begin(self, work: Work) -> None:
        """Write down what is started, and what the single files hold that it reads."""
        self.record = replace(self.record, command=work.argv, inputs=_described(work.reads))
        self._write()

    def close(self, code: int, whose: str = "stage", problem: str = "", finding: str = "") -> None:
        """Write down how it ended, and what the command left about itself."""
        result = _read(self.folder / "result.json")
        self.record = replace(
            self.record,
            ended=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            exit_code=code,
            exit_code_of=whose,
            problem=problem,
            finding=finding,
            proof=_read(self.folder / "proof.json") or None,
            config=result.get("config"),
            seed=result.get("seed"),
            dataset=result.get("dataset"),
            metrics=result.get("metrics") or {},
            published=result.get("published"),
            output_dir=result.get("output_dir"),
            computing=result.get("computing"),
            epochs=tuple(result.get("epochs") or ()),
            resumed_from=result.get("resumed_from", "unknown"),
            memory=result.get("memory"),
            outputs=_described(map(str, result.get("outputs") or ())),
        )
        self._write()

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
    head = capture(["git", "-C", str(folder), "rev-parse", "HEAD"], seconds=10)
    if head.code != 0:
        return None
    status = capture(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"], seconds=30)
    if not status.stdout.strip():
        return Git(head.stdout.strip(), dirty=False)
    # Whatever a user's own settings make of a diff for people, this one is always written alike.
    plain = ["--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--full-index", "HEAD"]
    changed = capture(["git", "-C", str(folder), "diff", *plain], seconds=30)
    digest = hashlib.sha256(changed.stdout.encode()).hexdigest() if changed.code == 0 else None
    return Git(head.stdout.strip(), dirty=True, changes=digest)


def _read(path: Path) -> dict[str, Any]:
    """Return a document that the stage wrote; a stage that was killed may have written none.

    JSON has no word for what is no number: null, or nobody could read the record again.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=lambda _: None)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _described(paths: Iterable[str | Path]) -> tuple[FileFacts, ...]:
    described = (file_facts(Path(path)) for path in paths if Path(path).is_file())
    return tuple(one for one in described if one is not None)
