"""Where a file is, and what is known of it before it is here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from envcheck.errors import UsageError

_DIGITS = 64  # of a whole SHA-256


@dataclass(frozen=True, slots=True)
class Source:
    """A file on a server, and what is known of it."""

    url: str
    size: int  # bytes
    sha256: str  # in hexadecimal, or its beginning

    def __str__(self) -> str:
        """Its address as people may see it."""
        return shown(self.url)

    @property
    def server(self) -> str:
        """Who is asked."""
        return urlsplit(self.url).hostname or ""

    @property
    def expected(self) -> str:
        """What is known of the digest, in words."""
        return self.sha256 if len(self.sha256) == _DIGITS else f"one that begins with {self.sha256}"


def shown(url: str) -> str:
    """Return an address without the name and password that it may hold."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_address(url: str) -> str:
    """Return an address that files can lie below, without a slash at its end. Raises `UsageError`."""
    hint = "For example --mirror https://mirror.example.org/coco"
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises for what is no number
    except ValueError:  # a port that is no number, or half an IPv6 address
        is_one = False
    if not is_one or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise UsageError(f"{url!r:.80} is no address of a folder, with http:// or https://", hint)
    return url.rstrip("/")
