"""A repository as it was read: frozen values, each line with the file and the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:  # every doctor waits for this module, and few read a repository
    from envcheck.choice.choose import Choice
    from envcheck.choice.requirements.asked import Said
    from envcheck.choice.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, or is not understood."""

    place: str  # "docker/Dockerfile", "compose.yaml:12: services.train"
    why: str


@dataclass(frozen=True, slots=True)
class AskedPackage:
    """One package, as all lines of a file together ask for it."""

    name: str
    asked: SpecifierSet = field(default_factory=SpecifierSet)  # constraints included
    lines: tuple[str, ...] = ()
    is_asked_for: bool = False  # and not bound by constraints only, should another package bring it

    @property
    def version(self) -> str | None:
        """The version that it is pinned to, None where pip chooses one."""
        pins = [one.version for one in self.asked if one.operator in ("==", "===")]
        return pins[0] if pins and not pins[0].endswith(".*") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one file, with those that it names, asks to have installed together."""

    file: str  # within the repository: "docker/Dockerfile"
    path: str  # as a command line names it
    said: tuple[Said, ...]  # line by line
    packages: dict[str, AskedPackage]  # that pip is told about, by name
    wishes: Wishes  # of all lines together
    choice: Choice  # what is picked for them on the machine

    @property
    def asked_for(self) -> dict[str, AskedPackage]:
        """The packages that pip is asked for, by name."""
        return {name: one for name, one in self.packages.items() if one.is_asked_for}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a compose file. None is not known: a variable, or another file, decides."""

    place: str  # "compose.yaml:12: services.train"
    name: str  # "train"; a service of that name in another file adds to it
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
