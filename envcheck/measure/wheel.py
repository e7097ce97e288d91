"""What a torch wheel says of itself, read off its bytes: nothing of it is imported or run.

Where the CUDA version, the list of code and NumPy's name stand, `host.torch_files` knows. Pythons and
platforms are the file name's, because pip goes by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envcheck.compat import tables
from envcheck.errors import UsageError
from envcheck.host.torch_files import FLAGS, NUMPY_1, NUMPY_2, assignments
from envcheck.measure.archive import Archive, open_archive
from envcheck.uv import LEGACY_MANYLINUX

_LIBRARY = "torch/lib/libtorch_python.so"

_ABI = re.compile(r"cp(3)([0-9]+)(t?)m?")
_PLATFORM = re.compile(r"(manylinux[0-9]+|manylinux_([0-9]+)_([0-9]+)|linux)_(x86_64|aarch64)")
_COMPANION = re.compile(r"(nvidia|cuda)-.+|(pytorch-)?triton")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A build as its wheel shows it."""

    wheel: str  # the file's name
    torch: Version  # the release, without a local part
    tag: str  # "cpu", "cu128"
    default: bool  # named without its tag, as the public index's wheels are
    cuda: Version | None
    code: str  # "sm_80 sm_90 compute_90"; the CPU build has none
    numpy: Literal["<2", ""] | None  # None: compiled without NumPy, or in a way that is not known here
    python: str  # "3.11"
    machine: str
    glibc: Version | None  # None: the file's name does not say
    companions: dict[str, str]  # "nvidia-cudnn-cu12" -> "==9.5.1.17"


def read_wheel(path: Path) -> Measured:
    """Return what a wheel of torch for Linux holds. Raises `UsageError` for every other file."""
    version, tags = _parsed(path)
    python, machine, glibc = _target(path, tags)
    with open_archive(path) as archive:
        metadata = HeaderParser().parsestr(archive.text(f"torch-{version}.dist-info/METADATA"))
        said = assignments(archive.text("torch/version.py"))
        strings, numpy = _library(archive)
    if metadata["Version"] != str(version):
        raise UsageError(f"{path} holds torch {metadata['Version']!r:.40}", "Was the file renamed?")
    cuda = _cuda(path, said)
    tag = f"cu{cuda.major}{cuda.minor}" if cuda else "cpu"
    if version.local not in (None, tag):
        raise UsageError(
            f"{path} is no official build: it is called {version.local:.40} and holds {tag}",
            "The table holds cpu, and CUDA builds such as cu128.",
        )
    return Measured(
        wheel=path.name,
        torch=Version(version.public),
        tag=tag,
        default=version.local is None,
        cuda=cuda,
        code=_code(path, strings) if cuda else "",
        numpy=numpy,
        python=python,
        machine=machine,
        glibc=glibc,
        companions=_companions(path, metadata.get_all("Requires-Dist", []), python, machine),
    )


def python_of(tag: Tag) -> str | None:
    """Return the Python that a wheel's tag is for, "3.11" or, free-threaded, "3.13t"; None for others."""
    match = _ABI.fullmatch(tag.abi)
    return f"{match[1]}.{match[2]}{match[3]}" if match else None


def machine_of(tag: Tag) -> str | None:
    """Return the machine that a Linux wheel's tag is for, as uname says it; None for others."""
    match = _PLATFORM.fullmatch(tag.platform)
    return match[4] if match else None


def glibc_of(tag: Tag) -> Version | None:
    """Return the oldest glibc that a wheel's tag names; None where it names none."""
    match = _PLATFORM.fullmatch(tag.platform)
    if match is None or match[1] == "linux":
        return None
    older = {name: f"2.{minor}" for minor, name in LEGACY_MANYLINUX.items()}
    text = f"{match[2]}.{match[3]}" if match[2] else older.get(match[1])
    return Version(text) if text else None


def _parsed(path: Path) -> tuple[Version, frozenset[Tag]]:
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, InvalidVersion):
        raise UsageError(f"{path} is not named as a wheel is", "torch-2.7.1-cp311-cp311-...whl") from None
    if name != "torch":
        raise UsageError(f"{path} is a wheel of {name:.40}", "Only torch's own wheels are measured.")
    return version, tags


def _target(path: Path, tags: frozenset[Tag]) -> tuple[str, str, Version | None]:
    pythons = {python_of(tag) for tag in tags}
    machines = {machine_of(tag) for tag in tags}
    python, machine = next(iter(pythons)), next(iter(machines))
    if len(pythons) != 1 or len(machines) != 1 or python is None or machine is None:
        raise UsageError(
            f"{path} is for {', '.join(sorted(map(str, tags))):.120}",
            "The table holds builds for one CPython, on Linux, on x86_64 or aarch64.",
        )
    # A wheel with several tags runs wherever one of them does.
    return python, machine, min((glibc for tag in tags if (glibc := glibc_of(tag))), default=None)


def _cuda(path: Path, said: dict[str, str]) -> Version | None:
    other = next((name for name in ("hip", "xpu") if said.get(name)), None)
    if other is not None or "cuda" not in said:
        what = f"a build for {other}" if other else "not the torch that is known here: it names no CUDA"
        raise UsageError(f"{path} is {what}", "The table holds CUDA and CPU builds.")
    if not said["cuda"]:
        return None
    try:
        version = Version(said["cuda"])
    except InvalidVersion:
        raise UsageError(f"{path}: torch/version.py says CUDA {said['cuda']!r:.40}") from None
    return Version(f"{version.major}.{version.minor}")  # 9.0.176 is CUDA 9.0


def _library(archive: Archive) -> tuple[frozenset[bytes], Literal["<2", ""] | None]:
    """Return the lists of code that torch's library holds, and the bound on NumPy that its headers set."""
    strings: set[bytes] = set()
    old = new = False
    for window in archive.windows(_LIBRARY):
        if len(strings) < 2:  # noqa: PLR2004 - two are refused, and more would only fill the memory
            strings.update(FLAGS.findall(window))
        old = old or any(name in window for name in NUMPY_1)
        new = new or NUMPY_2 in window
    return frozenset(strings), "" if new else "<2" if old else None


def _code(path: Path, strings: frozenset[bytes]) -> str:
    if len(strings) != 1:
        found = "several lists" if strings else "no list"
        raise UsageError(
            f"{path}: {_LIBRARY} holds {found} of GPU code", "Wheels of torch carry exactly one from 1.6 on."
        )
    code = next(iter(strings)).decode()
    try:
        tables.read_code(code)
    except ValueError as error:
        raise UsageError(
            f"{path} holds code for {error!s:.60}, which the table cannot say yet",
            "See compat/tables/wheels.py.",
        ) from None
    return code


def _companions(path: Path, lines: list[str], python: str, machine: str) -> dict[str, str]:
    """Return what torch brings of CUDA's libraries and compilers on the target, with the versions it asks."""
    number = python.removesuffix("t")
    target = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": number,
        "python_full_version": f"{number}.0",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "extra": "",
    }
    found: dict[str, str] = {}
    for line in lines:
        try:
            wanted = Requirement(line)
            here = wanted.marker is None or wanted.marker.evaluate(target)
        except (ValueError, RecursionError):  # packaging's own errors, and brackets without end
            raise UsageError(f"{path}: METADATA requires {line!r:.80}, which is no requirement") from None
        name = canonicalize_name(wanted.name)
        if here and _COMPANION.fullmatch(name):
            found[name] = str(wanted.specifier)
    return found
