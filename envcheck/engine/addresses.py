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

    Client: TypeAlias = APIClient  # what the other rooms call it


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask, and who says so."""

    url: str  # "unix:///var/run/docker.sock"
    origin: str = ""  # "DOCKER_HOST", "the docker context work"; "" for a usual place
    tls: Path | None = None  # the folder of a context's ca.pem, cert.pem and key.pem
    verified: bool = True  # against that ca.pem


def addresses(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Iterator[Address]:
    """Yield where an engine may listen, the most wanted first; what somebody chose is the only one.

    Raises `EnvcheckError` for a chosen context that does not exist or cannot be read.
    """
    if environ.get("DOCKER_HOST"):
        yield Address(environ["DOCKER_HOST"], "DOCKER_HOST")
        return
    name = environ.get("DOCKER_CONTEXT") or _current_context(environ)
    if name and name != "default":
        yield _context(name, environ)
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
    elif address.tls is not None:
        ca, cert, key = (str(address.tls / f"{name}.pem") for name in ("ca", "cert", "key"))
        tls = docker.tls.TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=address.verified)
    client = docker.APIClient(base_url=address.url, version="auto", timeout=seconds, tls=tls or False)
    client.trust_env = False  # a proxy for the web is none for a socket
    return client


def _settings(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/nonexistent")) / ".docker")


def _current_context(environ: Mapping[str, str]) -> str:
    """Return the context that `docker context use` chose; read by hand, to leave the SDK unimported."""
    try:
        config = json.loads((_settings(environ) / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    name = config.get("currentContext") if isinstance(config, dict) else None
    return name if isinstance(name, str) else ""


def _context(name: str, environ: Mapping[str, str]) -> Address:
    """Return where a context points; by hand too: the SDK knows none while there is no config.json."""
    import hashlib  # noqa: PLC0415 - nobody waits for it who has no context

    identity = hashlib.sha256(name.encode()).hexdigest()
    folder = _settings(environ) / "contexts"
    try:
        endpoint = json.loads((folder / "meta" / identity / "meta.json").read_bytes())["Endpoints"]["docker"]
        url, verified = endpoint["Host"], not endpoint.get("SkipTLSVerify")
    except FileNotFoundError:
        raise EnvcheckError(
            f"The docker context {name:.60} does not exist",
            "docker context ls shows what there is; DOCKER_CONTEXT and docker context use choose one.",
            "container.context",
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise EnvcheckError(
            f"The docker context {name:.60} cannot be read: {type(error).__name__}: {error}",
            "docker context inspect NAME shows it; docker context use chooses another.",
            "container.context",
        ) from None
    tls = folder / "tls" / identity / "docker"
    return Address(str(url), f"the docker context {name}", tls if tls.is_dir() else None, verified)


def _exists(socket: Path) -> bool:
    try:
        return socket.exists()
    except PermissionError:
        return True  # it is there for somebody else, and asking will say so
