"""Where a container engine listens: DOCKER_HOST, a docker context, the usual sockets of docker and podman."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envcheck.errors import EnvcheckError

if TYPE_CHECKING:
    from typing import TypeAlias

    from docker import APIClient
    from docker.context import Context

    Client: TypeAlias = APIClient  # what the other rooms call it


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask, and who says so."""

    url: str  # "unix:///var/run/docker.sock"
    origin: str = ""  # "DOCKER_HOST", "the docker context work"; "" for a usual place


def addresses(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Iterator[Address]:
    """Yield where an engine may listen, the most wanted first; what somebody chose is the only one.

    Raises `EnvcheckError` for a chosen context that does not exist.
    """
    if environ.get("DOCKER_HOST"):
        yield Address(environ["DOCKER_HOST"], "DOCKER_HOST")
        return
    name = environ.get("DOCKER_CONTEXT") or _current_context(environ)
    if name and name != "default":
        yield Address(_context(name).Host or "", f"the docker context {name}")
        return
    own = environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}").lstrip("/")
    for socket in (
        "var/run/docker.sock",
        f"{own}/docker.sock",
        f"{own}/podman/podman.sock",
        "run/podman/podman.sock",
    ):
        if _exists(root / socket):
            yield Address(f"unix://{root / socket}")


def connect(address: Address, *, seconds: int = 120) -> APIClient:
    """Return a client for an engine, which has answered; it waits `seconds` for an answer.

    Raises what the SDK raises; see `failures.spoken`.
    """
    import docker  # noqa: PLC0415 - see the room's docstring
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    tls = None
    if address.origin == "DOCKER_HOST":
        tls = kwargs_from_env().get("tls")
    elif address.origin:
        tls = _context(address.origin.rpartition(" ")[2]).TLSConfig
    client = docker.APIClient(base_url=address.url, version="auto", timeout=seconds, tls=tls or False)
    client.trust_env = False  # a proxy for the web is none for a socket
    return client


def _current_context(environ: Mapping[str, str]) -> str:
    """Return the context that `docker context use` chose; read by hand, to leave the SDK unimported."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/nonexistent")) / ".docker")
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    name = config.get("currentContext") if isinstance(config, dict) else None
    return name if isinstance(name, str) else ""


def _context(name: str) -> Context:
    from docker.context import ContextAPI  # noqa: PLC0415
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        context = ContextAPI.get_context(name)
    except (DockerException, OSError, ValueError, KeyError) as error:
        raise EnvcheckError(
            f"The docker context {name:.60} cannot be read: {error}", finding="container.context"
        ) from None
    if context is None:
        raise EnvcheckError(
            f"The docker context {name:.60} does not exist",
            "docker context ls shows what there is; DOCKER_CONTEXT and docker context use choose one.",
            "container.context",
        )
    return context


def _exists(socket: Path) -> bool:
    try:
        return socket.exists()
    except PermissionError:
        return True  # it is there for somebody else, and asking will say so
