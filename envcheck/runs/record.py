"""`record.json`: everything that a run was made of and what came out, as one document.

The record is written when the run starts and again when it ends, so a run that was killed has one too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from envcheck.choice.choose import Choice
from envcheck.digests import sha256_of
from envcheck.documents import parse_json, refuse_later
from envcheck.environments.place import NO_LIMITS, Image, Kind, Limits
from envcheck.errors import UsageError
from envcheck.host.facts import Host
from envcheck.runs.health import Health

SCHEMA = "envcheck.run/1"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")


@dataclass(frozen=True, slots=True)
class Git:
    """The commit of the working directory, when it is in a checkout."""

    commit: str
    dirty: bool | None  # a file that git knows differs from it, those it does not know apart; null: unknown
    changes: str | None = None  # a digest of the names and contents of those files, null where there are none


@dataclass(frozen=True, slots=True)
class EnvironmentUsed:
    """What the run was promised to run in; what it really was stands in the proof."""

    kind: Kind  # "docker" (podman too), "venv", "current"
    recipe: str
    lock_hash: str  # a digest of what the lock pins
    python: str
    pose: str  # the digest that addresses the copy of pose
    reused: bool  # and not built for this run
    differences: tuple[str, ...]  # between what is there and what the recipe pins
    image: Image | None = None  # a container's
    limits: Limits = NO_LIMITS
    recipe_file: str | None = None  # of a recipe that envcheck does not ship
    recipe_hash: str | None = None  # a digest of the recipe's YAML
    bundle: str | None = None  # the digest of the bundle that all of it came from


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file that the run read or made."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run. `exit_code` is null while it runs; `exit_code_of` says whose code it is."""

    schema: str = SCHEMA
    id: str  # the folder's name
    stage: str  # of pose; or "exec", "shell"
    argv: tuple[str, ...]  # as typed after `envcheck run`
    command: tuple[str, ...] = ()  # as started; empty where it did not come to that
    working_directory: str
    envcheck: str  # its version
    git: Git | None  # null outside of a checkout
    host: Host  # this machine's facts when it started
    choice: Choice  # the recipe, why, and why not the others
    health: Health | None = None  # what doctor says of both
    environment: EnvironmentUsed | None = None  # null until it is there
    started: str  # in UTC
    ended: str | None = None  # null while it runs, and where envcheck was killed
    exit_code: int | None = None  # likewise
    exit_code_of: str | None = None  # "stage" or "envcheck"
    problem: str = ""  # why it failed, where that is known
    finding: str = ""  # what doctor and explain call that
    proof: dict[str, Any] | None = None  # what it ran in, seen from inside, and a kernel on each device
    config: dict[str, Any] | None = None  # in full
    seed: int | None = None  # of every random number
    dataset: dict[str, Any] | None = None  # where it lies, and its fingerprint
    inputs: tuple[FileFacts, ...] = ()  # the single files that it read: configs, weights, detections
    computing: dict[str, Any] | None = None  # what beside all that decides on the last bit: threads, switches
    damaged: tuple[str, ...] = ()  # a sentence for each checkpoint that it could not go on from
    epochs: tuple[dict[str, Any], ...] = ()  # of a training: what each finished one came to
    resumed_from: int | Literal["unknown"] | None = "unknown"  # epochs in the checkpoint; null: it began anew
    seconds: dict[str, Any] = field(default_factory=dict)  # what its parts took
    memory: dict[str, Any] | None = None  # the most that it took, in MiB
    metrics: dict[str, Any] = field(default_factory=dict)  # the last test's
    published: dict[str, Any] | None = None  # a test's published row, and how far the metrics are from it
    output_dir: str | None = None  # where the results lie
    outputs: tuple[FileFacts, ...] = ()  # the files that it made


def parse_record(data: bytes, source: str) -> Record:
    """Return the record in `data`, which `source` names in errors. Raises `UsageError`.

    Anybody can have written it, and its id becomes the name of files.
    """
    refuse_later(data, SCHEMA, source=source)
    record = parse_json(data, Record, source=source, schema=SCHEMA)
    if not _ID.fullmatch(record.id):
        raise UsageError(f"{source}: `$.id` is {record.id!r:.80}, which is no run's", "Is it a record?")
    return record


def file_facts(path: Path) -> FileFacts | None:
    """Return a file's size and digest, or None when there is no file of that name."""
    try:
        if not path.is_file():  # of a device or a pipe, which a record could name, there is no end
            return None
        return FileFacts(str(path), path.stat().st_size, sha256_of(path).hexdigest())
    except (OSError, ValueError):
        return None
