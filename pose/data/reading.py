"""JSON that others wrote, read early: each fault is a sentence that names file and entry."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pose.errors import PoseError


def read_json(file: Path, kind: type, what: str, hint: str) -> Any:  # noqa: ANN401 - JSON is anything
    """The parsed file, whose outermost value is a `kind`; `hint` is what helps where it is missing."""
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise PoseError(f"{what} {file} is missing", hint=hint) from None
    except OSError as error:
        raise PoseError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # malformed JSON, or bytes that are no text
        raise PoseError(f"{file} is not valid JSON: {error}", hint="fetch or write it again") from error
    if not isinstance(document, kind):
        raise PoseError(f"{file} holds a {type(document).__name__}, {what} is a {kind.__name__}")
    return document


@contextlib.contextmanager
def naming(file: Path, key: str, position: int) -> Iterator[None]:
    """Turns a missing or odd field into a sentence that names file and entry."""
    where = f"{file}: {key}[{position}]"
    try:
        yield
    except KeyError as error:
        field = error.args[0]
        known = isinstance(field, str)
        reason = f'has no field "{field}"' if known else f"names picture {field}, which is not in images"
        raise PoseError(f"{where} {reason}") from None
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise PoseError(f"{where} cannot be read: {error}") from None


def fields(entry: object) -> Mapping[str, Any]:
    """The entry, which is an object."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"{short(entry)} is no object")  # noqa: TRY004 - as any other odd value
    return entry


def number_in(entry: Mapping[str, Any], key: str) -> float:
    """The field's finite number."""
    found = number(entry[key])
    if found is None:
        raise ValueError(f'"{key}" is not a finite number: {short(entry[key])}')
    return found


def whole_in(entry: Mapping[str, Any], key: str) -> int:
    """The field's whole number: an id."""
    found = whole(entry[key])
    if found is None:
        raise ValueError(f'"{key}" is no whole number: {short(entry[key])}')
    return found


def numbers(entry: Mapping[str, Any], key: str, count: int) -> list[float]:
    """The field's list of that many finite numbers."""
    values = entry[key]
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f'"{key}" is not a list of {count} numbers')
    found = [value for value in map(number, values) if value is not None]
    if len(found) != count:
        raise ValueError(f'"{key}" holds what is not a finite number')
    return found


def number(value: object) -> float | None:
    """The value as a finite number; None for anything else: texts, truth values, NaN, infinity."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def whole(value: object) -> int | None:
    """The value as an id, which JSON may write as 7 or 7.0; None for what is none."""
    found = number(value)
    if found is None or not found.is_integer():
        return None
    return value if isinstance(value, int) else int(found)  # to the last digit


def short(value: object) -> str:
    """The value as a few words of a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
