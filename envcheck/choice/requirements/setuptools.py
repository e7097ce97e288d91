"""Reads setup.cfg, and setup.py as a text: what stands there plainly, nothing of it executed."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterable, Iterator
from pathlib import Path

from envcheck.choice.requirements.asked import Said
from envcheck.choice.requirements.declared import about_python, declared, parsed
from envcheck.choice.requirements.pip import logical_lines
from envcheck.errors import UsageError

# The parser of Python takes a hundred times a text's memory; a long setup.py has 20 kilobytes.
_MAX_PYTHON = 64 * 1024

_Value = str | list[str] | dict[str, list[str]] | None  # None: computed


def read_setup_cfg(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what a setup.cfg says. Raises `UsageError`."""
    config = configparser.RawConfigParser()
    try:
        config.read_string(text)
    except configparser.Error as error:
        raise UsageError(f"{path}: cannot be read: {error.message.splitlines()[0]:.200}") from None
    options = dict(config.items("options")) if config.has_section("options") else {}
    extras = (
        dict(config.items("options.extras_require")) if config.has_section("options.extras_require") else {}
    )
    yield from _declared(
        str(path),
        python,
        options.get("python_requires", "").strip(),
        _lines(options.get("install_requires", "")),
        {name: _lines(listed) for name, listed in extras.items()},
    )


def read_setup_py(text: str, path: Path, python: str) -> Iterator[Said]:
    """Yield what the call of setup() in a setup.py says. Raises `UsageError`."""
    if len(text) > _MAX_PYTHON:
        raise UsageError(f"{path}: larger than {_MAX_PYTHON >> 10} KiB", "Is this the right file?")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(f"{path}: cannot be read as Python 3") from None
    call = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_setup(node)), None)
    if call is None:
        return
    named = dict(_assigned(tree))
    given = {word.arg: _value(word.value, named) for word in call.keywords}
    for word in ("install_requires", "python_requires", "extras_require", None):
        if given.get(word, "") is None:
            what = word or "a part of what setup() is given"
            yield Said(origin=f"{path}:{call.lineno}: {what} is computed (not read)", is_read=False)
    asked, own, extras = (given.get(one) for one in ("python_requires", "install_requires", "extras_require"))
    yield from _declared(
        str(path),
        python,
        asked if isinstance(asked, str) else "",
        own if isinstance(own, list) else _lines(own) if isinstance(own, str) else [],
        extras if isinstance(extras, dict) else {},
    )


def _declared(
    path: str, python: str, asked: str, own: Iterable[str], extras: dict[str, list[str]]
) -> Iterator[Said]:
    pythons = [about_python(asked, f"{path}: python_requires: {asked}")] if asked else []
    groups = (
        parsed((f"{path}: extras_require.{name}: {text}", text) for text in listed)
        for name, listed in extras.items()
    )
    needed = parsed((f"{path}: install_requires: {text}", text) for text in own)
    yield from declared(pythons, needed, groups, python)


def _lines(text: str) -> list[str]:
    return [line for _, line in logical_lines(text)]


def _is_setup(call: ast.Call) -> bool:
    """Return whether a call is setup(...) or setuptools.setup(...)."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "setup"


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a module gives to values, for lists that stand above the call."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def _value(node: ast.expr, named: dict[str, ast.expr]) -> _Value:
    """Return what is written, None for what is computed."""
    if isinstance(node, ast.Name) and node.id in named:
        node = named[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        texts = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        is_plain = len(texts) == len(node.elts) and all(isinstance(one, str) for one in texts)
        return [str(one) for one in texts] if is_plain else None
    if isinstance(node, ast.Dict):
        listed = {
            str(key.value): _value(value, named)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }
        return {name: value for name, value in listed.items() if isinstance(value, list)}
    return None
