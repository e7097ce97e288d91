"""`record.json`: everything that a run was made of and what came out, as one document.

The record is written when the run starts and again when it ends, so a run that was killed has one too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envcheck.choice.choose import Choice
from envcheck.environments.place import NO_LIMITS, Image, Kind, Limits
from envcheck.host.facts import Host

SCHEMA = "envcheck.run/1"


@dataclass(frozen=True, slots=True)
class Git:
    """The commit of the working directory, when it is in a checkout."""

    commit: str
    dirty: bool
    changes: str | None = None  # a digest of what differs from the commit, null where nothing does


@dataclass(frozen=True, slots=True)
class EnvironmentUsed:
    """What the run was promised to run in; what it really was stands in the proof."""

    kind: Kind
    recipe: str
    lock_hash: str
    python: str
    pose: str  # the digest that addresses the copy of pose
    reused: bool
    differences: tuple[str, ...]
    image: Image | None = None  # a container's
    limits: Limits = NO_LIMITS


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
    id: str
    stage: str
    argv: tuple[str, ...]  # as typed after `envcheck run`
    command: tuple[str, ...] = ()  # as started; empty where it did not come to that
    working_directory: str
    envcheck: str
    git: Git | None
    host: Host
    choice: Choice
    environment: EnvironmentUsed | None = None  # null until it is there
    started: str
    ended: str | None = None
    exit_code: int | None = None
    exit_code_of: str | None = None  # "stage" or "envcheck"
    problem: str = ""  # why it failed, where that is known
    finding: str = ""  # what doctor and explain call that
    proof: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    seed: int | None = None
    dataset: dict[str, Any] | None = None
    inputs: tuple[FileFacts, ...] = ()  # the single files that it read: configs, weights, detections
    computing: dict[str, Any] | None = None  # what beside all that decides on the last bit: threads, switches
    epochs: tuple[dict[str, Any], ...] = ()  # of a training: what each finished one came to
    memory: dict[str, Any] | None = None  # the most that it took, in MiB
    metrics: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] | None = None  # a test's published row, and how far the metrics are from it
    output_dir: str | None = None
    outputs: tuple[FileFacts, ...] = ()


def facts_of(path: Path) -> FileFacts | None:
    """Return a file's size and digest, or None when it is not there."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
            size = file.tell()
    except OSError:
        return None
    return FileFacts(str(path), size, digest.hexdigest())
