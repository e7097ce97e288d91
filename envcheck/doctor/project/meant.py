"""Which official build of torch a file of a repository brings, so far as its words decide it. Pure.

pip takes the newest release that a file allows, and of a release the build that the public index has unless
another is named. What an image has already stays, where the file is content with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envcheck.choice.candidates import asks_for, official_builds, pythons_for
from envcheck.choice.wishes import Wishes
from envcheck.compat.tables import Build
from envcheck.doctor.project.facts import AskedPackage, Listing, Project
from envcheck.host.facts import Host

if TYPE_CHECKING:
    from envcheck.choice.requirements.asked import Said

_VISION = "torchvision"
# What a distribution calls python3 (general knowledge).
_PYTHONS = {
    "ubuntu18.04": "3.6",
    "ubuntu20.04": "3.8",
    "ubuntu22.04": "3.10",
    "ubuntu24.04": "3.12",
    "bullseye": "3.9",
    "bookworm": "3.11",
    "trixie": "3.13",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeantTorch:
    """What one file means by torch."""

    listing: Listing
    builds: tuple[Build, ...]  # that it may be, all of one release; () is none that is official
    lines: tuple[str, ...]  # where it is said
    wishes: Wishes
    python: SpecifierSet  # that a line names, or that the image has from its distribution
    unknown: str = ""  # why there are no builds

    @property
    def words(self) -> str:
        """The builds as people call them: "torch 2.1.0 cu121"."""
        release = self.builds[0].torch
        return f"torch {release} {' or '.join(build.tag for build in self.builds)}"


def torches(project: Project, host: Host) -> tuple[MeantTorch, ...]:
    """Return what each file means by torch, without those that ask for none."""
    meant = (_torch(listing, host) for listing in project.listings)
    return tuple(one for one in meant if one is not None)


def _torch(listing: Listing, host: Host) -> MeantTorch | None:
    base = next((one for one in listing.said if one.by == "base"), None)
    asked = _of_lines(listing)
    brought = _of_image(base, asked or _Asked((), Wishes(python=listing.wishes.python)))
    meant = brought or asked
    if meant is None:
        return None
    python = listing.wishes.python or _own_python(base)
    hidden = _hidden(listing, meant, base)
    builds = () if hidden else _builds(host, meant, listing.asked_for.get(_VISION))
    return MeantTorch(
        listing=listing,
        builds=_newest(builds, python),
        python=python,
        lines=tuple(one.line or one.origin for one in meant.lines),
        wishes=meant.wishes,
        unknown="" if builds else hidden or "No official build of it is known here.",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    lines: tuple[Said, ...]
    wishes: Wishes
    is_default: bool = False  # no line says which build of the release: the public index does


def _of_lines(listing: Listing) -> _Asked | None:
    """Return what is asked of pip or conda; torchvision brings torch where no line names that."""
    lines = [one for one in listing.said if one.by == "line" and _is_about_torch(one)]
    lines = lines or [one for one in listing.said if _names(one, _VISION)]
    if not lines:
        return None
    asked = Wishes(
        torch=_joined(one.wishes.torch for one in lines),
        tag=listing.wishes.tag,
        cuda=_joined(one.wishes.cuda for one in listing.said if one.by == "line"),
        python=listing.wishes.python,
    )
    by_pip = any(one.written is not None for one in lines)
    indexes = (one for one in listing.said if one.by == "index")
    return _Asked((*lines, *indexes), asked, by_pip and asked.tag is None and not asked.cuda)


def _of_image(base: Said | None, asked: _Asked) -> _Asked | None:
    """Return the torch that an image brings, where the lines are content with it, so that it stays."""
    if base is None or not base.wishes.torch or asked.wishes.tag is not None or asked.wishes.cuda:
        return None
    has = base.wishes
    release = next(iter(has.torch)).version.removesuffix(".*")
    if not asked.wishes.torch.contains(release, prereleases=True):
        return None
    wishes = Wishes(torch=has.torch, cuda=has.cuda, python=asked.wishes.python)
    return _Asked((base, *asked.lines), wishes)


def _builds(host: Host, meant: _Asked, vision: AskedPackage | None) -> tuple[Build, ...]:
    """Return the builds that it may be; a pinned torchvision asks for its own torch alone."""
    builds = tuple(one for one in official_builds(host) if asks_for(meant.wishes, one))
    if meant.is_default:
        builds = _default(builds, host)
    elif host.gpus:
        # Who leaves the build open wants the GPUs.
        builds = tuple(one for one in builds if one.cuda is not None) or builds
    if vision is None or vision.version is None:
        return builds
    pinned = SpecifierSet(f"=={vision.version.partition('+')[0]}")
    return tuple(one for one in builds if one.torchvision and pinned.contains(one.torchvision)) or builds


def _default(builds: Sequence[Build], host: Host) -> tuple[Build, ...]:
    """Return the builds that the public index has; a release has one for each processor."""
    every = tuple(one for one in builds if one.default)
    return tuple(one for one in every if host.os.machine in one.machines) or every


def _is_about_torch(said: Said) -> bool:
    """Return whether a line names torch: to pip, to conda or by a wheel's address."""
    return _names(said, "torch") or (said.written is None and bool(said.wishes.torch or said.wishes.tag))


def _names(said: Said, package: str) -> bool:
    return said.written is not None and canonicalize_name(said.written.name) == package


def _hidden(listing: Listing, meant: _Asked, base: Said | None) -> str:
    """Return why nobody can tell which build a file gets, "" where its words decide that."""
    if not meant.is_default:
        return ""
    if any(one.by == "index" for one in listing.said):
        return "Its indexes are for several builds, and no line says which."
    image = (base.wishes.base_image or "") if base is not None else ""
    # An image that has a torch keeps it where any will do.
    if "pytorch" in image and not meant.wishes.torch:
        return f"Which torch is in {image}, its name does not say."
    return ""


def _newest(builds: Iterable[Build], python: SpecifierSet) -> tuple[Build, ...]:
    """Return the builds of the newest release that has a wheel for the Python; pip passes over others."""
    every = tuple(builds)
    asked = Wishes(python=python)
    served = tuple(one for one in every if pythons_for(asked, one.pythons)) or every
    newest = max((one.torch for one in served), default=None)
    return tuple(one for one in served if one.torch == newest)


def _own_python(base: Said | None) -> SpecifierSet:
    """Return the Python that an image has from its distribution; a line may put another before it."""
    image = (base.wishes.base_image or "") if base is not None else ""
    found = next((python for name, python in _PYTHONS.items() if name in image), None)
    return SpecifierSet(f"=={found}.*" if found else "")


def _joined(sets: Iterable[SpecifierSet]) -> SpecifierSet:
    return reduce(lambda one, other: one & other, sets, SpecifierSet())
