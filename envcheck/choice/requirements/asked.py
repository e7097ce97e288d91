"""What one line of a file says, and how the lines of a file become one `Asked`. Knows no file format.

Three things say which build is meant, and the surer one wins: a line that names a version or a build; the
index that wheels are fetched from (".../whl/cu118"); the image that a Dockerfile starts from. Of an
`nvidia/cuda` image the CUDA is read, as its author worked with it; wheels bring their own, so a version of
torch that is installed on it says more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice
from typing import Literal
from urllib.parse import unquote

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envcheck.choice.wishes import Wishes, checked, combine, without_tag
from envcheck.errors import UsageError

_PARTNERS = ("torchvision", "torchaudio")
# What torch's own wheels require at one version, and a frozen list therefore names.
_BROUGHT_BY_TORCH = re.compile(
    r"(?:pytorch-)?triton(?:-rocm|-xpu)?"
    r"|nvidia-(?:cublas|cuda-(?:cupti|nvrtc|runtime)|cudnn|cufft|cufile|curand|cusolver|cusparse|cusparselt"
    r"|nccl|nvjitlink|nvshmem|nvtx)(?:-cu\d+)?"
)
_TAG = r"cpu|cu\d{2,3}|rocm\d[\d.]*|xpu"
# A name that begins so, before any marker: not opencv-python, and not what only runs on some Python.
_TOUCHES = re.compile(
    r"[^;]*?(?<![\w-])(?:torch|pytorch|cuda|cudnn|nvidia|triton|numpy|python)", re.IGNORECASE
)

_CREDENTIALS = re.compile(r"://[^/@\s]{1,500}@")
_MAX_REQUIREMENT = 2000
# No environment has so many packages, nor any file so many lines that people should read.
_MAX_SAID = 10_000
_MAX_TOLD = 1000
_MAX_SHOWN = 300
# The file's own wish decides; where it allows several, the first of these that it allows: the recipes' own
# Python, newer ones, older ones.
_PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15", "3.10", "3.9", "3.8", "3.7", "3.6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one line says. Without wishes and package, its origin is a sentence that people should read."""

    origin: str = ""  # "requirements.txt:3: torch>=2"; empty: nothing to tell people
    line: str = ""  # the same as it is written, of what is not told too
    wishes: Wishes = field(default_factory=Wishes)
    by: Literal["line", "index", "base"] = "line"
    package: Requirement | None = None
    constraint: Requirement | None = None  # holds if something asks for the package
    is_read: bool = True  # what stands there is understood, whether it is told or left out
    written: Requirement | None = None  # what pip is asked for on Linux, torch and versions included


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a whole file asks for."""

    wishes: Wishes
    packages: tuple[Requirement, ...] = ()  # beside torch, as they are locked with it
    constraints: tuple[Requirement, ...] = ()
    said: tuple[Said, ...] = ()  # line by line


def settle(every: Iterable[Said], source: str) -> Asked:
    """Return what the lines of a file say together. Raises `UsageError` where they contradict each other."""
    said = tuple(islice(every, _MAX_SAID + 1))
    told = tuple(one for one in said if one.origin)
    if len(said) > _MAX_SAID or len(told) > _MAX_TOLD:
        raise UsageError(f"{source}: asks for more than anybody installs", "Is this the right file?")
    wishes = reduce(combine, (_wishes(one) for one in told if one.by == "line"), Wishes())
    wishes = combine(wishes, _index([one for one in told if one.by == "index"], wishes))
    for base in (one for one in told if one.by == "base"):
        wishes = combine(wishes, _left_open(_wishes(base), wishes))
    if not wishes.origins:
        wishes = replace(wishes, origins=(f"{source}: asks nothing about torch, CUDA or Python",))
    return Asked(
        wishes=wishes,
        packages=tuple(one.package for one in said if one.package),
        constraints=tuple(one.constraint for one in said if one.constraint),
        said=said,
    )


def read_requirement(text: str, origin: str) -> Requirement | None:
    """Return a requirement, None for what cannot be read and is plainly nothing to torch, CUDA or Python.

    Raises `UsageError` for anything else.
    """
    is_short = len(text) <= _MAX_REQUIREMENT
    try:
        requirement = Requirement(text) if is_short else None
        checked(requirement.specifier if requirement else SpecifierSet(), origin)
    except (InvalidRequirement, RecursionError, UsageError):
        requirement = None
    if requirement is None and (not is_short or _TOUCHES.match(text)):
        hint = "A requirement reads like torch==1.13.1+cu117 or torch>=2.1,<2.5."
        raise UsageError(f"{shown(origin)}: cannot be read as a requirement", hint)
    return requirement


def about(requirement: Requirement, origin: str, python: str) -> Said:
    """Return what a requirement says, on Linux with `python`. Raises `UsageError`.

    torch is a wish. Its partners torchvision and torchaudio are packages without a version: which one goes
    with the torch that is chosen, their own wheels say. What torch brings itself is left to torch.
    """
    said = _about(requirement, origin, python)
    return replace(said, line=origin, written=requirement if _is_asked(requirement, python) else None)


def _about(requirement: Requirement, origin: str, python: str) -> Said:
    name = canonicalize_name(requirement.name)
    if _BROUGHT_BY_TORCH.fullmatch(name):
        return Said()
    if name in _PARTNERS:
        return Said(package=_without_version(requirement))
    if name != "torch":
        return Said(package=requirement)
    if not holds(requirement, origin, python):
        return Said(origin=f"{origin} (does not hold on Linux with Python {python})")
    if requirement.url:
        wishes = _wheel_wishes(requirement.url, origin)
        unsaid = " (which version, its address does not say)" if wishes is None else ""
        return Said(origin=f"{origin}{unsaid}", wishes=wishes or Wishes())
    torch, tag = without_tag(requirement.specifier, origin)
    return Said(origin=origin, wishes=Wishes(torch=torch, tag=tag))


def about_wheel(address: str, origin: str, python: str) -> Said | None:
    """Return what a wheel's address or path says, None where it is no wheel. Raises `UsageError`."""
    parsed = _wheel(address, origin)
    if parsed is None:
        return None
    name = parsed[0]
    if name == "torch":
        return Said(origin=origin, wishes=_wheel_wishes(address, origin) or Wishes())
    if "://" not in address and name not in _PARTNERS:
        return Said(origin=f"{origin} (a file, left out)")
    requirement = read_requirement(f"{name} @ {address}", origin)
    return about(requirement, origin, python) if requirement else None


def _wheel_wishes(address: str, origin: str) -> Wishes | None:
    """Return the version, build and Python that the name of torch's wheel says, None where it is no wheel."""
    parsed = _wheel(address, origin)
    if parsed is None:
        return None
    _, version, interpreters = parsed
    torch, tag = without_tag(SpecifierSet(f"=={version}"), origin)
    pythons = [f"{one[2]}.{one[3:]}" for one in interpreters if re.fullmatch(r"cp3\d+", one)]
    return Wishes(torch=torch, tag=tag, python=SpecifierSet(f"=={pythons[0]}.*" if len(pythons) == 1 else ""))


def index_tag(address: str) -> str | None:
    """Return the build that an index is for: "cu118" for ".../whl/cu118", wherever a mirror puts it."""
    path = address.partition("://")[2].partition("?")[0] or address
    found = [part for part in path.split("/")[1:] if re.fullmatch(_TAG, part)]
    return found[-1] if found else None


def named_tag(name: str) -> str | None:
    """Return the build that an index's name says: "cu118" for "pytorch-cu118"."""
    found = re.search(rf"(?:^|[-_])({_TAG})$", name)
    return found[1] if found else None


def about_index(address: str, origin: str) -> Said:
    """Return what the address of an index, or of a page of links, says."""
    tag = index_tag(address)
    return Said(origin=origin, wishes=Wishes(tag=tag), by="index") if tag else Said()


def holds(requirement: Requirement, origin: str, python: str) -> bool:
    """Say whether a requirement's marker holds on Linux, x86_64, CPython."""
    environment = {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }
    try:
        return requirement.marker is None or requirement.marker.evaluate(environment)
    except (UndefinedEnvironmentName, ValueError, RecursionError):
        raise UsageError(f"{shown(origin)}: its marker compares what cannot be compared") from None


def _is_asked(requirement: Requirement, python: str) -> bool:
    """Say whether pip is asked for a requirement; by a marker that compares nonsense, it is not."""
    try:
        return holds(requirement, "", python)
    except UsageError:
        return False


def assumed_python(asked: SpecifierSet) -> str:
    """Return the Python that markers are read for, "3.11" where the file does not say."""
    return next((one for one in _PYTHONS if asked.contains(one)), _PYTHONS[0])


def _wishes(said: Said) -> Wishes:
    return replace(said.wishes, origins=(shown(said.origin),))


def shown(origin: str) -> str:
    """Return an origin as people see it: of bounded length, and without the password of an address."""
    return f"{_CREDENTIALS.sub('://***@', origin):.{_MAX_SHOWN}}"


def _index(said: list[Said], wishes: Wishes) -> Wishes:
    """Return the build that indexes name, where no line names one and they agree."""
    if wishes.tag or wishes.cuda or not said:
        return Wishes()
    tags = sorted({one.wishes.tag for one in said if one.wishes.tag})
    origins = tuple(dict.fromkeys(shown(one.origin) for one in said))
    if len(tags) == 1:
        return Wishes(tag=tags[0], origins=origins)
    return Wishes(origins=(*origins, f"indexes for {' and '.join(tags)}: which build is meant is not said"))


def _left_open(base: Wishes, wishes: Wishes) -> Wishes:
    """Return what an image brings and no line replaces."""
    if wishes.torch or wishes.tag or wishes.cuda:
        base = replace(base, torch=SpecifierSet(), cuda=SpecifierSet())
    return replace(base, python=SpecifierSet()) if wishes.python else base


def _without_version(requirement: Requirement) -> Requirement:
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return Requirement(f"{requirement.name}{marker}")


def _wheel(address: str, origin: str) -> tuple[str, str, tuple[str, ...]] | None:
    """Return the name, the version and the interpreters of a wheel."""
    file = unquote(address.partition("#")[0].partition("?")[0]).rpartition("/")[2]
    if not file.endswith(".whl"):
        return None
    try:
        name, version, _, tags = parse_wheel_filename(file)
        checked(SpecifierSet(f"=={version}"), origin)
    except (InvalidWheelFilename, InvalidSpecifier):
        if _TOUCHES.match(file):
            raise UsageError(f"{shown(origin)}: no wheel is called so") from None
        return None
    return name, str(version), tuple(sorted({tag.interpreter for tag in tags}))
