"""Reads a compose file: which services there are, what they start from, and whether they ask for GPUs.

Source: the Compose Specification, `services`: deploy.resources.reservations.devices, gpus, runtime, devices,
shm_size, ipc.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from envcheck.doctor.project.facts import Service, Unread
from envcheck.documents import parse_plain_yaml

_Words = tuple[Any, ...] | str  # short forms are texts, long ones mappings


@dataclass(frozen=True, slots=True)
class _Build:
    context: str = "."
    dockerfile: str = "Dockerfile"


@dataclass(frozen=True, slots=True)
class _Device:
    driver: str = ""
    capabilities: _Words = ()


@dataclass(frozen=True, slots=True)
class _Reservations:
    devices: tuple[_Device, ...] | str = ()


@dataclass(frozen=True, slots=True)
class _Resources:
    reservations: _Reservations | str = ""


@dataclass(frozen=True, slots=True)
class _Deploy:
    resources: _Resources | str = ""


@dataclass(frozen=True, slots=True)
class _Service:
    image: str = ""
    build: _Build | str = ""
    platform: str = ""
    runtime: str = ""
    gpus: _Words = ()
    devices: _Words = ()
    deploy: _Deploy | str = ""
    shm_size: str = ""
    ipc: str = ""
    volumes: _Words = ()
    tmpfs: _Words = ()
    extends: Any = None


@dataclass(frozen=True, slots=True)
class _Compose:
    services: dict[str, _Service | str] | str = field(default_factory=dict)
    include: Any = None


def read_compose(text: str, file: str) -> Iterator[Service | Unread]:
    """Yield the services of a compose file, and what of it is not understood. Raises `UsageError`."""
    written = parse_plain_yaml(text, _Compose, source=file, aliases=True)
    if written.include:
        yield Unread(f"{file}: include", "Which services it brings stands in another file.")
    services = written.services if isinstance(written.services, dict) else {}
    if not services and written.services:
        yield Unread(f"{file}: services", "They are no mapping.")
    for name, one in services.items():
        place = f"{file}{_line_of(name, text)}: services.{name}"
        if isinstance(one, _Service):
            yield _service(place, name, one, file)
        elif one:
            yield Unread(place, "It is no mapping.")


def _service(place: str, name: str, one: _Service, file: str) -> Service:
    # What it extends may ask for anything.
    otherwise = None if one.extends is not None else False
    return Service(
        place=place,
        name=name,
        file=file,
        image=one.image,
        dockerfile=_dockerfile(one.build, file),
        platform=one.platform,
        gpus=_asks_for_gpus(one) or otherwise,
        runtime=one.runtime,
        shares_memory=_shares_memory(one) or otherwise,
    )


def _asks_for_gpus(one: _Service) -> bool:
    deploy = one.deploy if isinstance(one.deploy, _Deploy) else _Deploy()
    resources = deploy.resources if isinstance(deploy.resources, _Resources) else _Resources()
    reserved = resources.reservations
    devices = reserved.devices if isinstance(reserved, _Reservations) else ()
    by_deploy = any(
        isinstance(device, _Device) and (device.driver == "nvidia" or "gpu" in device.capabilities)
        for device in devices
    )
    by_device = any("nvidia" in str(device) for device in _words(one.devices))
    return by_deploy or by_device or bool(one.gpus) or one.runtime == "nvidia"


def _shares_memory(one: _Service) -> bool:
    """Return whether a service has more than the 64 MB of shared memory that engines give by themselves."""
    mounted = any("/dev/shm" in str(one) for one in (*_words(one.volumes), *_words(one.tmpfs)))  # noqa: S108 - a container's
    return bool(one.shm_size) or one.ipc not in ("", "private", "none", "shareable") or mounted


def _words(written: _Words) -> tuple[Any, ...]:
    return (written,) if isinstance(written, str) else written


def _dockerfile(build: _Build | str, file: str) -> str:
    """Return the Dockerfile that a service is built from, within the repository."""
    if not build:
        return ""
    described = _Build(context=build) if isinstance(build, str) else build
    path = PurePosixPath(file).parent / described.context / described.dockerfile
    return os.path.normpath(path)


def _line_of(name: str, text: str) -> str:
    """Return ":12" where a service begins, "" where it stands in some other way."""
    begins = re.compile(rf"\s+['\"]?{re.escape(name)}['\"]?\s*:")
    return next((f":{number}" for number, line in enumerate(text.splitlines(), 1) if begins.match(line)), "")
