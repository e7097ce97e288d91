"""Which Python packages work together: pure rules over names and versions, wherever those were read.

A rule's id is that of the symptom which its refusal shows, and of the doctor's check. What is no version is
passed over, as are packages that no rule knows. That a wheel was compiled anew on the machine changes what it
fits; versions alone cannot say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.utils import canonicalize_name
from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.verdict import Reason, Verdict
from envcheck.symptoms.packages import CPU_ONLY, NO_WHEEL_FOR_PYTHON, OLD_NUMPY_ABI, OTHER_NUMPY_ABI, PAIR

OPENCV_TWICE = "opencv.twice"

# One of them at a time: each installs the module cv2.
OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)

_NUMPY_2 = Version("2")

# "2.2.0a0+81ea7a4.nv24.1" has 22 characters.
_LONGEST_VERSION = 64

# Built against PyTorch's stable ABI: this version runs with its torch and with every later one.
_STABLE_VISION = (Version("0.29.1"), Version("2.14"))
_STABLE_AUDIO = (Version("2.11"), Version("2.11"))

_FIRST_PAIR = Version("1.4")

_VISION_SOURCE = (
    "table of versions in pytorch/vision's README, and its release notes of 0.29.1; read 2026-11-30"
)
_AUDIO_SOURCE = "docs.pytorch.org/audio/2.11.0/installation.html, compatibility matrix; read 2026-11-30"
_NUMPY_SOURCE = "imported beside NumPy 2.0.2 on Python 3.11, Linux x86_64; tried 2026-11-30"


@dataclass(frozen=True, slots=True)
class _OfNumpy:
    """From which version on the wheels of a package run beside NumPy 2, and how older ones fail there."""

    name: str
    first: Version | None  # None: no release so far, up to `seen`
    symptom: str
    seen: Version | None = None
    source: str = _NUMPY_SOURCE


_OF_NUMPY = (
    _OfNumpy(
        "torch",
        Version("2.3"),
        OLD_NUMPY_ABI.id,
        source="the wheels' own headers, measured 2026-11-23; pytorch/pytorch#107302",
    ),
    # 4.10.0.82 still fails: opencv/opencv-python#995.
    *(_OfNumpy(name, Version("4.10.0.84"), OLD_NUMPY_ABI.id) for name in OPENCVS),
    _OfNumpy("scipy", Version("1.13"), OLD_NUMPY_ABI.id),
    _OfNumpy("pycocotools", Version("2.0.8"), OTHER_NUMPY_ABI.id),
    _OfNumpy(
        "xtcocotools",
        None,
        OTHER_NUMPY_ABI.id,
        seen=Version("1.14.3"),
        source=f"{_NUMPY_SOURCE}; jin-s13/xtcocoapi#45",
    ),
)


@dataclass(frozen=True, slots=True)
class _Together:
    """Packages in one environment."""

    versions: Mapping[str, Version]
    python: str | None  # "3.11"
    gpu: bool | None  # whether there is one that they should use

    def said(self, name: str) -> str:
        """Return a package as people write it: "torch 2.1.0"."""
        return f"{name} {self.versions[name]}"


def judge(
    packages: Mapping[str, str], python: Version | None = None, *, gpu: bool | None = None
) -> tuple[Reason, ...]:
    """Return what the rules say about packages, name to version, that are in one environment."""
    read = ((str(canonicalize_name(name)), _version(text)) for name, text in packages.items())
    versions = {name: version for name, version in read if version is not None}
    minor = f"{python.major}.{python.minor}" if python is not None else None
    together = _Together(versions, minor, gpu)
    return tuple(reason for rule in _RULES for reason in rule(together))


def _version(text: str) -> Version | None:
    if len(text) > _LONGEST_VERSION:
        return None
    try:
        return Version(text)
    except ValueError:  # what was read from a file says anything
        return None


def _numpy(given: _Together) -> Iterator[Reason]:
    numpy = given.versions.get("numpy")
    if numpy is None:
        return
    for row in _OF_NUMPY:
        version = given.versions.get(row.name)
        if version is None:
            continue
        beside = f"{given.said(row.name)} beside NumPy {numpy}"
        if numpy < _NUMPY_2 or (row.first is not None and version >= row.first):
            yield Reason(row.symptom, "fits", f"{beside}.", source=row.source)
        elif row.seen is not None and version > row.seen:
            because = f"{beside}: none up to {row.seen} was built for NumPy 2; newer ones are not known here."
            yield Reason(row.symptom, "unknown", because, source=row.source)
        else:
            newer = f", or take {row.name} {row.first} or newer" if row.first is not None else ""
            remedy = f"Install a NumPy below 2{newer}."
            yield Reason(row.symptom, "refused", f"{beside}: built for NumPy 1.", remedy, row.source)


def _pair(given: _Together) -> Iterator[Reason]:
    torch = given.versions.get("torch")
    if torch is None:
        return
    for name, partner, source in (
        ("torchvision", _torch_of_vision, _VISION_SOURCE),
        ("torchaudio", _torch_of_audio, _AUDIO_SOURCE),
    ):
        version = given.versions.get(name)
        if version is not None:
            yield _one_pair(given, torch, name, partner(version), source)


def _one_pair(given: _Together, torch: Version, name: str, wanted: _Wanted | None, source: str) -> Reason:
    beside = f"{given.said(name)} beside {given.said('torch')}"
    if wanted is None:
        return Reason(PAIR.id, "unknown", f"{beside}: whose partner it is, is not known here.", source=source)
    if not wanted.is_met_by(torch):
        remedy = f"Install torch {wanted}, or the {name} of torch {torch.major}.{torch.minor}."
        return Reason(PAIR.id, "refused", f"{beside}: it is built for torch {wanted}.", remedy, source)
    if _other_cuda(name, torch.local, given.versions[name].local):
        remedy = "Install both for one CUDA, from one index."
        return Reason(PAIR.id, "refused", f"{beside}: they are built for different CUDA.", remedy, source)
    return Reason(PAIR.id, "fits", f"{beside}.", source=source)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The torch that a partner is built for: all patches of one release, or of every release from it on."""

    torch: Version
    and_newer: bool = False

    def is_met_by(self, torch: Version) -> bool:
        """Tell whether `torch` is that one; what comes before a release (2.1.0a0) counts as the release."""
        own, wanted = torch.release[:2], self.torch.release[:2]
        return own >= wanted if self.and_newer else own == wanted

    def __str__(self) -> str:
        return f"{self.torch} or newer" if self.and_newer else f"{self.torch}"


def _torch_of_vision(version: Version) -> _Wanted | None:
    first, torch = _STABLE_VISION
    if version.release[:2] == first.release[:2] and version >= first:
        return _Wanted(torch, and_newer=True)
    release = _vision_pairs().get(version.release[:2])
    return _Wanted(release) if release is not None else None


@lru_cache(maxsize=1)
def _vision_pairs() -> dict[tuple[int, ...], Version]:
    """Return torchvision's releases and the torch of each, (0, 18) -> 2.3, as torch's table has them.

    From 0.5 on: 0.4 was shared by torch 1.2 and 1.3.
    """
    return {
        Version(build.torchvision).release[:2]: Version(f"{build.torch.major}.{build.torch.minor}")
        for build in tables.torch().builds
        if build.torchvision and build.torch >= _FIRST_PAIR
    }


def _torch_of_audio(version: Version) -> _Wanted | None:
    first, torch = _STABLE_AUDIO
    if version.release[:2] == first.release[:2]:
        return _Wanted(torch, and_newer=True)
    if version > first:
        return None
    # 0.13 is torch 1.13's, and from 2.0 on both count alike.
    major = 1 if version.major == 0 else version.major
    return _Wanted(Version(f"{major}.{version.minor}"))


def _other_cuda(name: str, torch: str | None, partner: str | None) -> bool:
    """Tell whether the tags "cu118", "cu121", "cpu" say that two builds do not go together.

    Each compares when it is imported: torchaudio the whole version of CUDA, torchvision its major one.
    """
    known = [tag for tag in (torch, partner) if tag is not None and tag.startswith(("cu", "cpu"))]
    if len(known) < 2 or torch == partner:  # noqa: PLR2004 - both have to be known
        return False
    return name == "torchaudio" or "cpu" in known or known[0][:4] != known[1][:4]


def _opencv(given: _Together) -> Iterator[Reason]:
    found = [given.said(name) for name in OPENCVS if name in given.versions]
    if not found:
        return
    verdict: Verdict = "fits" if len(found) == 1 else "refused"
    because = f"{found[0]}." if verdict == "fits" else f"{' and '.join(found)} write over each other's cv2."
    remedy = "" if verdict == "fits" else "Uninstall all of them, and install the one that is wanted."
    source = "opencv/opencv-python's README: select only one of the four packages; read 2026-11-30"
    yield Reason(OPENCV_TWICE, verdict, because, remedy, source)


def _cpu_only(given: _Together) -> Iterator[Reason]:
    torch = given.versions.get("torch")
    if torch is not None and torch.local == "cpu" and given.gpu:
        because = f"{given.said('torch')} is built without CUDA, and there is a GPU."
        yield Reason(CPU_ONLY.id, "refused", because, "Install a build with CUDA.", CPU_ONLY.link)


def _python(given: _Together) -> Iterator[Reason]:
    torch = given.versions.get("torch")
    if torch is None or given.python is None:
        return
    builds = [build for build in tables.torch().builds if build.torch == Version(torch.public)]
    served = dict.fromkeys(python for build in builds for python in build.pythons)
    if not builds:
        return
    source = "Python tags in the names of torch's wheels on the public index; read 2026-11-23"
    if given.python in served:
        because = f"{given.said('torch')} serves Python {given.python}."
        yield Reason(NO_WHEEL_FOR_PYTHON.id, "fits", because, source=source)
    else:
        because = (
            f"{given.said('torch')} has no wheel for Python {given.python}; it serves {', '.join(served)}."
        )
        remedy = "Take one of those, or a torch that serves this one."
        yield Reason(NO_WHEEL_FOR_PYTHON.id, "refused", because, remedy, source)


_Rule = Callable[[_Together], Iterator[Reason]]

# In the order in which they are told: what cannot be installed, what does not load, what loads and fails.
_RULES: tuple[_Rule, ...] = (_python, _cpu_only, _numpy, _pair, _opencv)
