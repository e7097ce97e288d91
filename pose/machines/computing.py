"""How a stage computed: what of this process decides on the last bit, and the memory that it took.

The same weights come out of the same seed only where all of this is the same; the record keeps it, so that a
repetition is not called equal, or different, for the wrong reason.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pose.machines.devices import Devices

# Read from torch.__config__.show(), which every torch has: "CPU capability usage: AVX2".
CAPABILITY = re.compile(r"CPU capability usage: (\S+)")
# Read from: model name      : AMD EPYC 7B13
PROCESSOR = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
# The same of what tells two generations of one name apart: of x86, of ARM.
GENERATION = re.compile(
    r"^((?:cpu family|model|stepping|flags|CPU implementer|CPU architecture|CPU variant|CPU part|Features)"
    r"\s*:.*)$",
    re.MULTILINE,
)
# Variables that choose kernels, or in which order sums are taken. Not the numbers of threads of OMP and MKL:
# `threads` says what they came to, with or without them.
DECIDE = re.compile(
    r"(?:OMP|MKL|OPENBLAS|KMP|ONEDNN|DNNL|TORCH)_\w+"
    r"|ATEN_CPU_CAPABILITY|NPY_DISABLE_CPU_FEATURES|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG|PYTHONHASHSEED"
)
TOLD_OTHERWISE = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# What names a place or opens a door decides nothing, and is nobody's business.
PRIVATE = re.compile(r".*(HOME|DIR|PATH|FILE|TOOL|LIBRARIES|TOKEN|KEY|SECRET|PASSWORD|PASS|URL|HOST)(_.*)?")
PLAIN = re.compile(r"[\w .,:;=+*{}()-]{0,200}", re.ASCII)
SET = "set"  # of a value that could be a path or worse


def computing(used: Devices) -> dict[str, Any]:
    """What decides, beside seed, data and code, on the numbers that come out."""
    return {
        "device": "cuda" if used.gpus else "cpu",
        "devices": [torch.cuda.get_device_name(index) for index in used.gpus],
        "world_size": used.team.size,
        "batches_together": used.together,
        "workers": used.workers,
        "processor": processor(),
        "instructions": _found(CAPABILITY, torch.__config__.show()),
        "processor_generation": generation(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "mkldnn": getattr(torch.backends.mkldnn, "enabled", None),  # not every torch says so
        "matmul_precision": _matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()),
        "variables": deciding(os.environ),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_convolution": torch.backends.cudnn.allow_tf32,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def peak_memory(used: Devices) -> dict[str, Any]:
    """The most memory so far, in MiB: of this process, of its largest worker that has ended, on each GPU."""
    own, children = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "host_mib": own >> 10,
        "largest_worker_mib": children >> 10,
        "gpu_mib": [torch.cuda.max_memory_allocated(index) >> 20 for index in used.gpus],
    }


def processor() -> str:
    """The CPU's name, or its kind where the system does not name it."""
    return _found(PROCESSOR, _cpuinfo()) or platform.machine()


def generation() -> str | None:
    """A digest of the CPU's family, model, stepping and instructions; None where the system names none."""
    first = GENERATION.findall(_cpuinfo().strip().partition("\n\n")[0])
    return hashlib.sha256("\n".join(first).encode()).hexdigest()[:16] if first else None


def _cpuinfo() -> str:
    """What Linux says of each CPU; "" where it does not."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def deciding(environ: Mapping[str, str]) -> dict[str, str]:
    """Those variables that decide on numbers; never a path, never a secret."""
    return {
        name: value if PLAIN.fullmatch(value) else SET
        for name, value in sorted(environ.items())
        if DECIDE.fullmatch(name) and name not in TOLD_OTHERWISE and not PRIVATE.fullmatch(name)
    }


def _matmul_precision() -> str | None:
    asked = getattr(torch, "get_float32_matmul_precision", None)
    return str(asked()) if asked else None


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1].strip() if found else None
