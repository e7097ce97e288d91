"""What pose says of a stage's arguments before anything is built: what they read and write, or what is wrong.

Asked of any Python, as pose answers without torch. Imports little: it is asked while the rest is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envcheck.documents import parse_json
from envcheck.processes import Outcome, capture

_SECONDS = 60
_SCHEMA = "pose.paths/1"


@dataclass(frozen=True, slots=True)
class Needs:
    """The document `pose.paths/1`: paths that the stage reads, folders that it writes."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def ask_pose(program: Path, words: Sequence[str], parent: Path) -> Outcome:
    """Return what the copy of pose `program` said; with code 0 it holds `Needs`."""
    # In a folder of its own a run writes what else would land in the working directory.
    check = ("--check", "--run-dir", str(parent))
    return capture([sys.executable, str(program), *check, *words], seconds=_SECONDS)


def needs_in(outcome: Outcome) -> Needs:
    """Return what was said with code 0."""
    return parse_json(outcome.stdout.encode(), Needs, source="pose --check", schema=_SCHEMA)
