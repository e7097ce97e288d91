"""What ranks on several machines need of this one: a name that leads somewhere, and its interfaces.

Every function takes the root of the file system, so that a folder can stand in for a machine.
"""

from __future__ import annotations

import socket
from pathlib import Path

from envcheck.host.files import names, text
from envcheck.host.pending import Pending

# A name server on the same network answers within milliseconds; one that is away, after seconds or never.
_NAME_SERVER_S = 0.5


def host_name_resolves(root: Path, name: str | None = None) -> tuple[bool | None, str]:
    """Return whether the machine's own name leads to an address, or None and why that is not known."""
    name = name or socket.gethostname()
    lines = (line.partition("#")[0].split() for line in (text(root / "etc/hosts") or "").splitlines())
    if any(name in line[1:] for line in lines):
        return True, ""
    if not (root / "proc/driver/nvidia").is_dir():
        return None, "no name server is asked where there are no GPUs to join"
    return Pending(lambda: _asked(name), lambda why: (None, why), seconds=_NAME_SERVER_S).result()


def interfaces(root: Path) -> tuple[str, ...] | None:
    """Return the names of the network's interfaces."""
    found = names(root / "sys/class/net")
    return None if found is None else tuple(found)


def infiniband(root: Path) -> tuple[str, ...] | None:
    """Return the devices of InfiniBand, and of Ethernet that does the same (RoCE)."""
    if not (root / "sys/class").is_dir():
        return None
    return tuple(names(root / "sys/class/infiniband") or ())


def _asked(name: str) -> tuple[bool | None, str]:
    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror as error:
        # EAI_AGAIN is a name server that does not answer.
        return (None, f"{error.strerror}") if error.errno == socket.EAI_AGAIN else (False, "")
    except UnicodeError:
        return False, ""
    return True, ""
