"""In which order CUDA counts the GPUs, asked of libcuda itself: the only file that loads it.

CUDA's default order is "fastest first" by a measure of its own, so that nobody else can tell it. It is asked
in a process of its own, because a call into the driver can hang or crash. The child writes lines of JSON,
each question before it is asked and then the answer; its last line counts:

    {"asking": "cuInit"}
    {"order": ["GPU-...", "GPU-..."]}
    {"unknown": "cuInit says CUDA_ERROR_NO_DEVICE"}

What the order is good for is not known here.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import uuid
from dataclasses import dataclass
from typing import Any

from envcheck.processes import Outcome, capture

# As long as NVML gets: with persistence mode off each GPU is initialised anew for us, too.
TIME_LIMIT_S = 60.0

# The child imports from where its parent does; -I keeps everything else away, as for NVML.
_START = "import sys; sys.path[:] = sys.argv[1:]; from envcheck.host.cuda_order import main; main()"


@dataclass(frozen=True, slots=True)
class CudaOrder:
    """The UUIDs of the GPUs as CUDA counts them; None where it did not say, and then why."""

    uuids: tuple[str, ...] | None
    unknown: str = ""


def read_cuda_order(*, limit_s: float = TIME_LIMIT_S) -> CudaOrder:
    """Return the order of every GPU; the process that asks for it lives `limit_s` at most.

    CUDA_DEVICE_ORDER counts as the user has it; CUDA_VISIBLE_DEVICES would hide what its own numbers count.
    """
    environ = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    answer = capture([sys.executable, "-I", "-c", _START, *sys.path], seconds=limit_s, env=environ)
    last = _last_line(answer.stdout)
    if "order" in last:
        return CudaOrder(tuple(last["order"]))
    return CudaOrder(None, last.get("unknown") or _why_it_ended(answer, last.get("asking"), limit_s))


def _last_line(stdout: str) -> dict[str, Any]:
    """Return the last line that is a JSON object; the library may print what it likes around it."""
    for line in reversed(stdout.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}


def _why_it_ended(answer: Outcome, asking: str | None, limit_s: float) -> str:
    if asking is None or (answer.code is not None and answer.code >= 0):
        return f"libcuda was not asked: {answer.stderr.strip().rpartition(chr(10))[2]:.200}"
    if answer.code is None:
        return f"{asking} gave no answer within {limit_s:g} s"
    return f"{asking} crashed with signal {-answer.code}"


def main() -> None:
    """Ask libcuda for every GPU and write the answer: what the child does."""
    # Ctrl-C must end a process that hangs inside the library, where Python's own handler never gets a turn.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _say(order=_order())
    except (OSError, AttributeError, RuntimeError) as error:  # no library, no such function, no answer
        _say(unknown=str(error))


def _order() -> list[str]:
    cuda = ctypes.CDLL("libcuda.so.1")
    # The question has a second version since CUDA 11.4; the first may go one day.
    get_uuid = "cuDeviceGetUuid_v2" if hasattr(cuda, "cuDeviceGetUuid_v2") else "cuDeviceGetUuid"
    count, device, octets = ctypes.c_int(), ctypes.c_int(), (ctypes.c_ubyte * 16)()
    _ask(cuda, "cuInit", 0)
    _ask(cuda, "cuDeviceGetCount", ctypes.byref(count))
    order = []
    for index in range(count.value):
        _ask(cuda, "cuDeviceGet", ctypes.byref(device), index)
        _ask(cuda, get_uuid, ctypes.byref(octets), device)
        order.append(f"GPU-{uuid.UUID(bytes=bytes(octets))}")
    return order


def _ask(cuda: ctypes.CDLL, question: str, *arguments: object) -> None:
    """Call one function of the driver; raises `RuntimeError` when it answers with an error."""
    _say(asking=question)
    code = getattr(cuda, question)(*arguments)
    if code:
        name = ctypes.c_char_p()
        cuda.cuGetErrorName(code, ctypes.byref(name))
        raise RuntimeError(f"{question} says {name.value.decode() if name.value else code}")


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
