"""Container engines that answer on this machine, and whether they can hand over a GPU.

Docker and podman speak the same interface on a Unix socket. Without a socket nothing is imported and the
answer is "none"; a socket that does not answer is a reason, never an exception.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envcheck.documents import parse_plain_yaml, read_text
from envcheck.engine.addresses import Address, addresses
from envcheck.engine.failures import innermost
from envcheck.engine.question import ask
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.facts import Engine, GpuRequest

_TIME_LIMIT_S = 3
_CDI_KIND = "nvidia.com/gpu"
# Docker learns of these when it starts; their absence says as much as a missing runtime.
_HOOKS = ("usr/bin/nvidia-container-runtime-hook", "usr/bin/nvidia-container-toolkit")


def read_engines(
    root: Path = Path("/"), *, environ: Mapping[str, str] = os.environ
) -> tuple[tuple[Engine, ...] | None, dict[str, str]]:
    """Return the engines that answer; None when there is one, or seems to be, and none answers."""
    try:
        asked = [_ask(address, root) for address in addresses(root, environ)]
    except EnvcheckError as error:  # a context that was chosen and does not exist
        return None, {"engines": error.message}
    engines = tuple(answer for answer in asked if isinstance(answer, Engine))
    reasons = [answer for answer in asked if isinstance(answer, str)]
    unknown = {"engines": "; ".join(reasons)} if reasons else {}
    return (None if reasons and not engines else engines), unknown


def _ask(address: Address, root: Path) -> Engine | str:
    """Return the engine, or why it did not answer."""
    try:
        return _answer(address, root)
    except Exception as error:  # noqa: BLE001 - the SDK lets errors of four libraries through
        chosen = f" ({address.origin})" if address.origin else ""
        return f"{address.url}{chosen}: {innermost(error)}"


def _answer(address: Address, root: Path) -> Engine:
    said = ask(address, "version", seconds=_TIME_LIMIT_S)
    version = str(said["Version"]) if said.get("Version") else None
    components = " ".join(str(part.get("Name")) for part in said.get("Components") or ())
    if "podman" in components.lower():  # whose info takes a quarter of a second
        # Through docker's interface podman 4.3 ignores a device request, and takes a CDI name for a path.
        rootless = _is_rootless(address.url)
        return Engine("podman", version, address=address.url, rootless=rootless, gpu_request="none")
    info = ask(address, "info", seconds=_TIME_LIMIT_S)
    return Engine(
        "docker",
        version,
        address=address.url,
        rootless="name=rootless" in (info.get("SecurityOptions") or ()),
        gpu_request=_docker_gpus(info, root),
    )


def _docker_gpus(info: Mapping[str, Any], root: Path) -> GpuRequest:
    """Return how docker is asked for GPUs: by the toolkit's hook, which takes every UUID, or by CDI."""
    if "nvidia" in (info.get("Runtimes") or ()) or any((root / hook).exists() for hook in _HOOKS):
        return "nvidia"
    found = {str(one.get("ID", "")).partition("=")[0] for one in info.get("DiscoveredDevices") or ()}
    found.update(_cdi_kinds(info.get("CDISpecDirs") or (), root))
    return "cdi" if _CDI_KIND in found else "none"


def _cdi_kinds(folders: Sequence[str], root: Path) -> Iterator[str]:
    """Yield what kinds of devices the CDI specs of this machine describe."""
    for folder in folders:
        for file in sorted((root / folder.lstrip("/")).glob("*")):
            # Somebody else's file: one that is unreadable or odd describes nothing to hand over.
            with contextlib.suppress(UsageError, OSError):
                yield _kind_of_spec(file)


def _kind_of_spec(file: Path) -> str:
    text = read_text(file)
    if file.suffix == ".json":
        try:
            spec: object = json.loads(text)
        except ValueError:
            return ""
    else:
        # A spec of eight cards has thousands of lines, and its kind stands in a line of its own.
        lines = [line for line in text.splitlines() if line.startswith("kind:")]
        spec = parse_plain_yaml("\n".join(lines), dict[str, str], source=str(file)) if lines else {}
    return str(spec.get("kind", "")) if isinstance(spec, dict) else ""


def _is_rootless(url: str) -> bool | None:
    """Tell whether somebody else than root listens on a Unix socket, None where that is not known."""
    if not url.startswith("unix://"):
        return None
    return Path(url.removeprefix("unix://")).stat().st_uid != 0
