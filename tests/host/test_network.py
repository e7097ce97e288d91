"""The machine's own name and its interfaces; no name server is asked for real."""

from __future__ import annotations

import socket
import threading

import pytest

from envcheck.host import network

HOSTS = "127.0.0.1 localhost\n10.0.0.7 box.example box  # mine\n# 10.0.0.8 other\nother 10.0.0.9\n"


@pytest.fixture
def server(monkeypatch):
    """Return a function that sets what the name server says."""

    def server(answer):
        def getaddrinfo(name, _port):
            assert name == "other"
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)

    server(AssertionError("nobody is asked"))
    return server


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", ["box", "box.example", "localhost"])
def test_a_name_of_the_hosts_file_resolves_and_nobody_is_asked(lay_out, name):
    assert network.host_name_resolves(lay_out({"etc/hosts": HOSTS}), name) == (True, "")


@pytest.mark.usefixtures("server")
def test_without_nvidias_driver_nobody_is_asked(lay_out):
    resolves, why = network.host_name_resolves(lay_out({"etc/hosts": HOSTS}), "other")
    assert resolves is None
    assert "no name server is asked" in why


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([("address",)], (True, "")),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), (False, "")),
        (UnicodeError("label too long"), (False, "")),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            (None, "Temporary failure in name resolution"),
        ),
    ],
)
def test_the_name_server_has_the_last_word(lay_out, server, answer, expected):
    server(answer)
    root = lay_out({"etc/hosts": HOSTS, "proc/driver/nvidia": None})
    assert network.host_name_resolves(root, "other") == expected


def test_a_name_server_that_is_silent_is_not_waited_for(lay_out, monkeypatch):
    monkeypatch.setattr(network, "_NAME_SERVER_S", 0.01)
    released = threading.Event()
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_: released.wait(30))
    resolves, why = network.host_name_resolves(lay_out({"proc/driver/nvidia": None}), "other")
    released.set()
    assert (resolves, why) == (None, "HANG: no answer within 0.01 s")


def test_interfaces_and_infiniband_are_what_the_kernel_lists(lay_out):
    root = lay_out({"sys/class/net/lo/mtu": "", "sys/class/net/eth0/mtu": ""})
    assert network.interfaces(root) == ("eth0", "lo")
    assert network.infiniband(root) == ()
    assert network.infiniband(lay_out({"sys/class/infiniband/mlx5_0/ports": None})) == ("mlx5_0",)


def test_without_sys_nobody_knows(lay_out):
    root = lay_out({"etc": None})
    assert (network.interfaces(root), network.infiniband(root)) == (None, None)
