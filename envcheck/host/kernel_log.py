"""What NVIDIA's driver told the kernel's log since the machine was started: Xid lines, and its complaints.

The log is the kernel's own buffer, else a file of syslog's, else what the journal has: the first that goes
back to the machine's start. A buffer goes round and files are rotated: then what is found is told, and that
nothing is found is no fact. Whatever is large is read from its end, as far as a limit; who may not read any
of them is told why.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from envcheck.host.facts import Xid
from envcheck.host.files import is_folder, text
from envcheck.processes import capture

_BUFFER = "dev/kmsg"
_OF_THE_START = "var/log/dmesg"  # written once, when the machine has come up
_FILES = ("var/log/kern.log", "var/log/messages", _OF_THE_START)
_JOURNALS = ("var/log/journal", "run/log/journal")

_MAX_BYTES = 4 << 20  # the kernel's buffer has 128 KiB to 1 MiB
_RECORD_BYTES = 8192  # /dev/kmsg gives one record to a read that has room for it, and fails without
_JOURNAL_S = 2.0
_CLOCK_S = 60  # a clock that is set after the start
_MAX_COMPLAINTS = 20
_LINE_CHARS = 300

# NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)[^)]{0,40}\): ([0-9]{1,5})\b(.*)")
# Lines of a driver that does not come up; that one is loaded, or taints the kernel, is no complaint.
_COMPLAINT = re.compile(
    r"NVRM: .*(?:fail|mismatch|requires use|not supported|invalid|already bound|No NVIDIA|not called)"
    r"|nvidia\S*: .*unsigned|(?:Loading of|unsigned) .*module.*(?:rejected|restricted)",
    re.IGNORECASE,
)
_STARTED = "Linux version "  # the first line of every start
# How lines tell when they were written: syslog in words, or as ISO has it; the buffer in microseconds.
_WRITTEN = re.compile(r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}")
_RECORDED = re.compile(r"[0-9]+,[0-9]+,([0-9]+),")


def read_kernel_log(
    root: Path = Path("/"),
) -> tuple[tuple[Xid, ...] | None, tuple[str, ...] | None, str]:
    """Return the Xids, one for each code and GPU, the complaints, and why there may be more."""
    closed: list[str] = []
    partial: list[_Told] = []
    for name, log in _logs(root, closed):
        told = _read(name, log)
        if not told.gap:
            return told.xids, told.complaints, ""
        partial.append(told)
    if not partial:
        return None, None, "; ".join(closed) or "there is no log of the kernel's here"
    xids = next((told.xids for told in partial if told.xids), None)
    complaints = next((told.complaints for told in partial if told.complaints), None)
    return xids, complaints, partial[0].gap


class _Told(NamedTuple):
    xids: tuple[Xid, ...]
    complaints: tuple[str, ...]
    gap: str  # why that is not all since the machine's start, "" where it is


def _read(name: str, log: bytes) -> _Told:
    since_start: list[str] = []
    is_whole = False
    for line in _lines(log):
        if _STARTED in line:
            since_start.clear()
            is_whole = True
        elif "NVRM" in line or "nvidia" in line or "module" in line:
            since_start.append(line)
    gap = "" if is_whole else f"the log begins {_beginning(log)}"
    if name == _OF_THE_START:
        gap = "the log ends with the machine's start"
    return _Told(_xids(since_start), _complaints(since_start), gap and f"/{name}: {gap}")


def _beginning(log: bytes) -> str:
    """Return when a log begins that does not go back to the start."""
    # Of its first line the head may be missing.
    for line in log[: 2 * _RECORD_BYTES].decode("utf-8", "replace").split("\n"):
        if said := _RECORDED.match(line):
            return f"{int(said[1]) // 10**6} s after the machine's start"
        if said := _WRITTEN.match(line):
            return f"at {said[0]}, after the machine's start"
    return "after the machine's start"


def _logs(root: Path, closed: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each log that can be read; `closed` gets why others cannot be."""
    for name in (_BUFFER, *_FILES):
        try:
            log = _end_of(root / name, _started(root))
        except FileNotFoundError:
            continue
        except OSError as error:
            closed.append(f"/{name}: {(error.strerror or str(error)).lower()}")
            continue
        yield name, log
    if (said := _journal(root)) is not None:
        yield "var/log/journal", said.encode()


def _started(root: Path) -> float:
    """Return when the machine was started, in seconds of the clock; 0 where that is not to be seen."""
    up = re.match(r"[0-9]{1,12}", text(root / "proc/uptime") or "")
    return time.time() - int(up[0]) - _CLOCK_S if up else 0


def _end_of(path: Path, started: float) -> bytes:
    """Return the end of a log, without ever waiting for one that grows; one of before the start is none."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(file)
        if stat.S_ISREG(state.st_mode):
            if state.st_mtime < started:
                raise FileNotFoundError(errno.ENOENT, "is of before the machine's start")
            os.lseek(file, max(0, state.st_size - _MAX_BYTES), os.SEEK_SET)
        elif not stat.S_ISCHR(state.st_mode):
            raise OSError(errno.EINVAL, "is no log")
        return b"".join(_pieces(file))
    finally:
        os.close(file)


def _pieces(file: int) -> Iterator[bytes]:
    left = _MAX_BYTES
    while left > 0:
        try:
            piece = os.read(file, _RECORD_BYTES)
        except BlockingIOError:
            return
        except BrokenPipeError:
            continue  # the buffer went round while it was read; the next read goes on with what is left
        if not piece:
            return
        left -= len(piece)
        yield piece


def _journal(root: Path) -> str | None:
    """Return what the journal has of the kernel, where it is kept and NVIDIA's driver is there to speak."""
    folder = next((root / name for name in _JOURNALS if is_folder(root / name)), None)
    program = shutil.which("journalctl")
    if folder is None or program is None or not is_folder(root / "proc/driver/nvidia"):
        return None
    argv = [program, f"--directory={folder}", "--dmesg", "--boot", "--no-pager", "--output=cat", "--quiet"]
    answer = capture(argv, seconds=_JOURNAL_S)
    return answer.stdout[-_MAX_BYTES:] if answer.code == 0 and answer.stdout else None


def _lines(log: bytes) -> Iterator[str]:
    return (line.decode("utf-8", "replace") for line in log.split(b"\n"))


def _xids(lines: Iterable[str]) -> tuple[Xid, ...]:
    """Return one fact for each code and GPU, in the order of their first lines."""
    found: dict[tuple[int, str], Xid] = {}
    for line in lines:
        if said := _XID.search(line):
            code, address = int(said[2]), _function_0(said[1])
            before = found.get((code, address))
            words = f"Xid {code}{said[3]}".strip()[:_LINE_CHARS]
            found[code, address] = Xid(code, address, before.count + 1 if before else 1, words)
    return tuple(found.values())


def _function_0(address: str) -> str:
    """Return a GPU's address as the bus writes it; the log leaves its function out."""
    return address.lower() if "." in address else f"{address.lower()}.0"


def _complaints(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the last complaints, each once, without time and host name, which stand before them."""
    said: dict[str, None] = {}
    for line in lines:
        found = _COMPLAINT.search(line)
        if found and not _XID.search(line):
            words = line[found.start() :].strip()[:_LINE_CHARS]
            said.pop(words, None)  # it comes last now
            said[words] = None
    return tuple(said)[-_MAX_COMPLAINTS:]
