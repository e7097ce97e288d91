"""The questions to NVML, NVIDIA's management library; only this file and `nvml_state.py` import pynvml.

It runs in a process of its own (`library.py` starts it), because a call into the driver can hang or crash.
Each question and each answer leaves at once as one line of JSON on stdout, so that what was known before
a hang is kept and the question that hung has a name:

    {"asking": "gpus[0].memory_mib"}
    {"fact": "gpus[0].memory_mib", "is": 15360}
    {"fact": "gpus[0].memory_mib", "unknown": "NOT_SUPPORTED"}

A question that fails makes its own fact unknown and no other. What the answers mean is not known here.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml

from envcheck.host.nvml_state import QUESTIONS

# By number, because nvidia-ml-py gains names with its releases and the numbers are fixed by the library.
# Source: nvml.h, nvmlBrandType_t, as nvidia-ml-py 13.615 has it. 0 is "unknown".
BRANDS = {
    1: "quadro",
    2: "tesla",
    3: "nvs",
    4: "grid",
    5: "geforce",
    6: "titan",
    7: "nvidia vapps",
    8: "nvidia vpc",
    9: "nvidia vcs",
    10: "nvidia vws",
    11: "nvidia cloud gaming",
    12: "quadro rtx",
    13: "nvidia rtx",
    14: "nvidia",
    15: "geforce rtx",
    16: "titan rtx",
    17: "nvidia dla",
    18: "nvidia vgamedev",
    19: "nvidia npu",
}

LIBRARY_NOT_FOUND = "LIBRARY_NOT_FOUND"

_CODES = {
    value: name.removeprefix("NVML_ERROR_")
    for name, value in vars(pynvml).items()
    if name.startswith("NVML_ERROR_")
}
_LIBRARY_FILE = re.compile(r"/libnvidia-ml\.so\.(\d+(?:\.\d+)+)$", re.MULTILINE)


def main(only: int | None = None) -> None:
    """Ask everything, from the library's own version down to every MIG instance; or `only` one GPU."""
    # Ctrl-C must end a process that hangs inside the library, where Python's own handler never gets a turn.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    start = time.monotonic()
    if not _ask("nvml", _opened):
        # The library is silent before it is initialised, but its file carries the version in its name.
        if version := _version_of_library_file():
            _say(fact="driver.version", **{"is": version})
        return
    if only is not None:
        _ask_gpu(f"gpus[{only}]", only)
        return
    _ask("driver.version", pynvml.nvmlSystemGetDriverVersion)
    _ask("driver.cuda", _cuda_version, pynvml.nvmlSystemGetCudaDriverVersion)
    _ask("driver.libcuda", _cuda_version, pynvml.nvmlSystemGetCudaDriverVersion_v2)
    for index in range(_ask("gpus", pynvml.nvmlDeviceGetCount) or 0):
        _ask_gpu(f"gpus[{index}]", index)
    _say(fact="driver.nvml_seconds", **{"is": round(time.monotonic() - start, 3)})


def _ask_gpu(path: str, index: int) -> None:
    handle = _ask(path, pynvml.nvmlDeviceGetHandleByIndex, index, shown=bool)
    if handle is None:
        return
    _ask(f"{path}.uuid", pynvml.nvmlDeviceGetUUID, handle)
    _ask(f"{path}.name", pynvml.nvmlDeviceGetName, handle)
    _ask(f"{path}.brand", _brand, handle)
    _ask(f"{path}.compute_capability", _compute_capability, handle)
    _ask(f"{path}.memory_mib", _memory_mib, handle)
    _ask(f"{path}.pci_address", _pci_address, handle)
    if _ask(f"{path}.mig", _mig_enabled, handle):
        _ask_instances(f"{path}.mig.instances", handle)
    for fact, question in QUESTIONS.items():
        _ask(f"{path}.{fact}", question, handle)


def _ask_instances(path: str, handle: object) -> None:
    instances = _ask(path, _mig_instances, handle, shown=len) or ()
    for number, instance in enumerate(instances):
        _ask(f"{path}[{number}].uuid", pynvml.nvmlDeviceGetUUID, instance)
        _ask(f"{path}[{number}].name", pynvml.nvmlDeviceGetName, instance)
        _ask(f"{path}[{number}].memory_mib", _memory_mib, instance)


def _opened() -> bool:
    pynvml.nvmlInit()
    return True


def _version_of_library_file() -> str | None:
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    loaded = _LIBRARY_FILE.search(maps)
    return loaded[1] if loaded else None


def _cuda_version(question: Callable[[], int]) -> str:
    """Return a CUDA version as people write it: 12040 is 12.4.

    The first question answers for the driver, though some libraries look into libcuda for it too; the second
    always asks the libcuda that programs would load, and fails where there is none.
    """
    number = question()
    return f"{number // 1000}.{number % 1000 // 10}"


def _brand(handle: object) -> str:
    number = pynvml.nvmlDeviceGetBrand(handle)
    if number not in BRANDS:
        raise LookupError(f"NO_NAME: brand {number}")
    return BRANDS[number]


def _compute_capability(handle: object) -> str:
    return "{}.{}".format(*pynvml.nvmlDeviceGetCudaComputeCapability(handle))


def _memory_mib(handle: object) -> int:
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20


def _pci_address(handle: object) -> str:
    """Return the address as sysfs writes it: NVML's domain has eight digits, the kernel's four or more."""
    domain, _, rest = pynvml.nvmlDeviceGetPciInfo(handle).busId.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


def _mig_enabled(handle: object) -> bool | None:
    try:
        current, _pending = pynvml.nvmlDeviceGetMigMode(handle)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return None  # this GPU has no MIG, or this library is older than MIG
    return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)


def _mig_instances(handle: object) -> list[object]:
    places = range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    return [found for place in places if (found := _mig_instance(handle, place)) is not None]


def _mig_instance(handle: object, place: int) -> object | None:
    try:
        instance: object = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
    except pynvml.NVMLError_NotFound:
        return None  # this place is empty; later ones need not be
    return instance


def _ask(
    path: str,
    question: Callable[..., Any],
    *arguments: object,
    shown: Callable[[Any], object] | None = None,
) -> Any:  # noqa: ANN401 - pynvml has no types
    """Return the answer, or None; say either. `shown` makes a line of an answer that is no JSON value."""
    _say(asking=path)
    try:
        answer = question(*arguments)
    except pynvml.NVMLError as error:
        _say(fact=path, unknown=_reason(error))
        return None
    except AttributeError:
        _say(fact=path, unknown="FUNCTION_NOT_FOUND")  # nvidia-ml-py is older than the question
        return None
    except UnicodeDecodeError as error:
        # pynvml decodes strictly; a name with a broken byte is still a name.
        answer = error.object.decode("utf-8", "replace")
    except (LookupError, ValueError) as error:
        _say(fact=path, unknown=str(error))
        return None
    _say(fact=path, **{"is": shown(answer) if shown else answer})
    return answer


def _reason(error: Any) -> str:  # noqa: ANN401 - pynvml has no types
    code = str(_CODES.get(error.value, f"ERROR_{error.value}"))
    loader = str(error.__context__ or "")
    if code == LIBRARY_NOT_FOUND and loader and "No such file" not in loader:
        # There is a library, but it could not be loaded: broken, or made for another machine.
        return f"LIBRARY_NOT_LOADED: {loader}"
    return code


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
