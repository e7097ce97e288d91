"""One container from its making to its removal: live output, signals, the exit code, and nothing left behind.

What a container is made of is said by `Settings`, a plain value; whoever runs it decides what goes in there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from envcheck.engine import reaper, terminal
from envcheck.engine.addresses import Address
from envcheck.engine.failures import failure, spoken
from envcheck.engine.owner import OWNER_LABEL, is_gone, me
from envcheck.errors import UsageError
from envcheck.processes import attended, handed_on
from envcheck.relay import Relay

if TYPE_CHECKING:
    from socket import socket

    from docker import APIClient

_NOT_RUN = "The container was not started"
_LOST = "The container was lost"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of this machine, shown inside."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class GpuAccess:
    """Which GPUs the container gets, and how its engine is asked for them."""

    request: Literal["nvidia", "cdi", "device"]  # NVIDIA's hook; CDI as docker or as podman is asked for it
    uuids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a container is made of."""

    image: str
    argv: tuple[str, ...]
    user: str  # "1000:1000"
    groups: tuple[int, ...] = ()
    keep_id: bool = False  # podman without root: the caller keeps its uid inside
    working_directory: str
    variables: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    gpus: GpuAccess | None = None
    network: bool = False
    read_only: bool = True
    shared_memory: int  # bytes
    memory: int | None = None  # bytes
    cpus: float | None = None
    limits: Mapping[str, int] = field(default_factory=dict)  # ulimits, where the engine's own do not fit
    stdin: bool = False
    ends_with_reader: bool = False  # SIGTERM when nobody reads our stdout any more
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out_of_memory: bool = False  # the container's limit; elsewhere nobody knows


def run(
    client: APIClient,
    address: Address,
    settings: Settings,
    relay: Relay,
    begun: Callable[[], None] | None = None,
) -> Ended:
    """Run a container to its end, and call `begun` when it runs, before its output is passed on.

    SIGINT, SIGTERM and SIGHUP are handed on to it, each once. Raises `EnvcheckError` when it cannot be had
    or its engine goes away, `KeyboardInterrupt` when stopped before it has begun. The container is gone
    afterwards; where the engine has gone, the next run removes it.
    """
    events: SimpleQueue[int | None] = SimpleQueue()  # signals, and None for the end of the output
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(relay))
        stack.enter_context(handed_on(events.put))
        with spoken(_NOT_RUN):
            container = _made(client, settings)
        stack.enter_context(_guarded(address, container))  # dismissed when it has been removed
        stack.callback(_remove, client, container)
        with spoken(_NOT_RUN):
            connection = stack.enter_context(contextlib.closing(_attached(client, container, settings)))
            if not events.empty():
                raise KeyboardInterrupt
            client.start(container)
        if settings.ends_with_reader:
            relay.on_gone = lambda: events.put(signal.SIGTERM)
        if begun:
            begun()
        if settings.terminal:
            stack.enter_context(terminal.lent(lambda: _resize(client, container)))
            _resize(client, container)
        threading.Thread(target=_pump, args=(connection, settings, relay, events), daemon=True).start()
        if settings.stdin:
            threading.Thread(target=_feed, args=(connection,), daemon=True).start()
        while (event := _next(events)) is not None:
            _kill(client, container, event)
        with spoken(_LOST):
            client.wait(container)
            state: dict[str, Any] = client.inspect_container(container)["State"]
    return Ended(int(state["ExitCode"]), bool(state.get("OOMKilled")))


def _next(events: SimpleQueue[int | None]) -> int | None:
    while True:
        # Not for ever: a signal that comes just before the wait would be heard when that ends.
        with contextlib.suppress(Empty):
            return events.get(timeout=1)


def bytes_of(size: str) -> int:
    """Return how many bytes "8g" or "512m" are. Raises `UsageError`."""
    from docker.errors import DockerException  # noqa: PLC0415
    from docker.utils import parse_bytes  # noqa: PLC0415

    try:
        found = int(parse_bytes(size))
    except (DockerException, ValueError, OverflowError):
        found = 0
    if found <= 0:  # which an engine takes for no limit at all
        raise UsageError(f"--memory {size!r:.40} is no size", "For example 8g or 512m")
    return found


def remove_orphans(client: APIClient) -> None:
    """Remove the containers of those envchecks on this machine that have gone without doing so.

    Those of a build too: its engine removes them, if it does not go first.
    """
    from docker.errors import DockerException  # noqa: PLC0415 - see the room's docstring

    with contextlib.suppress(DockerException, OSError):
        for found in client.containers(all=True, filters={"label": OWNER_LABEL}):
            if is_gone(str(found["Labels"].get(OWNER_LABEL))):
                _remove(client, str(found["Id"]))


def _made(client: APIClient, settings: Settings) -> str:
    made: dict[str, Any] = client.create_container_from_config(_config(client, settings))  # type: ignore[no-untyped-call]
    container = str(made["Id"])
    # An engine that cannot keep a limit says so, and goes on without.
    if settings.memory or settings.cpus:
        for warning in made.get("Warnings") or ():
            if "discarded" in str(warning):
                _remove(client, container)
                raise failure(_NOT_RUN, str(warning))
    return container


def _config(client: APIClient, settings: Settings) -> dict[str, Any]:
    """Return what the engine is asked to make: a document of its interface."""
    config: dict[str, Any] = client.create_container_config(
        settings.image,
        [],
        # Not as its command: podman takes an empty entry for none said, and the image's would stay before it.
        entrypoint=list(settings.argv),
        user=settings.user,
        working_dir=settings.working_directory,
        environment=dict(settings.variables),
        hostname="localhost",  # what a rendezvous without network can resolve
        stdin_open=settings.stdin,
        tty=settings.terminal,
        labels={OWNER_LABEL: me()},
        host_config=_host_config(client, settings),  # type: ignore[arg-type]
    )
    return config


def _host_config(client: APIClient, settings: Settings) -> dict[str, Any]:
    from docker.types import Mount as Bind  # noqa: PLC0415
    from docker.types import Ulimit  # noqa: PLC0415

    host: dict[str, Any] = client.create_host_config(
        mounts=[
            Bind(one.target, one.source, type="bind", read_only=not one.writable) for one in settings.mounts
        ],
        group_add=[str(group) for group in settings.groups],
        network_mode="bridge" if settings.network else "none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", *_selinux()],
        read_only=settings.read_only,
        # Compiled kernels are loaded from there, so it allows what /tmp allows.
        tmpfs={"/tmp": "exec,mode=1777"},  # noqa: S108 - the container's own
        init=True,
        shm_size=settings.shared_memory,
        mem_limit=settings.memory,
        memswap_limit=settings.memory,
        nano_cpus=int(settings.cpus * 1e9) if settings.cpus else None,
        ulimits=[Ulimit(name=name, soft=limit, hard=limit) for name, limit in settings.limits.items()],
    )
    if settings.keep_id:  # a word of podman's that the SDK does not let through
        host["UsernsMode"] = "keep-id"
    return {**host, **(_gpu_config(settings.gpus) if settings.gpus else {})}


def _selinux() -> tuple[str, ...]:
    """Return what lets a container see the caller's files where SELinux would label them for one alone."""
    enforced = Path("/sys/fs/selinux/enforce")
    return ("label=disable",) if enforced.exists() else ()


def _gpu_config(gpus: GpuAccess) -> dict[str, Any]:
    if gpus.request == "nvidia":
        wanted = {"Driver": "", "DeviceIDs": list(gpus.uuids)}
        return {"DeviceRequests": [{**wanted, "Capabilities": [["gpu", "compute", "utility"]]}]}
    names = [f"nvidia.com/gpu={uuid}" for uuid in gpus.uuids]
    if gpus.request == "cdi":
        return {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": names}]}
    return {
        "Devices": [
            {"PathOnHost": name, "PathInContainer": name, "CgroupPermissions": "rwm"} for name in names
        ]
    }


def _attached(client: APIClient, container: str, settings: Settings) -> socket:
    """Return the connection to a container's streams; before it starts, so that nothing is missed."""
    wanted = {"stdin": int(settings.stdin), "stdout": 1, "stderr": 1, "stream": 1}
    connection = client.attach_socket(container, wanted)
    bare: socket = getattr(connection, "_sock", connection)
    bare.settimeout(None)  # a stage may say nothing for an hour
    return bare


def _pump(connection: socket, settings: Settings, relay: Relay, events: SimpleQueue[int | None]) -> None:
    from docker.utils.socket import STDERR, frames_iter  # noqa: PLC0415

    try:
        for stream, data in frames_iter(connection, settings.terminal):  # type: ignore[no-untyped-call]
            relay.take("stderr" if stream == STDERR else "stdout", data)
    except OSError:
        pass  # the engine has gone; asking it how the container ended will say so
    finally:
        events.put(None)


def _feed(connection: socket) -> None:
    """Give our standard input to the container until one of the two ends."""
    with contextlib.suppress(OSError, ValueError):
        while data := os.read(sys.stdin.fileno(), 1 << 16):
            connection.sendall(data)
        connection.shutdown(1)  # only the writing half: `sort` speaks when its input has ended


def _kill(client: APIClient, container: str, number: int) -> None:
    from docker.errors import DockerException  # noqa: PLC0415

    with contextlib.suppress(DockerException, OSError):  # it has just ended, or the engine has
        client.kill(container, number)


def _resize(client: APIClient, container: str) -> None:
    from docker.errors import DockerException  # noqa: PLC0415

    with contextlib.suppress(DockerException, OSError):
        height, width = terminal.size()
        client.resize(container, height, width)


def _remove(client: APIClient, container: str) -> None:
    from docker.errors import DockerException  # noqa: PLC0415

    with contextlib.suppress(DockerException, OSError):  # gone already, or the engine is
        client.remove_container(container, force=True, v=True)


@contextlib.contextmanager
def _guarded(address: Address, container: str) -> Iterator[None]:
    """While open, the container does not outlive us, even where nothing is left of us to remove it."""
    if not address.url.startswith("unix://"):  # an engine elsewhere: the next run removes it
        yield
        return
    with attended([sys.executable, "-I", reaper.__file__, address.url, container, *sys.path]):
        yield
