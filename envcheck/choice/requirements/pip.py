"""Reads requirements.txt, and the arguments of `pip install`, as pip would on Linux.

What pip takes and no index serves (`-e .`, a repository's address, a local file) is left out, and said so.
Environment variables are not filled in. A requirement that cannot be read stops everything if it touches
torch, CUDA, Python or numpy, and is left out otherwise: with it, pip itself would stop.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envcheck.choice.requirements.asked import Said, about, about_index, about_wheel, read_requirement
from envcheck.documents import read_text
from envcheck.errors import UsageError

_REQUIREMENT = ("-r", "--requirement")
_CONSTRAINT = ("-c", "--constraint")
_EDITABLE = ("-e", "--editable")
_INDEX = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
# Options whose value is the next word; it is no requirement.
_WITH_VALUE = (
    *(*_REQUIREMENT, *_CONSTRAINT, *_EDITABLE, *_INDEX, "-t", "--target", "--abi", "--cache-dir", "--cert"),
    *("--config-settings", "--global-option", "--hash", "--implementation", "--log", "--no-binary"),
    *("--only-binary", "--platform", "--prefix", "--progress-bar", "--proxy", "--python", "--python-version"),
    *("--retries", "--root", "--src", "--timeout", "--torch-backend", "--trusted-host", "--upgrade-strategy"),
    *("--use-feature", "-C"),
)

# What a requirements file may have beside those; it says nothing of packages.
_OF_NO_PACKAGE = ("--pre", "--no-index", "--prefer-binary", "--require-hashes")

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTIONS_OF_A_LINE = re.compile(r"\s--?[a-z].*$")
_PATH_OR_ADDRESS = re.compile(r"(?:[\w+]+:|\.{0,2}/|~/|\.{1,2}$)|.*\.(?:whl|zip|tar\.gz)$")
_MAX_FILES_DEEP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where lines stand: the files that led there, what is assumed, what their requirements are."""

    files: tuple[Path, ...]
    python: str
    seen: set[tuple[Path, bool]]  # files already read: a file that two others name says nothing twice
    constraint: bool = False
    within: Path | None = None  # the folder that no file leads out of


def outermost(path: Path, python: str, within: Path | None = None) -> Context:
    """Return the context of the lines in the file that everything starts from."""
    return Context(files=(path,), python=python, seen={(path.resolve(), False)}, within=within)


def read_pip(text: str, path: Path, python: str, within: Path | None = None) -> Iterator[Said]:
    """Yield what a requirements.txt says, with the files that it names. Raises `UsageError`."""
    context = outermost(path, python, within)
    for number, line in logical_lines(text):
        yield from read_line(line, f"{path}:{number}", context)


def read_line(line: str, where: str, context: Context) -> Iterator[Said]:
    """Yield what one line says; `where` is its file and number."""
    if line.startswith("-"):
        words = _split(line, where)
        if not _is_known(words[0] if words else line):
            yield Said(origin=f"{where}: {line:.200} (not read: no option that is known)", is_read=False)
        yield from read_words(words, where, context)
    else:
        yield from _read_requirement(_OPTIONS_OF_A_LINE.sub("", line).strip(), where, context)


def read_words(words: Iterable[str], where: str, context: Context) -> Iterator[Said]:
    """Yield what the words of an option line, or of `pip install`, say."""
    for option, value in arguments(words):
        if not option:
            yield from _read_requirement(value, where, context)
        elif option in _INDEX:
            yield about_index(value, f"{where}: {option} {value}")
        elif option in _EDITABLE:
            yield Said(origin=f"{where}: {option} {value} (left out: no index has it)")
        elif option in _REQUIREMENT or option in _CONSTRAINT:
            yield from _read_file(value, where, replace(context, constraint=option in _CONSTRAINT))


def _is_known(option: str) -> bool:
    """Say whether pip, in a requirements file, knows an option that a line begins with."""
    name = option.partition("=")[0]
    return name in (*_WITH_VALUE, *_OF_NO_PACKAGE) or (option[1:2] != "-" and option[:2] in _WITH_VALUE)


def arguments(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each option that takes a value with it, and each other word with an empty option."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            yield "", word
        elif name in _WITH_VALUE:
            yield name, value if equals else next(rest, "")
        elif word[:2] in _WITH_VALUE:  # -rbase.txt
            yield word[:2], word[2:]


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line that is left without comments, continuations joined, with the number of its first."""
    parts: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        is_comment = line.lstrip().startswith("#")
        parts.append(line.removesuffix("\\").strip())
        if line.endswith("\\") and not is_comment and number < len(lines):
            continue
        if whole := _COMMENT.sub("", " ".join(parts)).strip():
            yield number - len(parts) + 1, whole
        parts = []


def is_file(path: Path) -> bool:
    """Say whether a path is a file's; a name that no file can have is none's."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _read_requirement(text: str, where: str, context: Context) -> Iterator[Said]:
    origin = f"{where}: {text}"
    if _PATH_OR_ADDRESS.match(text):
        said = about_wheel(text, origin, context.python)
        yield said or Said(origin=f"{origin} (left out: no index has it)")
    elif (requirement := read_requirement(text, origin)) is None:
        yield Said(origin=f"{origin:.200} (left out: cannot be read)", is_read=False)
    else:
        said = about(requirement, origin, context.python)
        bound = context.constraint and said.package is not None
        yield Said(constraint=requirement, line=origin) if bound else said


def _read_file(name: str, where: str, context: Context) -> Iterator[Said]:
    """Yield what another file says, which `-r` or `-c` names."""
    if "://" in name:
        raise UsageError(f"{where}: {name!r:.200} is an address", "Download it, and name the file instead.")
    path = context.files[-1].parent / name
    if context.within is not None and _leads_out(path, context.within):
        option = _CONSTRAINT[0] if context.constraint else _REQUIREMENT[0]
        yield Said(origin=f"{where}: {option} {name:.200} (not read: it leads out)", is_read=False)
        return
    if not is_file(path):
        raise UsageError(f"{where}: there is no file {name!r:.200}", f"It would be {path}")
    if path.resolve() in (one.resolve() for one in context.files):
        raise UsageError(f"{where}: {name!r:.200} is the file that leads here")
    if len(context.files) >= _MAX_FILES_DEEP:
        raise UsageError(f"{where}: more than {_MAX_FILES_DEEP} files lead here")
    if (path.resolve(), context.constraint) in context.seen:
        return
    context.seen.add((path.resolve(), context.constraint))
    inner = replace(context, files=(*context.files, path))
    for number, line in logical_lines(read_text(path)):
        yield from read_line(line, f"{path}:{number}", inner)


def _leads_out(path: Path, within: Path) -> bool:
    try:
        return not path.resolve().is_relative_to(within.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name that no file can have
        return True


def _split(line: str, where: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{where}: {line!r:.80} cannot be read: {error}") from None
