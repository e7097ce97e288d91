"""Container engines that answer on this machine, and whether they can hand over a GPU.

Docker and podman speak the same interface on a Unix socket. Without a socket nothing is imported and the
answer is "none"; a socket that does not answer is a reason, never an exception, and the others are asked
meanwhile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from envcheck.engine.addresses import Address, addresses
from envcheck.engine.failures import innermost
from envcheck.engine.question import ask, name
from envcheck.errors import EnvcheckError
from envcheck.host.engine_info import EngineFacts, docker_engine, podman_engine
from envcheck.host.facts import NOT_STARTED, Engine
from envcheck.host.files import is_there
from envcheck.host.pending import Pending

_TIME_LIMIT_S = 3
# Each part of an answer has its limit; this is for one that comes in a thousand parts.
_PARTS = 3

_PODMAN = re.compile(r"Libpod/(?P<version>[^ ]+)")
_DAEMONS = ("usr/bin/dockerd", "usr/sbin/dockerd", "usr/local/bin/dockerd")


def read_engines(
    root: Path = Path("/"), *, environ: Mapping[str, str] = os.environ
) -> tuple[tuple[Engine, ...] | None, dict[str, str]]:
    """Return the engines that answer; None when there is one, or seems to be, and none answers."""
    try:
        found = tuple(addresses(root, environ))
    except EnvcheckError as error:  # a context that was chosen and does not exist
        return None, {"engines": error.message}
    limit = _TIME_LIMIT_S * _PARTS
    pending = [
        Pending(partial(_ask, address, root, environ), partial(_silent, address), seconds=limit)
        for address in found
    ]
    asked = [one.result() for one in pending]
    answers = [answer for answer in asked if isinstance(answer, EngineFacts)]
    reasons = [answer for answer in asked if isinstance(answer, str)]
    if not found and (daemon := next((name for name in _DAEMONS if is_there(root / name)), None)):
        reasons.append(f"/{daemon} {NOT_STARTED}: there is no socket")
    unknown = {"engines": "; ".join(reasons)} if reasons else {}
    for place, answer in enumerate(answers):
        unknown.update({f"engines[{place}]{fact}": why for fact, why in answer.unknown.items()})
    return (None if reasons and not answers else tuple(answer.engine for answer in answers)), unknown


def _ask(address: Address, root: Path, environ: Mapping[str, str]) -> EngineFacts | str:
    """Return what the engine says, or why it did not answer."""
    try:
        return _answer(address, root, environ)
    except Exception as error:  # noqa: BLE001 - the SDK lets errors of four libraries through
        return _silent(address, innermost(error))


def _silent(address: Address, why: str) -> str:
    chosen = f" ({address.origin})" if address.origin else ""
    return f"{address.url}{chosen}: {why}"


def _answer(address: Address, root: Path, environ: Mapping[str, str]) -> EngineFacts:
    if podman := _PODMAN.match(name(address, seconds=_TIME_LIMIT_S)):
        return podman_engine(podman["version"], address.url, root, environ)
    version = ask(address, "version", seconds=_TIME_LIMIT_S)
    components = " ".join(str(part.get("Name")) for part in version.get("Components") or ())
    if "podman" in components.lower():
        return podman_engine(version.get("Version"), address.url, root, environ)
    return docker_engine(version, ask(address, "info", seconds=_TIME_LIMIT_S), address.url, root)
