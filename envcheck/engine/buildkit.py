"""BuildKit, which docker's engine has and only docker's own client can speak: builds faster, the same layers.

The SDK knows the classic builder alone (`images.build`). Where the client at hand offers BuildKit, it builds.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envcheck.engine.addresses import Address
from envcheck.engine.failures import build_failure
from envcheck.errors import STOPPED
from envcheck.processes import capture, stream

# BuildKit is inside of docker's client up to 22, and in a plug-in from 23 on.
_BUILTIN_BEFORE = 23
_ASK_SECONDS = 20
# What a step said itself: "#9 0.534 ...".
_OUTPUT = re.compile(r"^#\d+ \d+\.\d+ (.*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BuildKit:
    """A client that offers it."""

    argv: tuple[str, ...]

    def build(
        self, address: Address, context: Path, name: str, arguments: Mapping[str, str], log: Path
    ) -> None:
        """Build the Dockerfile in a folder, without network, under a name; what is said goes to `log`.

        Raises `EnvcheckError`, `KeyboardInterrupt` when stopped; a build that failed leaves no image.
        """
        words = (
            word
            for key, value in {**arguments, "IMAGE": name}.items()
            for word in ("--build-arg", f"{key}={value}")
        )
        argv = (*self.argv, "--network", "none", "--progress", "plain", *words, "--tag", name, str(context))
        last = bytearray()
        log.write_bytes(b"")
        code = stream(argv, env=_environment(address), log=log, show=False, heard=last)
        said = last.decode("utf-8", "replace")
        if code in STOPPED or said.rstrip().endswith("context canceled"):
            raise KeyboardInterrupt
        if code != 0:
            heard = _OUTPUT.findall(said)
            raise build_failure(f"The image {name} was not built (see {log})", _reason(said), heard)


def offered(address: Address) -> BuildKit | None:
    """Return the BuildKit of the docker client on the path, None where it has none."""
    docker = shutil.which("docker")
    if docker is None or not address.url.startswith("unix://"):
        return None
    if capture([docker, "buildx", "version"], seconds=_ASK_SECONDS).code == 0:
        # The builder that shares the engine's images: another one would look for our base in a registry.
        return BuildKit((docker, "buildx", "build", "--builder", "default", "--load"))
    said = capture([docker, "--version"], seconds=_ASK_SECONDS).stdout
    major = re.search(r"version (\d+)\.", said)
    return BuildKit((docker, "build")) if major and int(major[1]) < _BUILTIN_BEFORE else None


def _environment(address: Address) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": address.url, "DOCKER_BUILDKIT": "1"}


def _reason(said: str) -> str:
    """Return what of a build's output says why it failed: its last error, and what led there."""
    lines = [re.sub(r"^#\d+ (\d+\.\d+ )?", "", line).strip() for line in said.splitlines()]
    telling = [
        line for line in lines if re.search(r"error|no space|failed|cannot|denied", line, re.IGNORECASE)
    ]
    return " ".join((telling or lines)[-4:])
