"""Reads environment.yml: conda's own packages, and the list that it hands to pip.

Of conda's packages only those that say which torch, CUDA and Python are read. The others are left out, and
said so: their names are conda's, and what has the same name on a Python index may be something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envcheck.choice.requirements.asked import Said, assumed_python
from envcheck.choice.requirements.pip import logical_lines, outermost, read_line
from envcheck.choice.wishes import Wishes, checked, minors
from envcheck.documents import parse_plain_yaml
from envcheck.errors import UsageError

_TORCH = ("pytorch", "pytorch-gpu", "pytorch-cpu")
_CPU = ("cpuonly", "pytorch-cpu")
_CUDA = ("pytorch-cuda", "cudatoolkit", "cuda-version", "cuda-toolkit", "cuda-runtime", "cuda")

# [channel::]name, then a version and a build behind "=" or spaces, or a relation at once.
_SPEC = re.compile(r"(?:.*::)?(?P<name>[\w.-]+)\s*(?P<rest>.*)", re.DOTALL)
_BRACKETS = re.compile(r"\[.*?version\s*=\s*['\"]?([^'\"\]]*).*\]|\[.*\]")
# As in =1.13.1=py3.9_cuda11.6_cudnn8.3.2_0, in ==1.13.1, in 1.13.* *cuda*
_VERSION_AND_BUILD = re.compile(r"(?P<equals>={0,2})\s*(?P<version>[^\s=<>!~,|]+)(?:[\s=]+(?P<build>\S+))?")
_CUDA_OF_BUILD = re.compile(r"cuda(?:(\d+)\.(\d+)|(\d{1,2})(\d))")
_PYTHON_OF_BUILD = re.compile(r"py(\d)\.?(\d+)")
_DOTS_OF_A_RELEASE = 2
_MAX_SPEC = 500
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Environment:
    # An empty list is an empty text here; a mapping holds the list for pip.
    dependencies: tuple[str | dict[str, tuple[str, ...] | str], ...] | str = ()


def read_conda(text: str, path: Path, python: str, within: Path | None = None) -> Iterator[Said]:
    """Yield what an environment.yml says. Raises `UsageError`."""
    listed = parse_plain_yaml(text, _Environment, source=str(path)).dependencies
    listed = (listed,) if isinstance(listed, str) else listed
    specs = [one.strip() for one in listed if isinstance(one, str) and one.strip()]
    said = list(read_specs(specs, str(path)))
    yield from said
    asked = [one.wishes.python for one in said if one.wishes.python]
    place = outermost(path, assumed_python(asked[0]) if asked else python, within)
    for lists in (one for one in listed if isinstance(one, dict)):
        lines = lists.get("pip", ())
        for _, line in logical_lines("\n".join([lines] if isinstance(lines, str) else lines)):
            yield from read_line(line, f"{path}: pip", place)


def read_specs(specs: Iterable[str], where: str) -> Iterator[Said]:
    """Yield what conda's specs say, and one sentence on those that are left out."""
    others = []
    for spec in specs:
        origin = f"{where}: {spec:.200}"
        parsed = _SPEC.fullmatch(spec)
        name = parsed["name"].lower() if parsed else ""
        if parsed and name in (*_TORCH, *_CPU, *_CUDA, "python"):
            yield Said(origin=origin, wishes=_wishes(name, parsed["rest"], origin))
        elif not parsed:
            yield Said(origin=f"{origin} (left out: cannot be read)", is_read=False)
        elif name != "pip":
            others.append(name[:40])
    if others:
        shown = ", ".join([*others[:_SHOWN], *(["..."] if len(others) > _SHOWN else [])])
        yield Said(origin=f"{where}: left out, as they are conda's: {shown}")


def _wishes(name: str, rest: str, origin: str) -> Wishes:
    asked, build = _versions(rest, origin)
    tag = "cpu" if name in _CPU or re.search(r"(?:^|[_*])cpu", build) else None
    if name in _CUDA:
        return Wishes(cuda=minors(asked))
    if name == "python":
        return Wishes(python=minors(asked))
    if name not in _TORCH:
        return Wishes(tag=tag)
    cuda = _CUDA_OF_BUILD.search(build)
    python = _PYTHON_OF_BUILD.search(build)
    return Wishes(
        torch=asked,
        tag=tag,
        cuda=SpecifierSet("==" + ".".join(filter(None, cuda.groups())) + ".*" if cuda else ""),
        python=SpecifierSet(f"=={python[1]}.{python[2]}.*" if python else ""),
    )


def _versions(rest: str, origin: str) -> tuple[SpecifierSet, str]:
    """Return the versions and the build that stand behind a name."""
    if len(rest) > _MAX_SPEC:
        raise UsageError(f"{origin}: cannot be read: more than {_MAX_SPEC} characters")
    brackets = _BRACKETS.search(rest)
    rest = (brackets[1] or "" if brackets else rest).strip()
    simple = _VERSION_AND_BUILD.fullmatch(rest)
    build = (simple["build"] or "") if simple else ""
    text = _pep_440(simple["equals"], simple["version"]) if simple else rest
    try:
        return checked(SpecifierSet(text), origin), build
    except InvalidSpecifier:
        hint = "A choice (1.12|1.13) and patterns are not read." if "|" in rest or "*" in rest else ""
        raise UsageError(f"{origin}: {rest!r:.80} is no set of versions", hint) from None


def _pep_440(equals: str, version: str) -> str:
    """Return conda's "=1.13", which is fuzzy, and "==1.13", which is not, as PEP 440 writes them."""
    if version == "*":
        return ""
    named = version.rstrip(".*")
    # Three fields are one release: "=1.13.1" has no other to be fuzzy about.
    is_series = (equals == "=" and named.count(".") < _DOTS_OF_A_RELEASE) or named != version
    return f"=={named}{'.*' if is_series else ''}"
