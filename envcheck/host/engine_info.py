"""What an engine says of itself, as facts: its runtimes, its way to hand over a GPU, the disk of its images.

An engine can be on another machine, or in a virtual one, though its socket is here: files are looked at only
where it is known to see the same ones. Nobody is asked here; the answers are given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from envcheck.documents import parse_toml, read_text
from envcheck.errors import UsageError
from envcheck.host.cdi import GPU, kinds
from envcheck.host.facts import Engine, GpuRequest
from envcheck.host.files import is_folder
from envcheck.host.toolkit import has_hook

DESKTOP = "Docker Desktop"
SNAP = "snap"

_SNAP_ROOT = "/var/snap/"
# Where a daemon that was started by systemd looks for programs.
_PROGRAM_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_MOST = 256  # of a list; a machine has a few runtimes and some dozens of devices
_LONGEST = 300  # characters of a text

# podman's settings, the weightiest first; a rootless one has its own before them.
_STORAGE = ("etc/containers/storage.conf", "usr/share/containers/storage.conf")
_SAID = (
    "version",
    "system",
    "machine",
    "runtimes",
    "default_runtime",
    "cdi_devices",
    "cgroup_driver",
    "cgroup_version",
    "root",
    "proxy",
    "warnings",
)
_OF_FILES = ("missing_runtimes", "root_free_mib", "root_free_inodes")
_NOT_SAID = "this docker does not say"
_NOT_ASKED = "podman says it in its info only, which takes a quarter of a second"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """An engine, and why its missing facts are missing: by ".root", or "" for all of them."""

    engine: Engine
    unknown: dict[str, str] = field(default_factory=dict)


def docker_engine(version: Mapping[str, Any], info: Mapping[str, Any], url: str, root: Path) -> EngineFacts:
    """Return docker's facts from its answers to `version` and `info`."""
    folder = _text(info.get("DockerRootDir"))
    runtimes = info.get("Runtimes")
    packaging = SNAP if folder and folder.startswith(_SNAP_ROOT) else None
    shares_files = _shares_files(info, url, folder, root)
    missing: dict[str, str] | None = None
    # A snap has programs of its own, which are not those of the machine.
    if shares_files and packaging is None and isinstance(runtimes, dict):
        missing = dict(islice(_missing(runtimes, root), _MOST))
    free_mib, free_inodes = _free(root / folder.lstrip("/")) if shares_files and folder else (None, None)
    found = info.get("DiscoveredDevices")
    engine = Engine(
        "docker",
        _text(version.get("Version")),
        address=url,
        rootless="name=rootless" in (info.get("SecurityOptions") or ()),
        gpu_request=_gpu_request(info, packaging, missing or {}, root if shares_files else None),
        system=_text(info.get("OperatingSystem")),
        machine=_text(info.get("Architecture")),
        runtimes=_texts(runtimes),
        default_runtime=_text(info.get("DefaultRuntime")),
        missing_runtimes=missing,
        cdi_devices=_texts([one.get("ID") for one in found]) if found else None,
        cgroup_driver=_text(info.get("CgroupDriver")),
        cgroup_version=_text(info.get("CgroupVersion")),
        packaging=packaging,
        root=folder,
        root_free_mib=free_mib,
        root_free_inodes=free_inodes,
        proxy=bool(info["HttpProxy"] or info.get("HttpsProxy")) if "HttpProxy" in info else None,
        warnings=_texts(info.get("Warnings") or ()) if "Warnings" in info else None,
    )
    elsewhere = "the engine is on another machine, or in a virtual one"
    of_files = "it cannot be seen from here" if shares_files else elsewhere
    unknown = {f".{name}": _NOT_SAID for name in _SAID if getattr(engine, name) is None}
    unknown |= {f".{name}": of_files for name in _OF_FILES if getattr(engine, name) is None}
    return EngineFacts(engine, unknown)


def podman_engine(version: object, url: str, root: Path, environ: Mapping[str, str]) -> EngineFacts:
    """Return podman's facts: those that stand in files, and its version."""
    rootless = _is_rootless(url)
    folder = _podman_folder(root, environ, rootless=rootless)
    free_mib, free_inodes = _free(root / folder.lstrip("/")) if folder else (None, None)
    engine = Engine(
        "podman",
        _text(version),
        address=url,
        rootless=rootless,
        # Through docker's interface podman 4.3 ignores a device request, and takes a CDI name for a path.
        gpu_request="none",
        root=folder,
        root_free_mib=free_mib,
        root_free_inodes=free_inodes,
    )
    return EngineFacts(engine, {"": _NOT_ASKED})


def _gpu_request(
    info: Mapping[str, Any], packaging: str | None, missing: Mapping[str, str], root: Path | None
) -> GpuRequest:
    """Return how docker is asked for GPUs: by the toolkit's hook, which takes every UUID, or by CDI.

    `root` is where its files are, None where they cannot be seen: then its own word counts.
    """
    # Docker Desktop is in a virtual machine without a GPU, unless Windows is below it.
    if info.get("OperatingSystem") == DESKTOP and "microsoft" not in str(info.get("KernelVersion")).lower():
        return "none"
    registered = "nvidia" in (info.get("Runtimes") or ()) and "nvidia" not in missing
    # A snap sees no programs of the machine.
    if packaging != SNAP and (registered or (root is not None and has_hook(root))):
        return "nvidia"
    found = {str(one.get("ID", "")).partition("=")[0] for one in info.get("DiscoveredDevices") or ()}
    if root is not None:
        found.update(kinds(info.get("CDISpecDirs") or (), root))
    return "cdi" if GPU in found else "none"


def _shares_files(info: Mapping[str, Any], url: str, folder: str | None, root: Path) -> bool:
    """Tell whether the engine sees the files that we see: it is on this kernel, and its folder is here."""
    if not url.startswith("unix://") or folder is None or info.get("KernelVersion") != os.uname().release:
        return False
    try:
        return (root / folder.lstrip("/")).is_dir()
    except (OSError, ValueError):
        return False


def _missing(runtimes: Mapping[str, Any], root: Path) -> Iterator[tuple[str, str]]:
    """Yield the runtimes whose program is not there; those of containerd are no programs of their own."""
    for name, runtime in runtimes.items():
        program = _text(runtime.get("path")) if isinstance(runtime, dict) else None
        if program is None:
            continue
        places = [program.lstrip("/")]
        if "/" not in program:
            places = [f"{folder}/{program}" for folder in _PROGRAM_FOLDERS]
        try:
            is_there = any((root / place).exists() for place in places)
        except (OSError, ValueError):
            continue
        if not is_there:
            yield name, program


def _podman_folder(root: Path, environ: Mapping[str, str], *, rootless: bool | None) -> str | None:
    """Return where podman keeps its images; None where it is another user's, or on another machine."""
    if rootless is None:
        return None
    home = environ.get("HOME", "")
    usual = "/var/lib/containers/storage"
    files: tuple[str, ...] = _STORAGE
    if rootless:
        settings = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        usual = f"{environ.get('XDG_DATA_HOME') or f'{home}/.local/share'}/containers/storage"
        files = (f"{settings}/containers/storage.conf".lstrip("/"),)
    folder = next(filter(None, (_graph_root(root / file) for file in files)), usual)
    return folder if is_folder(root / folder.lstrip("/")) else None


def _graph_root(file: Path) -> str | None:
    """Return the folder that a storage.conf names, if it does."""
    try:
        storage = parse_toml(read_text(file), dict[str, Any], source=str(file)).get("storage")
    except UsageError:  # there is none, or podman itself could not read it
        return None
    return _text(storage.get("graphroot")) if isinstance(storage, dict) else None


def _free(folder: Path) -> tuple[int | None, int | None]:
    """Return the free MiB and the free inodes of a folder's disk; some file systems count no inodes."""
    try:
        disk = os.statvfs(folder)
    except (OSError, ValueError):
        return None, None
    return disk.f_bavail * disk.f_frsize >> 20, disk.f_favail if disk.f_files else None


def _is_rootless(url: str) -> bool | None:
    """Tell whether somebody else than root listens on a Unix socket, None where that is not known."""
    if not url.startswith("unix://"):
        return None
    return Path(url.removeprefix("unix://")).stat().st_uid != 0


def _text(value: object) -> str | None:
    """Return a text of the engine's, "" being none."""
    return value[:_LONGEST] if isinstance(value, str) and value else None


def _texts(values: object) -> tuple[str, ...] | None:
    """Return a list of texts, or the names of a mapping."""
    if not isinstance(values, (list, tuple, dict)):
        return None
    return tuple(filter(None, (_text(value) for value in islice(values, _MOST))))
