"""Container engines that answer on this machine: the owner of the Docker SDK.

Docker and podman speak the same interface on a Unix socket. Without a socket nothing is imported and the
answer is "none"; a socket that does not answer is a reason, never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envcheck.host.facts import Engine

_TIME_LIMIT_S = 3


def read_engines(
    root: Path = Path("/"), *, environ: Mapping[str, str] = os.environ
) -> tuple[tuple[Engine, ...] | None, dict[str, str]]:
    """Return the engines that answer; None when there is one, or seems to be, and none answers."""
    answers = [_ask(address) for address in dict.fromkeys(_addresses(root, environ))]
    engines = tuple(answer for answer in answers if isinstance(answer, Engine))
    reasons = [answer for answer in answers if isinstance(answer, str)]
    unknown = {"engines": "; ".join(reasons)} if reasons else {}
    return (None if reasons and not engines else engines), unknown


def _addresses(root: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield where an engine may listen: DOCKER_HOST instead of Docker's own sockets, then podman's."""
    if environ.get("DOCKER_HOST"):
        yield environ["DOCKER_HOST"]
    own = environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}").lstrip("/")
    docker = () if environ.get("DOCKER_HOST") else ("var/run/docker.sock", f"{own}/docker.sock")
    for socket in (*docker, f"{own}/podman/podman.sock", "run/podman/podman.sock"):
        if _exists(root / socket):
            yield f"unix://{root / socket}"


def _exists(socket: Path) -> bool:
    try:
        return socket.exists()
    except PermissionError:
        return True  # it is there for somebody else, and asking will say so


def _ask(address: str) -> Engine | str:
    """Return the engine, or why it did not answer."""
    try:
        return _answer(address)
    except Exception as error:  # noqa: BLE001 - the SDK lets errors of four libraries through
        return f"{address}: {_innermost(error)}"


def _answer(address: str) -> Engine:
    import docker  # noqa: PLC0415 - takes 0.2 s, which a machine without a socket need not spend

    client = docker.APIClient(base_url=address, version="1.24", timeout=_TIME_LIMIT_S)
    try:
        said: dict[str, Any] = client.version(api_version=False)
    finally:
        client.close()
    components = " ".join(str(part.get("Name")) for part in said.get("Components") or ())
    name = "podman" if "podman" in components.lower() else "docker"
    return Engine(name=name, version=str(said["Version"]) if said.get("Version") else None)


def _innermost(error: BaseException) -> str:
    """Return the cause that a person can act on: "Permission denied" rather than the SDK's wrapping."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
