"""The words of a run's stage, made fit for another machine: they name what a bundle brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from envcheck.bundle.unpack import Unpacked
from envcheck.runs.record import FileFacts, Record

# Stages that are told by a config what to do.
_CONFIGURED = ("train", "test", "pred", "export", "check-data")
CONFIGS = (".yaml", ".yml")
_CFG, _DATA, _ROOT = "--cfg", "--data", "DATASET.ROOT"
# They take the last weights of this config's folder where the config names none.
_TAKES_WEIGHTS = ("test", "pred", "export")
WEIGHTS = "final_state.pth"
MODEL_FILE = "TEST.MODEL_FILE"
# Before its paths, which are whole by the time that a record has them.
_BEFORE = "--dataDir"


def with_config(words: Sequence[str], bundle: Unpacked, record: Record | None) -> tuple[str, ...]:
    """Return a stage's words; one that is told no config gets that of the bundle's run, and its files."""
    stage, *others = words
    if (
        stage not in _CONFIGURED
        or bundle.config is None
        or record is None
        or _value(others, _CFG) is not None
    ):
        return tuple(words)
    return (stage, _CFG, str(bundle.config), *_overrides(record, bundle.inputs()), *others)


def of_run(words: Sequence[str], bundle: Unpacked, record: Record) -> tuple[str, ...]:
    """Return the words of the bundle's run as they mean the same here: its config in full, its files."""
    inputs = bundle.inputs()
    directory = Path(record.working_directory)
    read = {one.path: inputs[one.sha256] for one in record.inputs if one.sha256 in inputs}
    stage, *others = without(words, _CFG, _BEFORE) if bundle.config is not None else words

    def here_of(text: str) -> str:
        return str(read.get(str(directory / text), text))

    # The value alone, or what stands behind "=".
    halves = (word.rpartition("=") if word.startswith("--") else ("", "", word) for word in others)
    here = tuple(f"{option}{sign}{here_of(value)}" for option, sign, value in halves)
    return with_config((stage, *here), bundle, record)


def with_data(words: Sequence[str], data: Path | None) -> tuple[str, ...]:
    """Return a stage's words with its data elsewhere; None: where they say."""
    if data is None:
        return tuple(words)
    return (*without(words, _DATA, _ROOT), _DATA, str(data.absolute()))


def took_unnamed_weights(record: Record, words: Sequence[str]) -> bool:
    """Tell whether a run, by its words, took the weights that lay in its own folder."""
    test = (record.config or {}).get("TEST")
    return (
        record.stage in _TAKES_WEIGHTS
        and isinstance(test, dict)
        and not test.get("MODEL_FILE")
        and "--untrained" not in words
    )


def weights_in_folder(record: Record) -> FileFacts | None:
    """Return the weights that a run took from its own folder, None where it did not write down which."""
    return next((one for one in record.inputs if Path(one.path).name == WEIGHTS), None)


def named_config(record: Record) -> str | None:
    """Return the config that a run was told by its words, None where it was told none."""
    return _value(record.command, _CFG)


def _value(words: Sequence[str], option: str) -> str | None:
    after = next((value for word, value in pairwise(words) if word == option), None)
    joined = (word.partition("=")[2] for word in words if word.startswith(f"{option}="))
    return after if after is not None else next(joined, None)


def without(words: Sequence[str], *options: str) -> Iterator[str]:
    """Yield the words but for some options, each with its value."""
    rest = iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            yield word


def _overrides(record: Record, inputs: Mapping[str, Path]) -> Iterator[str]:
    """Yield the overrides that lead a run's config to the files that a bundle brings: KEY VALUE."""
    read = {one.path: inputs[one.sha256] for one in record.inputs if one.sha256 in inputs}
    directory = Path(record.working_directory)
    for key, value in _texts("", record.config or {}):
        if value and (here := read.get(str(directory / value))):
            yield from (key, str(here))
    weights = weights_in_folder(record)
    if weights is not None and weights.sha256 in inputs and took_unnamed_weights(record, record.command):
        yield from (MODEL_FILE, str(inputs[weights.sha256]))


def _texts(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _texts(f"{prefix}{key}.", value)
        elif isinstance(value, str):
            yield f"{prefix}{key}", value
