"""A short question to an engine, without the SDK where a Unix socket leads to it.

The SDK and the libraries under it take a tenth of a second to import, and doctor and every run ask what
engines there are. Whoever builds or runs something needs the SDK anyway, and asks by that.
"""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, Literal

from envcheck.engine.addresses import Address, connect
from envcheck.errors import EnvcheckError

_UNIX = "unix://"
# An engine with a thousand runtimes and devices says less.
_MAX_BYTES = 4 * 1024 * 1024


def ask(address: Address, about: Literal["version", "info"], *, seconds: float) -> dict[str, Any]:
    """Return an engine's answer; it has `seconds` for each part of it.

    Raises `OSError` where nobody answers, `EnvcheckError` for what is no answer, and for other addresses what
    the SDK raises; `failures.innermost` reads all of them.
    """
    if address.url.startswith(_UNIX):
        return _asked_by_socket(address.url.removeprefix(_UNIX), f"/{about}", seconds)
    client = connect(address, seconds=max(1, round(seconds)))
    try:
        answer: dict[str, Any] = client.version(api_version=False) if about == "version" else client.info()
    finally:
        client.close()
    return answer


def _asked_by_socket(path: str, resource: str, seconds: float) -> dict[str, Any]:
    connection = _UnixConnection(path, seconds)
    try:
        connection.request("GET", resource)
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
        if response.length:
            raise EnvcheckError(f"the answer to GET {resource} is cut off, or has over {_MAX_BYTES} bytes")
    except http.client.HTTPException as error:
        raise EnvcheckError(f"no HTTP from there: {type(error).__name__}") from None
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise EnvcheckError(f"{response.status} {response.reason}: {body.decode('utf-8', 'replace'):.200}")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise EnvcheckError(f"no answer to GET {resource}: {body.decode('utf-8', 'replace'):.60}")
    return answer


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
