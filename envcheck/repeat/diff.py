"""Two runs side by side: what differs, by what it can do to a result, the likeliest cause on top."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from envcheck.documents import to_plain
from envcheck.errors import OK
from envcheck.repeat.influence import POSSIBLE, Kind, Needed, influence_of
from envcheck.runs.record import FileFacts, Record

SCHEMA = "envcheck.diff/1"

# What follows from the rest, or says where a run was, and not what it was.
_LEFT_OUT = ("schema", "choice", "command", "working_directory", "output_dir", "host.unknown", "host.schema")
_ABSENT = "not there"
# What a run says only where it was asked to, or did not say in earlier records: silence is no difference.
_MAY_BE_SILENT = (
    "dataset.contents",
    "environment.image.base_digest",
    "environment.recipe_hash",
    "environment.recipe_file",
    "proof.nccl",
)
# What tells a result from another, where a run was made anew in another folder: not pictures, not times.
_COMPARED = (".pth", ".json", ".npy", ".onnx", ".mat")
# Of these stages pictures and tables are the result; a video holds the time of its making.
_DRAWN = {"pred": (".jpg", ".png", ".csv")}


@dataclass(frozen=True, slots=True)
class Deviation:
    """One fact that is not the same in both."""

    fact: str  # "config.TRAIN.LR"
    kind: Kind
    first: str
    second: str
    likelihood: int
    why: str
    needed: Needed = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The document `envcheck.diff/1`."""

    schema: str = SCHEMA
    first: str
    second: str
    same_result: bool | None  # to the bit, in all that both made; null where nothing can be compared
    lacking: tuple[str, ...]  # why there is no result to compare, or only a part of one
    results: tuple[Deviation, ...]
    differences: tuple[Deviation, ...]  # the likeliest to change a result first

    @property
    def cause(self) -> Deviation | None:
        """The most probable cause of another result, where there is one or could be one."""
        if self.same_result:
            return None
        first = self.differences[0] if self.differences else None
        return first if first is not None and first.likelihood >= POSSIBLE else None


def compare(first: Record, second: Record) -> Comparison:
    """Return what differs between two runs."""
    found = tuple(_differences(plain_facts(first), plain_facts(second)))
    same = _same_result(first, second)
    causes = sorted((one for one in found if one.kind != "result"), key=lambda one: -one.likelihood)
    return Comparison(
        first=first.id,
        second=second.id,
        same_result=same,
        lacking=tuple(_lacking(first, second)),
        results=tuple(one for one in found if one.kind == "result"),
        differences=tuple(causes),
    )


def plain_facts(record: Record) -> dict[str, str]:
    """Return what a run was made of and what came out, each fact under its path; lists are one fact."""
    plain = to_plain(record)
    plain["outputs"] = products(record)
    plain["inputs"] = {
        name: {"sha256": one.sha256} for name, one in _named(record.inputs, record.working_directory).items()
    }
    if record.health is not None:
        troubles = {one.id: f"{one.status}: {one.title}" for one in record.health.findings}
        plain["health"] = {**troubles, "unknown": record.health.unknown}
    if record.resumed_from == "unknown":
        del plain["resumed_from"]
    if record.config is not None:
        del plain["argv"]  # which the config says better
    return dict(_flat("", plain))


def products(record: Record) -> dict[str, str]:
    """Return the digests of what came out, by its name in the run's own folders."""
    compared = (*_COMPARED, *_DRAWN.get(record.stage, ()))
    made = tuple(one for one in record.outputs if PurePath(one.path).suffix in compared)
    return {name: one.sha256 for name, one in _named(made, record.output_dir, inside=True).items()}


def _named(files: tuple[FileFacts, ...], folder: str | None, *, inside: bool = False) -> dict[str, FileFacts]:
    """Return files by their names, and where that is not enough by their paths below a folder.

    With `inside` always by those, where they lie in it.
    """
    names = Counter(PurePath(one.path).name for one in files)
    named = {}
    for one in files:
        path = PurePath(one.path)
        below = bool(folder) and path.is_relative_to(str(folder))
        if below and (inside or names[path.name] > 1):
            named[str(path.relative_to(str(folder)))] = one
        else:
            named[path.name if names[path.name] == 1 else str(path)] = one
    return named


def same_numbers(first: Any, second: Any) -> bool:  # noqa: ANN401 - a stage's
    """Tell whether what two stages said is the same; no number is the same as no number."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def how_it_ended(record: Record) -> str:
    """Return what keeps a run from having a result, as a sentence about it goes on; "" where nothing does."""
    if record.exit_code is None:
        far = f", {len(record.epochs)} epochs are written down" if record.epochs else ""
        return f"has not ended, or envcheck was killed{far}"
    if record.exit_code != OK:
        return f"failed with exit code {record.exit_code}"
    return ""


def _lacking(first: Record, second: Record) -> Iterator[str]:
    made = [products(record) for record in (first, second)]
    finished = True
    for record, files in zip((first, second), made, strict=True):
        if how := how_it_ended(record):
            finished = False
            yield f"{record.id} {how}"
        elif not files:
            finished = False
            yield f"{record.id} left no file that could be compared"
    if finished and not made[0].keys() & made[1].keys():
        yield "they left files of other names"


def _same_result(first: Record, second: Record) -> bool | None:
    made, made_again = products(first), products(second)
    if first.exit_code is None or second.exit_code is None or not made.keys() & made_again.keys():
        return None
    return made == made_again and same_numbers(first.metrics, second.metrics)


def _differences(first: dict[str, str], second: dict[str, str]) -> Iterator[Deviation]:
    for fact in dict.fromkeys((*first, *second)):
        one, other = first.get(fact, _ABSENT), second.get(fact, _ABSENT)
        if fact in _MAY_BE_SILENT and _ABSENT in (one, other):
            continue
        if one != other:
            rule = influence_of(fact)
            yield Deviation(fact, rule.kind, one, other, rule.likelihood, rule.why, rule.needed)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a document's
    if path in _LEFT_OUT:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            is_file = path in ("inputs", "outputs")
            yield from _flat(f"{path}[{key}]" if is_file else f"{path}.{key}" if path else key, inner)
    elif isinstance(value, (list, tuple)) and value and all(isinstance(one, dict) for one in value):
        for place, inner in enumerate(value):
            yield from _flat(f"{path}[{place}]", inner)
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value)
