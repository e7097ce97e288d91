"""What a person, or somebody else's repository, asks of the environment. Knows no machine and no build.

A wish is a set of versions. Texts become sets here, and two wishes become one; what a whole file asks is read
in `requirements`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Literal

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from envcheck.documents import MAX_VERSION_CHARACTERS
from envcheck.errors import UsageError

_EXAMPLES = {
    "--torch": "--torch 1.13, --torch 2.0.1+cu118 or --torch '>=2.1,<2.5'",
    "--cuda": "--cuda 11.8 or --cuda '>=11.7,<13'",
    "--python": "--python 3.11 or --python '>=3.9'",
}
# Nobody writes more by hand; the time that sets take grows faster than they do.
_MAX_CHARACTERS = 1000
_MAX_CLAUSES = 64
_MAX_SHOWN = 300

# "1.13.1" has three fields and is one release, what has fewer is a series of them.
_FIELDS_OF_A_RELEASE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Everything that was asked for; what is empty allows everything."""

    recipe: str | None = None
    gpus: tuple[str, ...] | Literal["none"] | None = None  # indices or UUIDs; None: every GPU
    torch: SpecifierSet = field(default_factory=SpecifierSet)
    tag: str | None = None  # a build's own name, "cu117": what stands behind the + of a pinned version
    cuda: SpecifierSet = field(default_factory=SpecifierSet)  # of minor versions: 11.8, never 11.8.0
    python: SpecifierSet = field(default_factory=SpecifierSet)  # of minor versions: 3.11
    base_image: str | None = None  # the image that somebody's Dockerfile starts from
    requirements: str | None = None  # the file that was read, as it was typed
    origins: tuple[str, ...] = ()  # where each was read: "requirements.txt:3: torch==1.13.1+cu117"


ANYTHING = Wishes()


def specifier(option: str, text: str) -> SpecifierSet:
    """Return the minor versions that a text of `--cuda` or `--python` means: "11.8", ">=3.10".

    Raises `UsageError`, which names `option`.
    """
    asked, tag = _read(option, text)
    if tag is not None:
        raise _unreadable(option, text)
    return minors(asked)


def torch_wish(text: str, option: str = "--torch") -> tuple[SpecifierSet, str | None]:
    """Return the versions and the build that a text asks for: "torch==1.13.1+cu117" is 1.13.1 and "cu117".

    "1.13" means every 1.13.x and "1.13.1" that release. Raises `UsageError`, which names `option`.
    """
    return _read(option, text.strip().removeprefix("torch"))


def without_tag(asked: SpecifierSet, origin: str) -> tuple[SpecifierSet, str | None]:
    """Return a set of torch's versions without the builds' names, and the name. Raises `UsageError`."""
    clauses = []
    tags = set()
    for one in asked:
        public, _, local = one.version.partition("+")
        if one.operator in ("==", "===") and local:
            tags.add(local.lower())
            clauses.append(f"=={public}")
        else:
            clauses.append(str(one))
    if len(tags) > 1:
        raise UsageError(f"{origin:.200}: one torch cannot be the builds {' and '.join(sorted(tags))}")
    return checked(SpecifierSet(",".join(clauses)), origin), next(iter(tags), None)


def minors(asked: SpecifierSet) -> SpecifierSet:
    """Return the minor versions of which a set allows a release: ">=3.7.1" is ">=3.7", "==11.3.1" "==11.3.*".

    A build is made for CUDA 11.3 and Python 3.7; which patch release is at work, nothing here decides.
    """
    clauses = []
    for one in asked:
        release = Version(one.version.removesuffix(".*")).release
        minor = ".".join(map(str, release[:2]))
        patch = any(release[2:])
        if len(release) < _FIELDS_OF_A_RELEASE:
            clauses.append(str(one))
        elif one.operator in ("==", "===", "~="):
            clauses.append(f"=={minor}.*")
        elif one.operator in (">=", "<="):
            clauses.append(f"{one.operator}{minor}")
        elif one.operator in (">", "<"):
            clauses.append(f"{one.operator}{'=' if patch else ''}{minor}")
        # "!=3.9.7" leaves 3.9 every other release.
    return SpecifierSet(",".join(clauses))


def checked(asked: SpecifierSet, origin: str) -> SpecifierSet:
    """Return a set of which each clause names a version, and that is no larger than any person's.

    Raises `UsageError`.
    """
    if len(asked) > _MAX_CLAUSES or not all(_names_version(one) for one in asked):
        raise UsageError(f"{origin:.200}: {str(asked)!r:.80} is no set of versions")
    return asked


def combine(first: Wishes, second: Wishes) -> Wishes:
    """Return what satisfies both. Raises `UsageError`, naming both origins, where nothing can."""
    for name in ("recipe", "gpus", "tag", "base_image"):
        one, other = getattr(first, name), getattr(second, name)
        if None not in (one, other) and one != other:
            raise _contradiction(first, second, f"{one!r:.80} and {other!r:.80}")
    return Wishes(
        recipe=first.recipe or second.recipe,
        gpus=second.gpus if first.gpus is None else first.gpus,
        torch=_both(first, second, "torch"),
        tag=first.tag or second.tag,
        cuda=_both(first, second, "cuda"),
        python=_both(first, second, "python"),
        base_image=first.base_image or second.base_image,
        origins=(*first.origins, *second.origins),
    )


def _read(option: str, text: str) -> tuple[SpecifierSet, str | None]:
    text = text.strip()
    if not text or len(text) > _MAX_CHARACTERS:
        raise _unreadable(option, text)
    try:
        version = Version(text) if len(text) <= MAX_VERSION_CHARACTERS else None
    except InvalidVersion:
        version = None
    try:
        asked = SpecifierSet(_meant(version) if version else text)
        asked, tag = without_tag(asked, option)
    except (InvalidSpecifier, UsageError):
        raise _unreadable(option, text) from None
    return asked, version.local if version else tag


def _names_version(clause: Specifier) -> bool:
    """Say whether a clause can be compared; "===anything" is a valid specifier."""
    if len(clause.version) > MAX_VERSION_CHARACTERS:
        return False
    try:
        Version(clause.version.removesuffix(".*"))
    except InvalidVersion:
        return False
    return True


def _meant(version: Version) -> str:
    """Return the specifier that a bare version stands for, without a build's name."""
    is_series = version.public == version.base_version and len(version.release) < _FIELDS_OF_A_RELEASE
    return f"=={version.public}{'.*' if is_series else ''}"


def _unreadable(option: str, text: str) -> UsageError:
    return UsageError(f"{option:.200}: {text!r:.80} is no set of versions", f"Like this: {_example(option)}")


def _example(option: str) -> str:
    return _EXAMPLES.get(option, "1.13.1 or '>=2.1,<2.5'")


def _both(first: Wishes, second: Wishes, name: str) -> SpecifierSet:
    one: SpecifierSet = getattr(first, name)
    other: SpecifierSet = getattr(second, name)
    joined = one & other
    if joined not in (one, other) and not is_possible(checked(joined, _origins(second))):
        raise _contradiction(first, second, f"no {name} is both {str(one)!r:.80} and {str(other)!r:.80}")
    return joined


def is_possible(asked: SpecifierSet) -> bool:
    """Say whether any version is in a set: one that it names, or the next after one, or the very first."""
    named = [Version(one.version.removesuffix(".*")) for one in asked]
    after = [Version(".".join(map(str, (*one.release[:-1], one.release[-1] + 1)))) for one in named]
    within = [Version(f"{one.base_version}.1") for one in named]
    return any(asked.contains(one, prereleases=True) for one in (Version("0"), *named, *after, *within))


def _contradiction(first: Wishes, second: Wishes, what: str) -> UsageError:
    return UsageError(f"{_origins(first)} contradicts {_origins(second)}: {what}", "Drop one of the two.")


def _origins(wishes: Wishes) -> str:
    shown = "; ".join(wishes.origins) or "the command line"
    return textwrap.shorten(shown, _MAX_SHOWN, placeholder=" ...")
