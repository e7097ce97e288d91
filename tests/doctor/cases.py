"""The cases in cases/: a check, a machine made from one of tests/hosts, and what has to be said of it.

A file holds the checks of one subject:

    check.id:
      status: a machine of tests/hosts, or a mapping, or a list of either
        host      the machine of tests/hosts
        with      facts that are other than there, by their path; what is not there is made
        without   paths of facts that are taken away, so that they are not known
        primary   the id of what stands on top; this check's own where it is in trouble, else not compared
        baseline  a second machine, for the checks of drift
        proof     what the picked environment has proved, for the checks of --deep
        stress    what dcgmi has said, for those of --stress
        project   a repository of projects/, for the checks of repositories
      unknown: {never: why it always knows}
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml

from envcheck.doctor.proof import Proof
from envcheck.doctor.stress import Stress
from envcheck.documents import parse_json

HERE = Path(__file__).parent
HOSTS = HERE.parent / "hosts"
PROJECTS = HERE / "projects"

TROUBLE = ("warn", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check on one machine."""

    check: str
    status: str
    host: str = ""
    changes: dict[str, Any]
    without: tuple[str, ...]
    primary: str | None
    baseline: str | None
    proof: Proof | None
    stress: Stress | None
    project: str | None
    never: str = ""  # why there is no such machine

    @property
    def name(self) -> str:
        """What pytest calls it."""
        words = (self.check, self.status, self.host or "never", self.project)
        return "-".join(filter(None, words))

    def machine(self) -> dict[str, Any]:
        """Return the machine's document."""
        document = json.loads((HOSTS / f"{self.host}.json").read_text(encoding="utf-8"))
        for path, value in self.changes.items():
            _put(document, _steps(path), copy.deepcopy(value))  # the file's cases share what they alias
        for path in self.without:
            _take(document, _steps(path))
        return document


def cases() -> tuple[Case, ...]:
    """Return all cases, in the order of the files."""
    files = sorted((HERE / "cases").glob("*.yaml"))
    return tuple(
        _case(check, status, one)
        for file in files
        for check, statuses in yaml.safe_load(file.read_text(encoding="utf-8")).items()
        for status, entry in statuses.items()
        for one in (entry if isinstance(entry, list) else [entry])
    )


def _case(check: str, status: str, entry: str | dict[str, Any]) -> Case:
    said = {"host": entry} if isinstance(entry, str) else dict(entry)
    one = Case(
        check=check,
        status=status,
        host=said.pop("host", ""),
        changes=said.pop("with", {}),
        without=tuple(said.pop("without", ())),
        primary=said.pop("primary", check if status in TROUBLE else None),
        baseline=said.pop("baseline", None),
        proof=_value(Proof, said.pop("proof", None)),
        stress=_value(Stress, said.pop("stress", None)),
        project=said.pop("project", None),
        never=said.pop("never", ""),
    )
    assert not said, f"{check}: {sorted(said)}"
    assert bool(one.host) != bool(one.never), f"{check}: a machine, or why there is none"
    return one


T = TypeVar("T")


def _value(kind: type[T], said: Any) -> T | None:
    return None if said is None else parse_json(json.dumps(said).encode(), kind, source=kind.__name__)


def _steps(path: str) -> list[str | int]:
    """Return the keys and places of a path: "gpus[0].pcie.width"; after "unknown." comes one key."""
    if path.startswith("unknown."):
        return ["unknown", path.removeprefix("unknown.")]
    words = re.findall(r"[^.\[\]]+", path)
    return [int(word) if word.isdecimal() else word for word in words]


def _put(document: Any, steps: list[str | int], value: Any) -> None:
    for step, following in pairwise(steps):
        if isinstance(step, str) and document.get(step) is None:
            document[step] = [] if isinstance(following, int) else {}
        document = document[step]
    if isinstance(document, list) and steps[-1] == len(document):
        document.append(value)
    else:
        document[steps[-1]] = value


def _take(document: Any, steps: list[str | int]) -> None:
    for step in steps[:-1]:
        document = document[step]
    del document[steps[-1]]
