"""How a stage computed: what of this process decides on the last bit, and the memory that it took.

The same weights come out of the same seed only where all of this is the same; the record keeps it, so that a
repetition is not called equal, or different, for the wrong reason.
"""

from __future__ import annotations

import os
import platform
import re
import resource
from pathlib import Path
from typing import Any

import torch

from pose.machines.devices import Devices

# Read from torch.__config__.show(), which every torch has: "CPU capability usage: AVX2".
CAPABILITY = re.compile(r"CPU capability usage: (\S+)")
# Read from: model name      : AMD EPYC 7B13
PROCESSOR = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


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
        "threads": torch.get_num_threads(),
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
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return _found(PROCESSOR, text) or platform.machine()


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1].strip() if found else None
