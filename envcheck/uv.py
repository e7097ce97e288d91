"""Asks uv which wheels satisfy requirements on another Python and platform; the only owner of uv.

uv evaluates markers for the target, not for the interpreter that runs it, and reads metadata alone. It does
not read pip's settings, so they are handed to it, in its environment because they may hold passwords: the
answer comes from the indexes that the user's own pip would ask. What the wheels are for is not known here.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from envcheck.errors import EnvcheckError
from envcheck.processes import Outcome, capture

# The CUDA builds take 10 to 40 seconds where neither cache nor index is slow.
_TIME_LIMIT_S = 900.0
# How uv says that an index did not answer; its exit code is that of every other trouble.
_UNREACHED = re.compile(r"Failed to fetch|error sending request|Request failed|connectivity is disabled")
# Its exit code when it asked everybody and no answer satisfies.
_NO_SOLUTION = 1
# The Pythons that a release may begin with: uv knows none before 3.6.
_MINORS = range(6, 20)
# Older names of manylinux tags, which wheels still carry.
LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_LOCK = "pylock.toml"
# What of a user's uv settings stays: where and how to reach, not what to choose.
_KEPT = ("UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_KEYRING_PROVIDER", "UV_OFFLINE", "UV_SYSTEM_CERTS")


@dataclass(frozen=True)
class Target:
    """What a lock is for: a Python on Linux, on a kind of machine, from a glibc on."""

    python: str  # "3.11"
    machine: str  # "x86_64"
    glibc: Version

    @cached_property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags that run there, the newest first, as pip orders them."""
        names: list[str] = []
        for minor in range(self.glibc.minor, 4, -1):
            names.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in LEGACY_MANYLINUX:
                names.append(f"{LEGACY_MANYLINUX[minor]}_{self.machine}")
        return (*names, f"linux_{self.machine}")

    @property
    def pip_options(self) -> tuple[str, ...]:
        """What tells pip to choose for there, and not for the interpreter that runs it."""
        platforms = (word for platform in self.platforms for word in ("--platform", platform))
        return ("--implementation", "cp", "--python-version", self.python, *platforms)

    @cached_property
    def tags(self) -> dict[Tag, int]:
        """The wheel tags that run there, with their rank: 0 is the best."""
        version = tuple(int(part) for part in self.python.split("."))
        interpreter = f"cp{version[0]}{version[1]}"
        every = [
            *cpython_tags(version, platforms=self.platforms),
            *compatible_tags(version, interpreter, self.platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(every)))}


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """One package at one version, as the one file that pip would install on the target."""

    name: str
    version: str
    sha256: str
    size: int | None = None  # bytes, where the index says it


class IndexUnreachableError(EnvcheckError):
    """An index did not answer, so whether the wheels exist is not known."""


@dataclass(frozen=True, slots=True)
class PublishedWheel:
    """One file that an index has of a release."""

    file: str  # its name
    sha256: str
    size: int | None  # bytes; None where the index does not say
    published: date | None  # same


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    hashes: dict[str, str]
    url: str = ""
    path: str = ""
    size: int | None = None
    upload_time: datetime | None = None

    @property
    def name(self) -> str:
        return self._place.rpartition("/")[2]

    @property
    def weight(self) -> int | None:
        """The file's size; an index says it, and a file on this machine shows it."""
        if self.size is None and urlsplit(self.url).scheme in ("", "file"):
            with contextlib.suppress(OSError):
                return Path(self._place).stat().st_size
        return self.size

    @property
    def _place(self) -> str:
        return unquote(urlsplit(self.url).path or self.path)


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    version: str
    wheels: tuple[_File, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pylock:
    packages: tuple[_Package, ...]


def compile_wheels(
    requirements: Sequence[str],
    constraints: Sequence[str],
    target: Target,
    *,
    index: str = "",
    chosen: bool = False,
) -> tuple[PinnedWheel, ...]:
    """Return the wheels that satisfy `requirements` on `target`, dependencies included, ordered by name.

    `index` is asked beside those of pip's settings. The user's constraints, which are about choosing, have no
    say where everything is `chosen` already. Raises `EnvcheckError` with uv's reason.
    """
    settings = read_pip_settings()
    bounds = () if chosen else settings.get("constraint", "").split()
    with tempfile.TemporaryDirectory(prefix="envcheck-lock-") as name:
        folder = Path(name)
        (folder / "wanted.in").write_text("\n".join([*requirements, ""]), encoding="utf-8")
        (folder / "bounds.txt").write_text("\n".join([*constraints, ""]), encoding="utf-8")
        argv = [
            *(sys.executable, "-m", "uv", "pip", "compile", "wanted.in"),
            *(f"--constraints={file}" for file in ("bounds.txt", *bounds)),
            *("--python-version", target.python, "--only-binary", ":all:"),
            *("--python-platform", f"{target.machine}-manylinux_{target.glibc.major}_{target.glibc.minor}"),
            *_how_to_ask(settings),
        ]
        answer = capture(
            argv, seconds=_TIME_LIMIT_S, env=uv_variables(settings, os.environ, index), cwd=folder
        )
        if answer.code != 0:
            raise _failure(answer)
        lock = msgspec.toml.decode((folder / _LOCK).read_bytes(), type=_Pylock)
    return tuple(sorted((_best(one, target) for one in lock.packages), key=lambda pin: pin.name))


def published_wheels(name: str, version: Version, *, index: str = "") -> tuple[PublishedWheel, ...]:
    """Return the wheels that an index has of exactly one release, for every Python and platform, by name.

    `index` is asked beside those of pip's settings. Raises `EnvcheckError` with uv's reason.
    """
    settings = read_pip_settings()
    env = uv_variables(settings, os.environ, index)
    with tempfile.TemporaryDirectory(prefix="envcheck-release-") as temporary:
        folder = Path(temporary)
        # Three equals signs: 2.13.0+cpu is another build than 2.13.0.
        (folder / "wanted.in").write_text(f"{name}==={version}\n", encoding="utf-8")
        # A universal lock names the wheels of a Python and of every later one, and none at all where the
        # release does not serve the first: the oldest that it serves gives them all.
        for minor in _MINORS:
            argv = [
                *(sys.executable, "-m", "uv", "pip", "compile", "wanted.in", "--universal", "--no-deps"),
                # A late patch: some releases ask for >=3.6.1.
                *("--python-version", f"3.{minor}.99", "--only-binary", ":all:"),
                *_how_to_ask(settings),
            ]
            answer = capture(argv, seconds=_TIME_LIMIT_S, env=env, cwd=folder)
            if answer.code == 0:
                return _published(msgspec.toml.decode((folder / _LOCK).read_bytes(), type=_Pylock))
            if answer.code != _NO_SOLUTION or "there is no version of" in answer.stderr:
                break  # no other Python would change that
    raise _failure(answer)


def uv_version() -> str:
    """Return the version of the uv that is asked, "" when there is none."""
    words = capture([sys.executable, "-m", "uv", "--version"], seconds=30).stdout.split()
    return words[1] if len(words) > 1 else ""


def read_pip_settings() -> dict[str, str]:
    """Return the user's pip settings for `pip install`, by its own precedence."""
    answer = capture([sys.executable, "-m", "pip", "config", "list"], seconds=60)
    # Variables win over the command's section, which wins over the global one.
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for section, key, value in _settings(answer.stdout):
        if section in found:
            found[section][key] = value
    return {**found["global"], **found["install"], **found[":env:"]}


def uv_variables(pip: Mapping[str, str], environ: Mapping[str, str], index: str = "") -> dict[str, str]:
    """Return the environment in which uv asks what pip would ask, given pip's settings."""
    env = {key: value for key, value in environ.items() if not key.startswith("UV_") or key in _KEPT}
    extra = [*pip.get("extra-index-url", "").split(), *index.split()]
    handed = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(extra),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
        "SSL_CLIENT_CERT": pip.get("client-cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
    }
    return {**env, **{key: value for key, value in handed.items() if value}}


def _how_to_ask(settings: Mapping[str, str]) -> list[str]:
    """Return the options that are the same for every question, given pip's settings."""
    return [
        # pip takes the best version of all indexes; uv would stop at the first index that has the name.
        *("--index-strategy", "unsafe-best-match", "--format", "pylock.toml", "--output-file", _LOCK),
        *("--no-config", "--no-python-downloads", "--quiet"),
        *(("--no-index",) if settings.get("no-index", "").lower() in ("1", "true", "yes", "on") else ()),
    ]


def _settings(listing: str) -> Iterator[tuple[str, str, str]]:
    """Yield (section, key, value) of what `pip config list` prints: global.index-url='https://...'."""
    for line in listing.splitlines():
        where, equals, shown = line.partition("=")
        section, dot, key = where.rpartition(".")
        if not equals or not dot:
            continue
        try:
            value = ast.literal_eval(shown)
        except (SyntaxError, ValueError):
            continue  # not a setting: a warning of pip's
        yield section, key, str(value)


def _best(package: _Package, target: Target) -> PinnedWheel:
    """Return the wheel that pip would take: the best tag, then the highest build number."""
    ranked = []
    for file in package.wheels:
        try:
            _, _, build, tags = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue
        ranks = [target.tags[tag] for tag in tags if tag in target.tags]
        if ranks and "sha256" in file.hashes:
            ranked.append((-min(ranks), build, file.hashes["sha256"], file.weight))
    if not ranked:
        raise EnvcheckError(
            f"No index gives {package.name} {package.version} for {target.platforms[0]} with a SHA-256",
            "A lock needs a digest for every wheel.",
        )
    _, _, sha256, size = max(ranked, key=lambda one: one[:3])
    return PinnedWheel(package.name, package.version, sha256, size)


def _published(lock: _Pylock) -> tuple[PublishedWheel, ...]:
    found = [
        PublishedWheel(
            file.name,
            file.hashes["sha256"],
            file.weight,
            file.upload_time.date() if file.upload_time else None,
        )
        for package in lock.packages
        for file in package.wheels
        if "sha256" in file.hashes
    ]
    return tuple(sorted(found, key=lambda wheel: wheel.file))


def _failure(outcome: Outcome) -> EnvcheckError:
    said = outcome.stderr
    if "No module named uv" in said:
        return EnvcheckError("uv is not installed beside envcheck", "pip install 'envcheck[dev]'")
    lines = [line.strip().removeprefix("error: ").removeprefix("cause: ") for line in said.splitlines()]
    lines = [line for line in lines if line] or ["it said nothing"]
    hint = "Which indexes are asked: pip config list"
    if _UNREACHED.search(said):
        return IndexUnreachableError(f"uv could not ask an index: {lines[-1]}", hint)
    reason = next((line for line in lines if line.startswith("Because")), lines[0])
    return EnvcheckError(f"uv found no set of wheels: {reason}", hint)
