"""A file server that can be made to misbehave, and remembers what it was asked."""

from __future__ import annotations

import gzip
import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What happens to one GET in place of a good answer."""

    status: int = 0  # this and an empty body
    location: str = ""
    cut: int | None = None  # close the connection after so many bytes of the body
    lengthless: bool = False  # announce no length: the body ends with the connection
    stall: bool = False  # say nothing at all
    packed: bool = False
    range: str = ""  # as Content-Range, whatever was asked
    deaf: bool = False  # take any If-Range as kept
    extra: bytes = b""  # after the body, without a length


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0  # bytes of a body


@dataclass
class Site:
    """What a server has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # path -> ETag
    date: str = ""  # Last-Modified of everything
    ranges: bool = True
    head: int = 0  # a status for HEAD in place of an answer
    faults: list[Fault] = field(default_factory=list)  # for the next GETs, one each
    always: Fault | None = None  # for every GET
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)  # ends a stall

    def gets(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET"]


class Server:
    """Serves a site on a port of its own until it is closed."""

    def __init__(self, site: Site, context: ssl.SSLContext | None = None) -> None:
        self.site = site
        handler = type("Handler", (_Handler,), {"site": site})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.site.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_args):
        """Say nothing: clients that go in the middle are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_args):
        pass

    def do_HEAD(self):
        self.site.asked.append(Asked("HEAD", self.path, dict(self.headers)))
        if self.site.head:
            self.send_response(self.site.head)
        elif self.path not in self.site.files:
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.site.files[self.path])))
        self.end_headers()

    def do_GET(self):
        asked = Asked("GET", self.path, dict(self.headers))
        self.site.asked.append(asked)
        fault = self.site.faults.pop(0) if self.site.faults else self.site.always or Fault()
        if fault.stall:
            self.site.released.wait(20)
            self.close_connection = True
            return
        if fault.status or self.path not in self.site.files:
            self.send_response(fault.status or 404)
            if fault.location:
                self.send_header("Location", fault.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.site.files[self.path]
        first = self._first(fault, len(body))
        piece = body[first or 0 :]
        self.send_response(200 if first is None else 206)
        if first is not None:
            self.send_header("Content-Range", fault.range or f"bytes {first}-{len(body) - 1}/{len(body)}")
        if self.path in self.site.tags:
            self.send_header("ETag", self.site.tags[self.path])
        if self.site.date:
            self.send_header("Last-Modified", self.site.date)
        if fault.packed:
            piece = gzip.compress(piece)
            self.send_header("Content-Encoding", "gzip")
        if not (fault.lengthless or fault.extra):
            self.send_header("Content-Length", str(len(piece)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        piece = piece[: fault.cut] if fault.cut is not None else piece + fault.extra
        self.wfile.write(piece)
        asked.sent = len(piece)
        self.close_connection = self.close_connection or fault.cut is not None or bool(fault.extra)

    def _first(self, fault: Fault, size: int) -> int | None:
        """Where the piece that is sent begins; None for an answer that is no piece."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match or not self.site.ranges:
            return None
        condition = self.headers.get("If-Range", "")
        now = (self.site.tags.get(self.path, ""), self.site.date)
        if condition and condition not in now and not fault.deaf:
            return None
        return int(match[1]) if int(match[1]) < size else None
