"""A stand-in for a container engine: as much HTTP on a Unix socket as the Docker SDK asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread
from typing import Any

INFO = {"Runtimes": {"runc": {}}, "SecurityOptions": ["name=seccomp"]}
DOCKER = {"Version": "27.3.1", "ApiVersion": "1.47", "Components": [{"Name": "Engine", "Version": "27.3.1"}]}
PODMAN = {
    "Version": "4.3.1",
    "ApiVersion": "1.41",
    "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}],
}
ABSENT = (404, {"message": "No such thing"})


class StandIn:
    """Answers `"GET /info"` and the like: with a document, or with a status and a document."""

    def __init__(self, socket: Path, answers: Mapping[str, Any]) -> None:
        self.asked: list[str] = []
        self.told: dict[str, Any] = {}  # the last document of each question
        socket.parent.mkdir(parents=True, exist_ok=True)
        self._server = ThreadingUnixStreamServer(str(socket), self._handler(answers))
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, answers: Mapping[str, Any]):
        asked, told = self.asked, self.told

        class Handler(BaseHTTPRequestHandler):
            def _answer(self):
                document = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = re.sub(r"^/v\d\.\d+/", "/", self.path.partition("?")[0])
                asked.append(f"{self.command} {path}")
                if document and self.headers.get("Content-Type") == "application/json":
                    told[asked[-1]] = json.loads(document)
                said = answers.get(asked[-1], ABSENT)
                status, document = said if isinstance(said, tuple) else (200, said)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's own names

            def address_string(self):
                return "unix"

            def log_message(self, *_words):
                pass

        return Handler
