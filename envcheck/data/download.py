"""One file from an HTTP server, whole and with the right digest, or not at all.

A broken connection is tried again and goes on where it broke, as does a later command. A server is believed
nothing that size and digest do not prove. Proxies, certificate bundles and .netrc are those that requests
finds. pooch would be less code, but begins a broken file anew, and one of ours has 18 GiB.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from pathlib import Path

import requests
import urllib3

from envcheck import __version__
from envcheck.data.arrived import Arrived, Edition, open_arrived
from envcheck.data.source import Source
from envcheck.environments.place import Update
from envcheck.errors import EnvcheckError, RetryError

_BLOCK_BYTES = 64 << 10
_NEWS_S = 0.2
_QUESTIONS = 3  # in a row without an answer: nothing is lost yet, and somebody waits
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# Servers that give a file may still answer no question about it.
_NO_ANSWER = (
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN),
    *(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED),
)
_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d{1,18})-\d{1,18}/(?P<size>\d{1,18}|\*)", re.ASCII)
_OTHER_SERVER = "--mirror URL asks another server."
_WRONG_ADDRESS = (
    requests.exceptions.InvalidSchema,  # of a redirect: ftp, file
    requests.exceptions.TooManyRedirects,
    urllib3.exceptions.LocationParseError,
    ValueError,  # requests' own InvalidURL, and what it lets through: half an IPv6 address, an empty label
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    tries: int = 7  # in a row that bring nothing new
    wait_s: float = 1.0  # before the second; each further one is twice as long
    longest_wait_s: float = 30.0
    silence_s: float = 60.0  # within one try


PATIENT = Patience()


class _PassingError(Exception):
    """What may be otherwise at the next try; its text is a clause."""


class Fetcher:
    """Asks servers for files."""

    def __init__(self, patience: Patience = PATIENT) -> None:
        self._patience = patience
        self._session = requests.Session()
        # A range of a packed answer would be none of the file.
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": f"envcheck/{__version__}"})

    def ask(self, source: Source, update: Update) -> None:
        """Ask whether a server has a file. Raises `EnvcheckError` where it has none, or another one."""

        def attempt() -> None:
            with self._answer("HEAD", source, {}) as response:
                if response.status_code not in _NO_ANSWER:
                    _check_status(source, response)
                    _check_size(source, response)

        self._persist(source, attempt, lambda: 0, update, min(_QUESTIONS, self._patience.tries))

    def fetch(self, source: Source, part: Path, update: Update) -> None:
        """Bring `part` to the whole of a file, going on where an earlier try has ended.

        Raises `EnvcheckError`, `RetryError` where the server may recover. What has arrived is kept then,
        unless size or digest have proved it wrong.
        """
        with open_arrived(part) as arrived:
            was_here = arrived.size > 0
            while True:
                self._persist(
                    source,
                    lambda: self._receive(source, arrived, update),
                    lambda: arrived.size,
                    update,
                    self._patience.tries,
                )
                if arrived.digest.startswith(source.sha256):
                    arrived.settle()
                    return
                digest = arrived.digest
                arrived.restart()
                if not was_here:
                    raise EnvcheckError(
                        f"{source} is not the file: its SHA-256 is {digest}, expected {source.expected}",
                        f"Nothing of it was kept. {_OTHER_SERVER}",
                    )
                # Not the server's fault, perhaps: another server's file, or a damaged disk.
                was_here = False
                update("what was here of it is wrong: from the beginning")

    def _receive(self, source: Source, arrived: Arrived, update: Update) -> None:
        """Take what a server sends of the rest of a file."""
        if arrived.size > source.size:
            arrived.restart()
        if arrived.size == source.size:
            return
        with self._answer("GET", source, _rest(source, arrived)) as response:
            _begin(source, response, arrived)
            news = _Progress(arrived.size, source.size, update)
            for block in response.iter_content(_BLOCK_BYTES):
                if arrived.size + len(block) > source.size:
                    arrived.restart()
                    raise EnvcheckError(
                        f"{source} does not end after the {source.size:,} bytes that it has", _OTHER_SERVER
                    )
                arrived.take(block)
                news.tell(arrived.size)
        if arrived.size < source.size:
            raise _PassingError(f"it ended after {arrived.size:,} of {source.size:,} bytes")

    @contextlib.contextmanager
    def _answer(self, method: str, source: Source, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Give a server's answer while open; what goes wrong meanwhile is final, or a `_PassingError`."""
        try:
            with self._request(method, source, headers) as response:
                ways = (*response.history, response)
                if source.url.startswith("https:") and not all(one.url.startswith("https:") for one in ways):
                    raise EnvcheckError(f"{source} leads to an address without TLS", _OTHER_SERVER)
                yield response
        except requests.RequestException as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise EnvcheckError(
                    f"The certificate of {source.server} was not accepted",
                    "Behind an inspecting proxy, REQUESTS_CA_BUNDLE=FILE names its CA bundle.",
                    "network.certificate",
                ) from None
            raise _PassingError(_clause(error)) from None
        except urllib3.exceptions.HTTPError:
            raise _PassingError("the connection broke") from None

    def _request(self, method: str, source: Source, headers: dict[str, str]) -> requests.Response:
        wait = self._patience.silence_s
        try:
            return self._session.request(
                method, source.url, headers=headers, stream=True, timeout=wait, allow_redirects=True
            )
        except _WRONG_ADDRESS:
            raise EnvcheckError(f"{source} leads nowhere", f"Is the address right? {_OTHER_SERVER}") from None

    def _persist(
        self,
        source: Source,
        attempt: Callable[[], None],
        arrived: Callable[[], int],
        update: Update,
        tries: int,
    ) -> None:
        """Make an attempt until it succeeds, or until so many in a row have brought nothing new."""
        furthest, idle = arrived(), 0
        while why := _failure(attempt):
            idle = 0 if arrived() > furthest else idle + 1
            furthest = max(furthest, arrived())
            if idle >= tries:
                kept = (
                    f"{arrived():,} of {source.size:,} bytes are kept; the same command goes on from there."
                )
                hint = kept if arrived() else "The same command tries again."
                raise RetryError(f"{source} was not fetched: {why}", f"{hint} {_OTHER_SERVER}")
            wait = min(self._patience.wait_s * 2 ** max(idle - 1, 0), self._patience.longest_wait_s)
            update(f"{why}; again in {wait:.0f} s")
            time.sleep(wait)


class _Progress:
    """Tells how far a file has come, how fast, and how long the rest will take."""

    def __init__(self, size: int, total: int, update: Update) -> None:
        self._first, self._total, self._update = size, total, update
        self._began = self._told = time.monotonic()

    def tell(self, size: int) -> None:
        now = time.monotonic()
        if now - self._told < _NEWS_S:
            return
        self._told = now
        rate = (size - self._first) / (now - self._began)
        left = (self._total - size) / rate if rate else 0.0
        self._update(
            f"{size >> 20:,} of {self._total >> 20:,} MiB, {rate / 2**20:.1f} MiB/s,"
            f" {left // 60:.0f} min {left % 60:.0f} s left"
        )


def _failure(attempt: Callable[[], None]) -> str:
    """Return what an attempt failed of that may be otherwise at the next one, "" when it succeeded."""
    try:
        attempt()
    except _PassingError as error:
        return str(error)
    return ""


def _rest(source: Source, arrived: Arrived) -> dict[str, str]:
    """Return the headers that ask for what is missing."""
    if not arrived.size:
        return {}
    headers = {"Range": f"bytes={arrived.size}-"}
    edition = arrived.edition
    # Another server names versions in its own way; there the digest alone says whether the pieces fit.
    if edition is not None and edition.url == str(source) and edition.validator:
        headers["If-Range"] = edition.validator
    return headers


def _begin(source: Source, response: requests.Response, arrived: Arrived) -> None:
    """Check what an answer begins with, and make what has arrived fit it."""
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        arrived.restart()
        raise _PassingError("the server has nothing after what is here")
    _check_status(source, response)
    etag = response.headers.get("ETag", "")
    strong = "" if etag.startswith("W/") else etag
    edition = Edition(str(source), strong or response.headers.get("Last-Modified", ""))
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        fits = match and int(match["first"]) == arrived.size and match["size"] in ("*", str(source.size))
        if not fits or _has_changed(arrived.edition, edition):
            arrived.restart()
            raise _PassingError("the server sent another piece than was asked for")
    else:  # all of it: the server knows no ranges, or the file has changed
        _check_size(source, response)
        arrived.restart()
    arrived.edition = edition


def _has_changed(before: Edition | None, now: Edition) -> bool:
    """Tell whether a server that was to send the rest of an edition names another one."""
    if before is None or before.url != now.url or not before.validator:
        return False
    return now.validator not in ("", before.validator)


def _check_status(source: Source, response: requests.Response) -> None:
    code = response.status_code
    if code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    said = f"{code} {responses.get(code, '')}".rstrip()
    if code in _PASSING or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _PassingError(f"the server says {said}")
    raise EnvcheckError(f"{source} cannot be had: the server says {said}", _OTHER_SERVER)


def _check_size(source: Source, response: requests.Response) -> None:
    """Refuse an answer that announces another size: a login page of the network, another file."""
    said = response.headers.get("Content-Length", "")
    is_packed = response.headers.get("Content-Encoding", "identity") != "identity"
    # "0" is how some servers answer HEAD.
    if said.isdecimal() and not is_packed and said not in ("0", str(source.size)):
        raise EnvcheckError(
            f"{source} is not the file: the server announces {said:.20} bytes, expected {source.size}",
            f"Does the network want a login? {_OTHER_SERVER}",
        )


def _clause(error: requests.RequestException) -> str:
    silent = any(isinstance(one, urllib3.exceptions.ReadTimeoutError) for one in error.args)
    if silent or isinstance(error, requests.exceptions.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "there is no connection to the server"
    return "the connection broke"
