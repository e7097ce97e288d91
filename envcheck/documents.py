"""Reading and writing the JSON documents and YAML files: raw mappings live and die here.

Documents (JSON, written by programs) ignore keys they don't know; files that people write (recipes,
tables) refuse them; files of somebody else's repository, whose formats are not ours, have them ignored. A
wrong type is a `UsageError` that names the file and the key's path. This module knows how values become
text, not what any document means.
"""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import json
import os
import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from packaging.version import InvalidVersion, Version

from envcheck.errors import UsageError
from envcheck.versions import Spelled

T = TypeVar("T")

# Snapshots are a few kilobytes; a file of this size is something else, and parsing it would cost memory.
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
# A requirements.txt with every hash of every wheel has a few hundred kilobytes.
MAX_TEXT_BYTES = 1024 * 1024
# PyYAML's own reader takes half a minute for a megabyte; a long environment.yml has 20 kilobytes.
_MAX_YAML_CHARACTERS = 128 * 1024
# "580.95.05", "2.13.0+cpu": no real version comes near; a version of 10,000 digits would cost quadratic time.
MAX_VERSION_CHARACTERS = 64
# What a compose file says in a thousand services.
_MAX_YAML_VALUES = 20_000
_MAX_TOML_LINE = 4096
# As msgspec says it.
_MALFORMED = re.compile(r"JSON is malformed: (?P<what>.+) \(byte (?P<at>[0-9]+)\)")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF16_HINT = "PowerShell writes UTF-16: save it as UTF-8."

# libyaml's parser reads the tables eight times as fast; PyYAML can be built without it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Head(msgspec.Struct):
    """What every document begins with, of whatever kind it is."""

    schema: Any = None


def to_plain(value: object) -> Any:  # noqa: ANN401 - JSON values have no narrower type
    """Return `value` as JSON types; versions become strings, dataclasses become objects."""
    return msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)


def to_json(value: object) -> str:
    """Return `value` as an indented JSON document that ends with a newline."""
    # ASCII: no control character of a GPU's name reaches a terminal, and every file name can be written.
    return json.dumps(to_plain(value), indent=1).replace("\x7f", "\\u007f") + "\n"


def to_yaml(value: object) -> str:
    """Return `value` as YAML that says the same when it is read again: a float such as 1e-05 stays one."""
    return str(yaml.safe_dump(to_plain(value), sort_keys=False))


def write_json(path: Path, value: object) -> None:
    """Write a document in one step, so that a reader never sees half of it.

    Raises `OSError`, which names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = to_json(value)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with naming(path):
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            open_to_everybody(temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """While open, an `OSError` is said of `path`: a full disk names no file, a temporary one says little."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def open_to_everybody(file: Path) -> None:
    """Let everybody read what mkstemp made for its owner alone, as far as the umask lets them."""
    umask = os.umask(0)
    os.umask(umask)
    file.chmod(0o666 & ~umask)


def parse_json(
    data: bytes, kind: type[T], *, source: str, schema: str | None = None, limit: int = MAX_DOCUMENT_BYTES
) -> T:
    """Return the document in `data` as `kind`; `source` names it in errors.

    With `schema`, the document's own `schema` must be that one. Raises `UsageError`.
    """
    if len(data) > limit:
        raise UsageError(f"{source}: larger than {limit >> 20} MiB", "Is this the right file?")
    if data[:2] in _UTF16_MARKS:
        raise UsageError(f"{source}: not a JSON document: UTF-16, and not UTF-8", _UTF16_HINT)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        if not data.isascii():
            data.decode("utf-8")  # msgspec does not look into what it skips
        if schema is not None and (found := _schema_of(data)) != schema:
            shown = f"{found!r:.60}" if found is not None else "no schema"
            raise UsageError(f"{source}: `$.schema` is {shown}, expected {schema!r}")
        # Typed from the start: what is wrong is named by its path, and unknown keys cost no memory.
        return msgspec.json.decode(data, type=kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(data, source, error) from None


def refuse_later(data: bytes, ours: str, *, source: str) -> None:
    """Raise `UsageError` for a document of a later version than the schema `ours`."""
    said = parse_json(data, _Head, source=source).schema
    kind, _, number = said.rpartition("/") if isinstance(said, str) else ("", "", "")
    our_kind, _, known = ours.rpartition("/")
    if kind == our_kind and number.isdecimal() and int(number[:9]) > int(known):
        raise UsageError(
            f"{source} was written by a later envcheck: it is {said:.60}, this one reads {ours}",
            "Update envcheck.",
        )


def is_json(data: bytes) -> bool:
    """Tell whether `data` is a whole JSON document, whatever it says."""
    try:
        msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def read_json(path: Path, kind: type[T], *, schema: str | None = None, limit: int = MAX_DOCUMENT_BYTES) -> T:
    """Return the JSON document in a file as `kind`. Raises `UsageError`."""
    return parse_json(read_bytes(path, limit), kind, source=str(path), schema=schema, limit=limit)


def read_yaml(path: Path, kind: type[T]) -> T:
    """Return a YAML file that a person wrote as `kind`; unknown keys are refused. Raises `UsageError`."""
    try:
        raw = yaml.load(read_bytes(path), Loader=_LOADER)  # noqa: S506 - a safe loader, whichever of the two it is
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _not_yaml(str(path), error) from None
    _refuse_unknown_keys(raw, msgspec.inspect.type_info(kind), str(path))
    return _convert(raw, kind, str(path))


def read_text(path: Path) -> str:
    """Return a text file of somebody else's. Raises `UsageError` for what is none, or is too large."""
    data = read_bytes(path, MAX_TEXT_BYTES)
    if len(data) > MAX_TEXT_BYTES:
        raise UsageError(f"{path}: larger than {MAX_TEXT_BYTES >> 10} KiB", "Is this the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        hint = _UTF16_HINT if data[:2] in _UTF16_MARKS else ""
        raise UsageError(f"{path}: not UTF-8 text", hint) from None
    if "\0" in text:
        raise UsageError(f"{path}: not text: it holds a NUL character")
    return text


def parse_plain_yaml(text: str, kind: type[T], *, source: str, aliases: bool = False) -> T:
    """Return somebody else's YAML as `kind`; each scalar is its text, so 3.10 stays "3.10".

    Aliases, and the keys that `<<` merges, are spelled out where `aliases` says so, and refused otherwise: a
    few of them say more than memory holds. Raises `UsageError`.
    """
    if len(text) > _MAX_YAML_CHARACTERS:
        raise UsageError(f"{source}: larger than {_MAX_YAML_CHARACTERS >> 10} KiB", "Is this the right file?")
    try:
        # Both make text, lists and mappings, less than SafeLoader.
        raw = yaml.load(text, yaml.BaseLoader if aliases else _PlainLoader)  # noqa: S506
        raw = _spelled_out(raw, iter(range(_MAX_YAML_VALUES))) if aliases else raw
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _not_yaml(source, error) from None
    return _convert(raw, kind, source)


def parse_toml(text: str, kind: type[T], *, source: str) -> T:
    """Return somebody else's TOML as `kind`. Raises `UsageError`."""
    # A key of n dots costs the standard library's reader n * n steps.
    if any(len(line) > _MAX_TOML_LINE for line in text.splitlines()):
        raise UsageError(f"{source}: a line has more than {_MAX_TOML_LINE} characters", "Break the line.")
    try:
        raw = msgspec.toml.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{source}: not TOML: {str(error) or 'too deep'}") from None
    return _convert(raw, kind, source)


class _PlainLoader(yaml.BaseLoader):
    """Reads YAML without types, and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node. Raises for an alias."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(problem="an alias, which is not read here", problem_mark=mark)
        return super().compose_node(parent, index)


def _spelled_out(raw: object, room: Iterator[int]) -> object:
    """Return a value in which nothing is shared and `<<` is merged; `room` ends where it is too large."""
    if next(room, None) is None:
        raise yaml.composer.ComposerError(problem="aliases that say more than anybody reads")
    if isinstance(raw, list):
        return [_spelled_out(one, room) for one in raw]
    if not isinstance(raw, dict):
        return raw
    own = {key: _spelled_out(value, room) for key, value in raw.items()}
    merged = own.pop("<<", {})
    others = merged if isinstance(merged, list) else [merged]
    # Of several the first says what a key is, and the mapping itself before all of them.
    parts = [one for one in reversed(others) if isinstance(one, dict)]
    return {key: value for part in (*parts, own) for key, value in part.items()}


def _not_json(data: bytes, source: str, error: Exception) -> UsageError:
    """Return what keeps `data` from being JSON, with its place: bytes are counted from 0, lines from 1."""
    if isinstance(error, UnicodeDecodeError):
        at, what = error.start, "not UTF-8"
    elif match := _MALFORMED.fullmatch(str(error)):
        at, what = int(match["at"]), match["what"]
    else:
        return UsageError(f"{source}: not a JSON document: {error}", "Is the file complete?")
    line = data.count(b"\n", 0, at) + 1
    return UsageError(f"{source}: not a JSON document: {what} at byte {at} (line {line})")


def _not_yaml(source: str, error: Exception) -> UsageError:
    where = getattr(error, "problem_mark", None)
    line = f":{where.line + 1}" if where is not None else ""
    unnamed = "nested too deep" if isinstance(error, RecursionError) else "not text"
    return UsageError(f"{source}{line}: not YAML: {getattr(error, 'problem', None) or unnamed}")


def read_bytes(path: Path, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
    """Return a file's content, at most one byte more than `limit`. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _schema_of(data: bytes) -> object:
    """Return what stands under `schema`, None where nothing does."""
    try:
        return msgspec.json.decode(data, type=_Head).schema
    except msgspec.ValidationError:  # no object at all
        return None


def _convert(raw: object, kind: type[T], source: str) -> T:
    try:
        return msgspec.convert(raw, kind, dec_hook=_decode)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{source}: {error}") from None


def _decode(kind: type, value: object) -> object:
    if kind is not Version:
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise ValueError(f"Expected a version as `str`, got `{type(value).__name__}`")  # noqa: TRY004 - msgspec adds the path to a ValueError only
    if len(value) > MAX_VERSION_CHARACTERS:
        raise ValueError("Expected a version, got a text of more than 64 characters")
    try:
        return _spelled(value)
    except InvalidVersion:
        raise ValueError(f"Expected a version, got {value!r}") from None


@lru_cache(maxsize=4096)  # a fleet says the same few versions a hundred thousand times
def _spelled(text: str) -> Spelled:
    return Spelled(text)


def _encode(value: object) -> object:
    if isinstance(value, (Version, Path)):
        return str(value)
    raise NotImplementedError(type(value))


def _refuse_unknown_keys(raw: object, info: msgspec.inspect.Type, source: str, path: str = "$") -> None:
    """Raise for a key that the dataclass does not have; msgspec forbids these for its own structs only."""
    if isinstance(info, msgspec.inspect.DataclassType) and isinstance(raw, dict):
        fields = {field.encode_name: field.type for field in info.fields}
        for key, value in raw.items():
            if key not in fields:
                known = ", ".join(field.name for field in dataclasses.fields(info.cls))
                raise UsageError(f"{source}: unknown key {key!r:.60} in `{path}`", f"Known keys: {known}")
            _refuse_unknown_keys(value, fields[key], source, f"{path}.{key}")
    elif isinstance(info, msgspec.inspect.UnionType):
        for option in info.types:
            _refuse_unknown_keys(raw, option, source, path)
    elif isinstance(info, msgspec.inspect.DictType) and isinstance(raw, dict):
        for key, value in raw.items():
            _refuse_unknown_keys(value, info.value_type, source, f"{path}[{key!r:.60}]")
    elif isinstance(info, (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)) and isinstance(raw, list):
        for index, value in enumerate(raw):
            _refuse_unknown_keys(value, info.item_type, source, f"{path}[{index}]")
