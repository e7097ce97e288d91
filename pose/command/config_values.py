"""What a configuration value may be: literal parser, type rule, and errors that say what would be right.

The rules are yacs 0.1.8's, as the public implementation uses them: text goes through Python's literal parser
and stays text if that fails; the type must equal the default's; only list and tuple are converted (here to
tuples). Knows nothing about files or about what a key means.
"""

from __future__ import annotations

import ast
import difflib
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pose.errors import PoseError

TYPE_NAMES = {
    bool: "True or False",
    int: "an integer",
    float: "a number with a point",
    str: "a text",
    tuple: "a tuple",
    dict: "a section",
    type(None): "nothing",
}

SWITCHES = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

OLDER = "microsoft/human-pose-estimation.pytorch"
# Where that one kept a key, and where it is here; its files are read by `config_older.py`.
MOVED = {
    "MODEL.EXTRA.TARGET_TYPE": "MODEL.TARGET_TYPE",
    "MODEL.EXTRA.SIGMA": "MODEL.SIGMA",
    "MODEL.EXTRA.HEATMAP_SIZE": "MODEL.HEATMAP_SIZE",
    "TRAIN.BATCH_SIZE": "TRAIN.BATCH_SIZE_PER_GPU",
    "TEST.BATCH_SIZE": "TEST.BATCH_SIZE_PER_GPU",
    "MODEL.STYLE": "",
}


@dataclass(frozen=True)
class Origin:
    """Where a setting was written: a file and line, or the command line."""

    name: str
    line: int | None = None

    @property
    def is_file(self) -> bool:
        """Whether YAML's notation is the one to answer in."""
        return self.line is not None

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}, line {self.line}"


@dataclass(frozen=True)
class Setting:
    """One dotted key and what was written for it."""

    key: str
    value: Any
    origin: Origin

    def error(self, message: str, hint: str = "") -> PoseError:
        """The error about this setting."""
        return PoseError(f"{self.key}: {message}      ({self.origin})", hint)

    def written(self, value: Any) -> str:  # noqa: ANN401 - any literal
        """The setting as it would be written with another value, in its own place's notation."""
        if self.origin.is_file:
            return f"{self.key.rpartition('.')[2]}: {value!r}"
        text = value if isinstance(value, str) else repr(value)
        return f"{self.key} {_shell(text)}"


def _parse_literal(text: str) -> Any:  # noqa: ANN401 - any literal
    """The Python literal that the text spells, or the text itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # "1if" is a text here, not a mistake
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text


def assign(tree: dict[str, Any], setting: Setting, *, open_extra: bool) -> None:
    """Sets one key of the nested dict in place; MODEL.EXTRA takes new keys only where `open_extra`."""
    *sections, name = setting.key.split(".")
    node: Any = tree
    for section in sections:
        if open_extra and setting.key.startswith("MODEL.EXTRA."):
            node.setdefault(section, {})
        node = node.get(section)
        if not isinstance(node, dict):
            raise _unknown(tree, setting)
    value = _parse_literal(setting.value) if isinstance(setting.value, str) else setting.value
    if isinstance(value, list):
        value = _tuples(value)
    if setting.key in MOVED:
        raise _moved(setting)
    if name not in node:
        if not (open_extra and setting.key.startswith("MODEL.EXTRA.")):
            raise _unknown(tree, setting)
        node[name] = value
    else:
        node[name] = _fitting(setting, value, node[name], tree)


def _fitting(setting: Setting, value: Any, current: Any, tree: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(current, dict):
        inside = [key for key in _leaves(tree) if key.startswith(f"{setting.key}.")]
        raise setting.error("is a section, it cannot be set as a whole", _some(inside))
    if value is None and isinstance(current, str):
        return ""  # the public rule lets None replace anything; only a text can be absent
    if type(value) is type(current):
        return value
    if isinstance(value, dict):
        raise setting.error(f"a section stands where {TYPE_NAMES[type(current)]} was expected")
    shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:37]}..."
    found = f"is {TYPE_NAMES.get(type(value), type(value).__name__)}"
    right = _right(value, current)
    hint = setting.written(right) if right is not None else f"{setting.key} is {_spelled(current)} by default"
    raise setting.error(f"{shown} {found}, {TYPE_NAMES[type(current)]} was expected", hint)


def _right(value: Any, current: Any) -> Any:  # noqa: ANN401 - any literal
    """What was most likely meant, of the expected type; None when there is no telling."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(current, str):
        return repr(str(value))
    if isinstance(current, tuple):
        return (value,) if is_number else _numbers(str(value))
    if isinstance(current, bool):
        return SWITCHES.get(str(value).lower())
    if isinstance(value, tuple) and len(value) == 1 and type(value[0]) is type(current):
        return value[0]
    if is_number and math.isfinite(value):
        return float(value) if isinstance(current, float) else round(value)
    return None


def _numbers(text: str) -> tuple[int, ...] | None:
    """The integers in a text such as "0 1" or "0,1,"."""
    words = text.replace(",", " ").split()
    return tuple(map(int, words)) if words and all(word.isdecimal() for word in words) else None


def _unknown(tree: Mapping[str, Any], setting: Setting) -> PoseError:
    leaves = tuple(_leaves(tree))
    if setting.key in MOVED:
        return _moved(setting)
    if setting.key.startswith("MODEL.EXTRA."):
        inside = [key for key in leaves if key.startswith("MODEL.EXTRA.")]
        near = difflib.get_close_matches(setting.key, inside, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it sets {_some(inside) or 'none'}"
        return setting.error("the config file sets no such key, and only its own can be overridden", hint)
    alike = _near_keys(setting.key, leaves)
    return setting.error(
        "no such key", f"did you mean {' or '.join(alike)}?" if alike else "pose/README.md lists them"
    )


def _near_keys(key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Up to three known keys that may have been meant, the likeliest first."""
    upper = key.upper()
    by_name = [candidate for candidate in known if candidate.rpartition(".")[2] == upper.rpartition(".")[2]]
    if by_name:
        return tuple(difflib.get_close_matches(upper, by_name, n=3, cutoff=0.0))
    return tuple(difflib.get_close_matches(upper, known, n=1, cutoff=0.7))


def _moved(setting: Setting) -> PoseError:
    target = MOVED[setting.key]
    return setting.error(
        f"this key is {OLDER}'s",
        replace(setting, key=target).written(setting.value)
        if target
        else "leave it out: of its styles pytorch is built, with the stride in the 3x3 convolutions",
    )


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any literal
    return tuple(_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:6]) + (", ..." if len(keys) > 6 else "")


def _spelled(value: Any) -> str:  # noqa: ANN401 - any literal
    return repr(value)


def _shell(text: str) -> str:
    """Quoted for a shell where needed, in the form that people write: '(0,)'."""
    if text and all(character.isalnum() or character in "._-+/," for character in text):
        return text
    return f"'{text}'" if "'" not in text else f'"{text}"'
