"""NVIDIA's container toolkit: its version, its settings, and how its runtime then hands GPUs over.

The version is asked of the program itself: where an operator or a script installed it, no package knows it.
Whether engines know of the toolkit is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from envcheck.documents import parse_toml, read_text
from envcheck.errors import UsageError
from envcheck.host.facts import Engine, Toolkit
from envcheck.processes import capture
from envcheck.versions import Spelled

_TIME_LIMIT_S = 2.0
_CONFIG = "etc/nvidia-container-runtime/config.toml"
_FOLDERS = ("usr/bin", "usr/local/bin", "usr/local/nvidia/toolkit", "run/current-system/sw/bin")
# nvidia-ctk came with 1.11; both print their version first.
_PROGRAMS = ("nvidia-ctk", "nvidia-container-cli")
_HOOKS = ("nvidia-container-runtime-hook", "nvidia-container-toolkit")
_UNITS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_VERSION = re.compile(r"version:?\s+v?(?P<version>[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-rc\.?[0-9]{1,3})?)")

# What the runtime does by itself where its settings say "auto", from this version on.
_JUST_IN_TIME = Version("1.18")


def read_toolkit(root: Path = Path("/")) -> tuple[Toolkit | None, dict[str, str]]:
    """Return the toolkit, None where there is none, and why the missing facts are missing."""
    program = _found(root, _PROGRAMS)
    if program is None and not has_hook(root) and not _is_there(root / _CONFIG):
        return None, {}
    unknown: dict[str, str] = {}
    version, why = _version(program)
    if version is None:
        unknown["toolkit.version"] = why
    mode: str | None = None
    no_cgroups: bool | None = None
    try:
        mode, no_cgroups = _settings(root / _CONFIG)
    except UsageError as error:
        reason = error.message.replace(f"{root / _CONFIG}", f"/{_CONFIG}")
        unknown.update({"toolkit.mode": reason, "toolkit.no_cgroups": reason})
    refresh = any(_is_there(root / folder / "nvidia-cdi-refresh.service") for folder in _UNITS)
    return Toolkit(version, mode, no_cgroups, refresh, _has_device_links(root)), unknown


def has_hook(root: Path = Path("/")) -> bool:
    """Tell whether the program is there through which docker hands over GPUs without knowing CDI."""
    return _found(root, _HOOKS) is not None


def with_gpu_modes(
    engines: tuple[Engine, ...] | None, toolkit: Toolkit | None, *, jetson: bool
) -> tuple[tuple[Engine, ...] | None, dict[str, str]]:
    """Return the engines with the way in which they hand GPUs over, and why it is not known."""
    if engines is None:
        return None, {}
    modes = [gpu_mode(engine, toolkit, jetson=jetson) for engine in engines]
    unknown = {f"engines[{place}].gpu_mode": why for place, (mode, why) in enumerate(modes) if mode is None}
    return tuple(replace(one, gpu_mode=mode) for one, (mode, _) in zip(engines, modes, strict=True)), unknown


def gpu_mode(engine: Engine, toolkit: Toolkit | None, *, jetson: bool) -> tuple[str | None, str]:
    """Return how GPUs get into this engine's containers, and why that is not known where it is not.

    Source: internal/info/auto.go and cmd/nvidia-container-runtime-hook of the toolkit (1.17 and 1.20), read
    2026-11-30.
    """
    if engine.gpu_request in (None, "none"):
        return None, "this engine hands over no GPU"
    if engine.gpu_request == "cdi":
        return "cdi", ""
    if toolkit is None or toolkit.mode is None:
        return None, "the toolkit's settings are not known"
    if toolkit.mode != "auto":
        return toolkit.mode, ""
    mode = "csv" if jetson else _automatic(engine.default_runtime, toolkit.version)
    return mode, "" if mode else "the toolkit's version, or the engine's default runtime, is not known"


def _automatic(default_runtime: str | None, version: Version | None) -> str | None:
    """Return what "auto" comes to: docker by itself calls the hook, which knows but one way."""
    if default_runtime not in (None, "nvidia"):
        return "legacy"
    if default_runtime is None or version is None:
        return None
    return "jit-cdi" if version >= _JUST_IN_TIME else "legacy"


def _found(root: Path, names: tuple[str, ...]) -> Path | None:
    places = (root / folder / name for name in names for folder in _FOLDERS)
    return next((place for place in places if _is_there(place)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is closed to this user
        return False


def _version(program: Path | None) -> tuple[Version | None, str]:
    if program is None:
        return None, f"neither {_PROGRAMS[0]} nor {_PROGRAMS[1]} is to be found"
    answer = capture([str(program), "--version"], seconds=_TIME_LIMIT_S)
    match = _VERSION.search(answer.stdout)
    if match is None:
        said = (answer.stderr or answer.stdout).strip()
        return None, f"{program.name} --version says no version: {said:.200}"
    return Spelled(match["version"]), ""


def _settings(config: Path) -> tuple[str, bool]:
    """Return the runtime's mode, and whether control groups are left alone; by default they are not.

    Raises `UsageError` for a file that cannot be read.
    """
    if not _is_there(config):
        return "auto", False
    said = parse_toml(read_text(config), dict[str, Any], source=str(config))
    mode = _table(said, "nvidia-container-runtime").get("mode", "auto")
    no_cgroups = _table(said, "nvidia-container-cli").get("no-cgroups", False)
    if not isinstance(mode, str) or not isinstance(no_cgroups, bool):
        raise UsageError(f"{config}: mode is no text, or no-cgroups neither true nor false")
    return mode[:32], no_cgroups


def _table(said: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = said.get(name)
    return table if isinstance(table, dict) else {}


def _has_device_links(root: Path) -> bool | None:
    """Tell whether the kernel's numbers lead to NVIDIA's devices; None where that cannot be seen."""
    try:
        names = os.listdir(root / "dev/char")  # noqa: PTH208 - a list of names is all that is wanted
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return any(name.startswith("195:") for name in names)
