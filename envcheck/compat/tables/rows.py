"""What every table's rows have in common: one row for one thing, and a source that the table explains."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from envcheck.errors import UsageError

Evidence = Literal["measured", "read"]

FOLDER = Path(__file__).parent


class Row(Protocol):
    """A row as it is written: its source is a key of the table's `sources`."""

    @property
    def source(self) -> str: ...  # noqa: D102 - the protocol's one field


_Row = TypeVar("_Row", bound=Row)


def refuse_twins(path: Path, key: str, rows: Iterable[_Row], identity: Callable[[_Row], Hashable]) -> None:
    """Raise `UsageError` for a second row about the same thing."""
    seen: dict[Hashable, int] = {}
    for index, row in enumerate(rows):
        first = seen.setdefault(identity(row), index)
        if first != index:
            raise UsageError(f"{path}: `$.{key}[{index}]` is a second row for what `$.{key}[{first}]` says")


def spelled_out(path: Path, key: str, rows: Iterable[_Row], sources: dict[str, str]) -> tuple[_Row, ...]:
    """Return `rows` with the text of their source in place of its short name. Raises `UsageError`."""
    return tuple(
        replace(row, source=explained(path, f"{key}[{index}]", row, sources))  # type: ignore[type-var]  # every row is a dataclass
        for index, row in enumerate(rows)
    )


def explained(path: Path, key: str, row: Row, sources: dict[str, str]) -> str:
    """Return the text of a row's source. Raises `UsageError`."""
    if row.source not in sources:
        raise UsageError(
            f"{path}: `$.{key}.source` is {row.source!r}, which `$.sources` does not explain",
            f"Sources there: {', '.join(sources)}",
        )
    return sources[row.source]
