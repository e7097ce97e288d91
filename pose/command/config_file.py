"""YAML configuration files: where one is found and how it is read, with the line of every key.

The only module that imports yaml. Knows nothing about which keys there are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pose.command.config_values import Origin, Setting
from pose.errors import PoseError

BUNDLED = Path(__file__).resolve().parent.parent


def find_config(name: str) -> Path:
    """The file that `--cfg NAME` means: in the working directory first, then among the bundled ones."""
    for candidate in (Path(name), BUNDLED / name):
        if candidate.is_file():
            return candidate
    if Path(name).is_dir():
        raise PoseError(f"--cfg {name} is a folder, a YAML file was expected", _near(name))
    raise PoseError(f"there is no config file {name}, neither here nor among the bundled ones", _near(name))


def _near(name: str) -> str:
    bundled = sorted(path.relative_to(BUNDLED).as_posix() for path in BUNDLED.glob("experiments/**/*.yaml"))
    stem = Path(name).name
    by_name = {Path(path).name: path for path in bundled}
    near = difflib.get_close_matches(stem, by_name, n=2, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(by_name[one] for one in near)}?"
    return f"bundled: {', '.join(bundled)}"


def read_yaml(path: Path) -> tuple[Setting, ...]:
    """Every leaf of the file as a setting with its line; MODEL.EXTRA's own tree likewise, key by key."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PoseError(f"{path} cannot be read: {_one_line(error)}") from None
    try:
        root = loader.get_single_node()
        return tuple(_leaves(loader, root, "", path)) if root is not None else ()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}" if mark else "somewhere"
        raise PoseError(f"{path}, {where}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise PoseError(f"{path}: not YAML: {_one_line(error)}") from None
    except RecursionError:
        raise PoseError(f"{path}: nested too deeply to be a config") from None
    finally:
        loader.dispose()


def _leaves(loader: yaml.SafeLoader, node: Any, prefix: str, path: Path) -> Iterator[Setting]:  # noqa: ANN401
    origin = Origin(str(path), node.start_mark.line + 1)
    if not isinstance(node, yaml.MappingNode):
        raise PoseError(f"{origin}: KEY: VALUE lines were expected", "see pose/experiments/ for examples")
    seen: set[str] = set()
    for key_node, value_node in node.value:
        here = Origin(str(path), key_node.start_mark.line + 1)
        key = prefix + str(loader.construct_object(key_node, deep=True))
        if key in seen:
            raise PoseError(f"{key}: set twice      ({here})", "keep one of the two")
        seen.add(key)
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            yield from _leaves(loader, value_node, f"{key}.", path)
        elif isinstance(value_node, yaml.MappingNode):
            continue  # an empty section says nothing
        else:
            yield Setting(key, loader.construct_object(value_node, deep=True), here)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
