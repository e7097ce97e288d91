"""What a page that everybody can read must not tell: whose machine it is.

Redaction works on texts before a format escapes them. The same UUID gets the same stand-in, so a page still
tells two GPUs apart.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from envcheck.host.facts import Host
from envcheck.report.page import Page

# Names that distributions, clouds and CI services give; they tell nothing, and occur in sentences of ours.
_EVERYBODY = frozenset({
    *("root", "user", "admin", "runner", "nobody", "localhost", "host", "docker", "podman", "vagrant"),
    *("ubuntu", "debian", "fedora", "centos", "rocky", "alpine", "ec2-user", "jovyan"),
    *("linux", "nvidia", "cuda", "gpu"),
})  # fmt: skip
# Folders beside those of people; as words they stand in sentences.
_NO_PERSON = frozenset({
    *("bin", "data", "envs", "home", "lib", "projects", "public", "share", "shared", "work"),
})  # fmt: skip
_SHORTEST_NAME = 2

_HOMES = re.compile(
    r"(?:(?<=/home/)|(?<=/Users/)|(?<=:\\Users\\))[A-Za-z_][A-Za-z0-9_.-]*(?![^/\\\s:;,'\"`)])"
)
_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}\."
# A server's name as a folder, as automounters make them; not the name of a file, nor of a website.
_MOUNTED = (
    rf"(?<=/)(?<!//)(?!io\.containerd)(?:{_LABEL}){{2,6}}[A-Za-z]{{2,24}}(?=/)"
    rf"|(?:(?<=/mnt/)|(?<=/media/)|(?<=/net/)|(?<=/nfs/))(?:{_LABEL}){{1,6}}[A-Za-z]{{2,24}}(?![A-Za-z0-9.-])"
)

# In the order of the search; a name of one's own home is tried before the general ones.
_PATTERNS = {
    "variable": r"(?<!\w)variables\[\w+\]: .*",
    "address": rf"(?:(?:tcp|ssh|http|npipe)://[^/\s]*[^/\s:,;]|https://[^/\s@]+@[^/\s]+|{_MOUNTED})",
    "home": (
        r"/Users/[^/\s]+(?: [^/\s]+){1,3}(?=/)"  # a name of several words
        r"|(?:/home|/Users|/export/home|/run/user)/[^/\s:;,'\"`]+"
        r"|\b[A-Za-z]:\\Users\\[^\\\n]{1,80}"
    ),
    "uuid": (
        r"\b(?:GPU|MIG)-(?:GPU-)?(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{4,}(?:-[0-9a-fA-F]+)*(?:/\d+)*(?![0-9A-Za-z])"
        r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    ),
    "serial": r"\b[Ss]erial(?: ?[Nn]umber| ?[Nn]o\.?)?[ :=#]+(?=[A-Z-]*[0-9])[0-9A-Z-]{6,}",
    "mac": r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b",
    # A digest (sha256:...) is public; so is a commit, which has another length.
    "container": (
        r"(?<![0-9a-zA-Z:])(?:[0-9a-f]{64}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{12})(?![0-9a-zA-Z])"
    ),
}
_WORDS = {
    "variable": ("values of variables", "another value"),
    "address": ("addresses of servers", "SERVER"),
    "home": ("home folders", "~"),
    "uuid": ("UUIDs", "UUID"),
    "serial": ("serial numbers", "serial SERIAL"),
    "mac": ("hardware addresses", "MAC"),
    "container": ("container ids", "CONTAINER"),
    "host": ("the host's name", "HOST"),
    "user": ("the user's name", "USER"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What this machine and whoever runs envcheck on it are called."""

    hosts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    home: str = ""


def own_names() -> Names:
    """Return the names of this machine and this user, as far as they are known."""
    users, home = [os.environ.get("SUDO_USER", "")], ""
    with contextlib.suppress(OSError, KeyError, ImportError):  # a uid without a name
        users.append(getpass.getuser())
    with contextlib.suppress(RuntimeError):
        home = str(Path.home())
        users.append(Path(home).name)
    return Names((socket.gethostname(),), tuple(users), home)


class Redaction:
    """Takes out what identifies a machine or a person, and remembers what kinds of things it was."""

    def __init__(self, names: Names, host: Host | None = None) -> None:
        """`host` names GPUs and slices, whose UUIDs need not look like one."""
        gpus = (host.gpus if host else None) or ()
        uuids = [gpu.uuid for gpu in gpus]
        uuids += [slice_.uuid for gpu in gpus if gpu.mig for slice_ in gpu.mig.instances or ()]
        own_home = names.home.rstrip("/")
        patterns = {
            "own_home": re.escape(own_home) if own_home.count("/") > 1 else "",
            "own_uuid": _any_of(uuid for uuid in uuids if uuid and len(uuid) >= 8),  # noqa: PLR2004 - no word is a UUID
            **_PATTERNS,
            "host": _whole_names(names.hosts, rest=r"(?:\.[A-Za-z0-9-]+)*"),
            "user": _whole_names(names.users),
        }
        told = (f"(?P<{kind}>{pattern})" for kind, pattern in patterns.items() if pattern)
        self._pattern = re.compile("|".join(told))
        self._seen: dict[str, str] = {}
        self._kinds: set[str] = set()

    def __call__(self, text: str) -> str:
        """Return `text` with stand-ins."""
        return self._pattern.sub(self._stand_in, text)

    def note(self) -> str:
        """Return what was taken out so far, and what was looked for, in a sentence or two."""
        found = [words for kind, (words, _) in _WORDS.items() if kind in self._kinds]
        others = [words for kind, (words, _) in _WORDS.items() if kind not in self._kinds]
        took = f"Redacted: {', '.join(found)}." if found else "Nothing was redacted."
        return took + (f" Looked for and not found: {', '.join(others)}." if others else "")

    def _stand_in(self, match: re.Match[str]) -> str:
        kind = (match.lastgroup or "").removeprefix("own_")
        self._kinds.add(kind)
        word = _WORDS[kind][1]
        if kind == "variable":
            return f"{match[0].partition(':')[0]}: {word}"
        if kind != "uuid":
            return word
        prefix = match[0][:4] if match[0].startswith(("GPU-", "MIG-")) else ""
        return self._seen.setdefault(match[0].lower(), f"{prefix}{word}-{len(self._seen) + 1}")


def redact(page: Page, names: Names, host: Host) -> Page:
    """Return the page without what identifies a machine or a person, and with a note of what that was."""
    redaction = Redaction(replace(names, users=(*names.users, *_people(page))), host)
    changed = page.map(redaction)
    return replace(changed, redacted=redaction.note())


def _people(page: Page) -> tuple[str, ...]:
    """Return the names of those whose homes a page shows: of another machine, nobody else knows them."""
    found: set[str] = set()

    def collect(text: str) -> str:
        found.update(_HOMES.findall(text))
        return text

    page.map(collect)
    return tuple(sorted(name for name in found if name.lower() not in _NO_PERSON))


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(set(texts), key=len, reverse=True))


def _whole_names(names: Iterable[str], rest: str = "") -> str:
    """Return a pattern for names that stand alone, in any case, and their short forms; "" for none."""
    forms = {form for name in names for form in (name, name.partition(".")[0])}
    telling = [form for form in forms if len(form) >= _SHORTEST_NAME and form.lower() not in _EVERYBODY]
    return rf"(?<![A-Za-z0-9_])(?i:{_any_of(telling)}){rest}(?![A-Za-z0-9_])" if telling else ""
