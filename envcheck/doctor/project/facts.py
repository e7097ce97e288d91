"""A repository as it was read: frozen values, each line with the file and the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every doctor waits for this module, and few read a repository
    from envcheck.choice.choose import Choice
    from envcheck.choice.requirements.asked import Said
    from envcheck.choice.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, or is not understood."""

    place: str  # "docker/Dockerfile", "compose.yaml:12: services.train"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one file, with those that it names, asks to have installed together."""

    file: str  # within the repository: "docker/Dockerfile"
    path: str  # as a command line names it
    said: tuple[Said, ...]  # line by line
    wishes: Wishes  # of all lines together
    choice: Choice  # what is picked for them on the machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a compose file. None is not known: a variable, or another file, decides."""

    place: str  # "compose.yaml:12: services.train"
    file: str
    image: str = ""
    dockerfile: str = ""  # within the repository; empty where it is not built from one
    platform: str = ""  # "linux/amd64"
    gpus: bool | None = False  # it asks for GPUs
    runtime: str = ""  # "nvidia"
    shares_memory: bool | None = False  # its /dev/shm is larger than the engine makes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository."""

    folder: str  # as it was typed
    listings: tuple[Listing, ...] = ()
    services: tuple[Service, ...] = ()
    unread: tuple[Unread, ...] = ()
