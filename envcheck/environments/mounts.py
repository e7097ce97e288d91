"""What a container sees of this machine: every path at its own place, to be read or also to be written.

A symbolic link is followed: what it means is shown where it really lies, and where it was named. Pure but for
looking at the file system; the container is somebody else's affair.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from envcheck.engine.containers import Mount
from envcheck.errors import UsageError

# What the image or the engine has there would be hidden.
_OURS = ("/opt/envcheck", "/opt/pose", "/proc", "/sys", "/dev")
_SYSTEM = (
    *_OURS,
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib64",
    "/opt",
    "/sbin",
    "/tmp",  # noqa: S108 - the container's own
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
)
# The image's own programs and libraries: a virtual environment's links lead there, a dataset's do not.
_PROGRAMS = ("/bin", "/lib", "/lib64", "/sbin", "/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib")
# Datasets are put together of links: to folders, or one for each picture, and those lead to few places.
_LINKS_DEPTH, _LINKS_ENTRIES = 3, 200
_FEW = 16
# More than a dataset that was downloaded may ask for by a link.
_PRIVATE = ("/home", "/root", "/run", "/srv", "/var", "/var/lib", "/var/run")


def mounts(
    working_directory: Path,
    *,
    reads: Iterable[Path],
    writes: Iterable[Path],
    mentions: Iterable[Path] = (),
    own: bool = False,
) -> tuple[Mount, ...]:
    """Return what is to be shown: the working directory, to be written only if it is the command's `own`.

    Folders of `writes` must exist; a path of `reads` that does not exist is left for the command to miss.
    `mentions` may be meant to be read: those that a container has itself, as /usr, are left to it. Raises
    `UsageError` for another path that a container has taken for itself.
    """
    shown: dict[str, Mount] = {}
    writable = [*(working_directory,) * own, *writes]
    named = [working_directory / path for path in reads]
    named += [path for one in mentions if not _is_images(os.path.realpath(path := working_directory / one))]
    readable = [working_directory, *(link for path in named for link in (path, *_links(path)))]
    for path, is_writable in (*((one, True) for one in writable), *((one, False) for one in readable)):
        source = os.path.realpath(working_directory / path)
        for target in dict.fromkeys((source, _without_parents(working_directory / path))):
            if os.path.lexists(source):
                _refuse_taken(target)
                shown.setdefault(target, Mount(source, target, writable=is_writable))
    return tuple(_needed(shown))


def _needed(shown: dict[str, Mount]) -> Iterable[Mount]:
    """Return the mounts without those that another one shows already, at the same place and as writable."""
    kept: dict[str, Mount] = {}
    for target, mount in sorted(shown.items()):
        above = next((kept[str(one)] for one in Path(target).parents if str(one) in kept), None)
        # Weights below a writable folder are replaced by renaming, which a mount of their own would forbid.
        if above is None or (mount.writable and not above.writable):
            kept[target] = mount
    return kept.values()


def _without_parents(path: Path) -> str:
    """Return a path without its "..", which behind a link lead elsewhere than the name says."""
    if ".." not in path.parts:
        return str(path)
    end = len(path.parts) - path.parts[::-1].index("..")
    return str(Path(os.path.realpath(Path(*path.parts[:end])), *path.parts[end:]))


def _links(folder: Path) -> Iterator[Path]:
    """Yield what links below a folder lead to: folders, files, or where those are many, their folder."""
    files: dict[Path, list[Path]] = {}
    for real in _targets(folder, _LINKS_DEPTH):
        if real.is_dir():
            yield real
        elif real.is_file():  # and no socket or device, behind which there is more than a picture
            files.setdefault(real.parent, []).append(real)
    for parent, some in files.items():
        if len(some) <= _FEW or str(parent) in _PRIVATE or parent == Path.home():
            yield from some
        else:
            yield parent


def _targets(folder: Path, depth: int) -> Iterator[Path]:
    """Yield where the links below a folder lead, unless that is the image's own or somebody's all."""
    try:
        with os.scandir(folder) as entries:
            few = list(islice(entries, _LINKS_ENTRIES))
    except OSError:
        return
    for entry in few:
        with contextlib.suppress(OSError):  # the command cannot follow it either
            if entry.is_symlink():
                real = Path(os.path.realpath(entry.path))
                private = str(real) in _PRIVATE or real == Path.home()
                if not (private or _is_images(str(real)) or _is_taken(str(real.parent))):
                    yield real
            elif depth > 1 and entry.is_dir():
                yield from _targets(Path(entry.path), depth - 1)


def taken(path: Path) -> str:
    """Return why a path cannot be shown at its own place, "" where it can."""
    target = os.path.realpath(path)
    return f"{target} cannot be shown inside, which has its own" if _is_taken(target) else ""


def _is_images(target: str) -> bool:
    """Tell whether a path is the image's own affair: a place of its system, or one of its programs."""
    return _is_taken(target) or any(Path(target).is_relative_to(one) for one in _PROGRAMS)


def _is_taken(target: str) -> bool:
    return target == "/" or target in _SYSTEM or any(target.startswith(f"{ours}/") for ours in _OURS)


def _refuse_taken(target: str) -> None:
    if _is_taken(target):
        raise UsageError(
            f"{target} cannot be shown inside a container, which has its own there",
            "Work in another folder, or in a virtual environment: --in venv.",
        )
