"""What a stage has left about itself in the run's folder, proof.json and result.json, put into the record."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from envcheck.runs.record import Record


def with_told(record: Record, folder: Path) -> Record:
    """Return the record with what the stage said of itself; outputs, which are to be hashed, are left out.

    A training says it after every epoch: one that was killed has said how far it got.
    """
    result = _read(folder / "result.json")
    return replace(
        record,
        problem=record.problem or _text(result.get("problem")) or "",
        proof=_read(folder / "proof.json") or None,
        config=_mapping(result.get("config")),
        seed=_integer(result.get("seed")),
        dataset=_mapping(result.get("dataset")),
        metrics=_mapping(result.get("metrics")) or {},
        published=_mapping(result.get("published")),
        output_dir=_text(result.get("output_dir")),
        computing=_mapping(result.get("computing")),
        epochs=tuple(row for row in _list(result.get("epochs")) if isinstance(row, dict)),
        resumed_from=_integer(result["resumed_from"]) if "resumed_from" in result else "unknown",
        damaged=tuple(one for one in _list(result.get("damaged")) if isinstance(one, str)),
        memory=_mapping(result.get("memory")),
        seconds={**record.seconds, **(_mapping(result.get("seconds")) or {})},
    )


def outputs(folder: Path) -> Iterable[Path]:
    """Return the files that the stage says it has finished."""
    return (Path(path) for path in _list(_read(folder / "result.json").get("outputs")) if _text(path))


def _read(path: Path) -> dict[str, Any]:
    """Return a document that the stage wrote; a stage that was killed early has written none.

    JSON has no word for what is no number: null, or nobody could read the record again.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=lambda _: None)
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mapping(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
