"""A question on a Unix socket: answers, refusals, and what is no HTTP at all."""

from __future__ import annotations

import socket
import sys
from threading import Thread

import pytest

from envcheck.engine.addresses import Address
from envcheck.engine.question import ask
from envcheck.errors import EnvcheckError
from tests.engine.stand_in import DOCKER, StandIn


@pytest.fixture
def path(sockets):
    return sockets / "engine.sock"


def says(path, data: bytes):
    """Let a socket say `data` to the first who connects, whatever that asks, and hang up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve():
        with listener, listener.accept()[0] as peer:
            peer.recv(4096)
            peer.sendall(data)

    Thread(target=serve, daemon=True).start()


def test_the_answer_is_the_engines_document_and_the_sdk_stays_away(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    engine = StandIn(path, {"GET /version": DOCKER, "GET /info": {"Runtimes": {}}})
    assert ask(Address(f"unix://{path}"), "version", seconds=5) == DOCKER
    assert ask(Address(f"unix://{path}"), "info", seconds=5) == {"Runtimes": {}}
    assert engine.asked == ["GET /version", "GET /info"]
    engine.close()


def test_a_refusal_is_told_with_its_status_and_words(path):
    engine = StandIn(path, {"GET /info": (500, {"message": "no disk"})})
    with pytest.raises(EnvcheckError, match=r"^500 .*no disk"):
        ask(Address(f"unix://{path}"), "info", seconds=5)
    engine.close()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP from there"),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "no answer to GET /info: .1."),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "no answer to GET /info: <html>"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff", "no answer to GET /info"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "is cut off"),
        (b"", "no HTTP from there"),
    ],
)
def test_what_is_no_answer_is_an_error_of_ours(path, data, said):
    says(path, data)
    with pytest.raises(EnvcheckError, match=said):
        ask(Address(f"unix://{path}"), "info", seconds=5)


def test_nobody_behind_the_socket_is_an_error_of_the_system(path):
    with pytest.raises(FileNotFoundError):
        ask(Address(f"unix://{path}"), "info", seconds=5)
