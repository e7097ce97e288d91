"""What programs that start here find around them: variables, limits, libraries, tools, network.

Of the environment only the names below are read, for anything else can be a secret; of a proxy's address,
which may hold a password, only that it is set. Every function takes the root of the file system, so that a
folder can stand in for a machine.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from envcheck.host import network, toolchain
from envcheck.host.facts import Surroundings
from envcheck.host.files import names, plain
from envcheck.host.loader import Loader, read_loader

_READ = frozenset(
    {
        "CC",
        "CUDA_DEVICE_MAX_CONNECTIONS",
        "CUDA_DEVICE_ORDER",
        "CUDA_HOME",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_MODULE_LOADING",
        "CUDA_PATH",
        "CUDA_VISIBLE_DEVICES",
        "GLOO_SOCKET_IFNAME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "MASTER_ADDR",
        "MASTER_PORT",
        "MKL_NUM_THREADS",
        "NVIDIA_DISABLE_REQUIRE",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "PYTHONHOME",
        "PYTHONNOUSERSITE",
        "PYTHONPATH",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TORCH_CUDA_ARCH_LIST",
    }
)
_READ_PREFIX = "NCCL_"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_VALUE_CHARS = 4096

# Libraries that torch's wheels bring, as a toolkit or a module of a cluster brings them, too.
_OF_WHEELS = re.compile(
    r"lib(?:cudart|nvJitLink|cublas|cublasLt|cusparse|cusolver|cufft|curand|cudnn|nccl|nvrtc|cupti)\.so\.\d+"
)


def read_surroundings(
    root: Path = Path("/"), environ: Mapping[str, str] = os.environ
) -> tuple[Surroundings, dict[str, str]]:
    """Return what is around, and why the missing facts are missing."""
    loader = read_loader(root, environ)
    resolves, no_answer = network.host_name_resolves(root)
    surroundings = Surroundings(
        variables=_variables(environ),
        memlock_kib=_limit(resource.RLIMIT_MEMLOCK, unit=1024),
        open_files=_limit(resource.RLIMIT_NOFILE),
        shadowing=_shadowing(loader),
        libgl=bool(loader.find("libGL.so.1")),
        toolkits=toolchain.toolkits(root, environ),
        nvcc=toolchain.nvcc(root, environ),
        compiler=toolchain.compiler(root, environ),
        python_headers=toolchain.python_headers(root),
        host_name_resolves=resolves,
        interfaces=network.interfaces(root),
        infiniband=network.infiniband(root),
    )
    reasons = {
        "nvcc": "it does not say its version",
        "host_name_resolves": no_answer,
        "interfaces": "/sys/class/net is not to be seen",
        "infiniband": "/sys/class is not to be seen",
    }
    return surroundings, {
        f"surroundings.{name}": why for name, why in reasons.items() if getattr(surroundings, name) is None
    }


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that matter, and of proxies that they are set."""
    read = {
        plain(name): plain(value)[:_VALUE_CHARS]
        for name, value in environ.items()
        if name in _READ or name.startswith(_READ_PREFIX)
    }
    proxies = {name: "set" for name, value in environ.items() if name.lower() in _PROXIES and value}
    return dict(sorted((read | proxies).items()))


def _limit(which: int, unit: int = 1) -> int | Literal["unlimited"]:
    limit, _ = resource.getrlimit(which)
    return "unlimited" if limit == resource.RLIM_INFINITY else limit // unit


def _shadowing(loader: Loader) -> dict[str, str]:
    """Return which libraries of wheels LD_LIBRARY_PATH puts others before, and their files."""
    found: dict[str, str] = {}
    for folder in loader.first:
        for name in names(loader.root / folder.lstrip("/")) or ():
            if _OF_WHEELS.fullmatch(name):
                found.setdefault(name, f"{plain(folder)}/{name}")
    return found
