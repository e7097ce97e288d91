"""What is known about a machine: frozen values and nothing else, no judgement, no probing.

`Host` is the document `envcheck.host/1`. A fact that is absent or null is *unknown*, never false, and why
it is unknown stands in `Host.unknown` under the fact's path, as in `{"gpus[0].memory_mib": "NOT_SUPPORTED"}`.
Two nulls have a meaning of their own when no reason stands beside them: `driver: null` is a machine without
an NVIDIA driver, `mig: null` a GPU that cannot do MIG.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta
from packaging.version import Version

SCHEMA = "envcheck.host/1"

# How an engine is asked for GPUs: a device request to NVIDIA's hook, a CDI device, or there is no way.
GpuRequest = Literal["nvidia", "cdi", "none"]

# More than any machine has, virtual functions included: a list of a hundred thousand cards is no machine.
_Few = Meta(max_length=1024)
_Minor = Annotated[str, Meta(pattern=r"^[0-9]\.[0-9]{1,3}\Z")]


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """The system that the processes see; inside a container that is the container's userland."""

    system: str | None = None  # as uname says it: "Linux"
    machine: str | None = None  # as uname says it: "x86_64", "aarch64"
    distribution: str | None = None  # "ubuntu 22.04"
    kernel: str | None = None
    glibc: Version | None = None
    wsl: bool | None = None
    jetson: str | None = None  # the L4T release, "36.4.3", or the board's name where no release is to be read
    container: str | None = None  # "docker", "podman", "kubernetes", ...


@dataclass(frozen=True, slots=True)
class Driver:
    """NVIDIA's driver: the user-space library and the kernel module are two things that can disagree."""

    version: Version | None = None  # of the library, as NVML says it
    cuda: Version | None = None  # the newest CUDA that the driver itself brings, as its NVML says
    libcuda: Version | None = None  # as libcuda says: another one where cuda-compat is on the library path
    module_version: Version | None = None  # of the loaded kernel module
    open_module: bool | None = None  # the open kernel modules rather than the proprietary ones
    nvml_seconds: float | None = None  # how long the library took for all its answers


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One slice of a GPU, a device of its own to CUDA."""

    uuid: str | None = None
    name: str | None = None
    memory_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Mig:
    """Multi-instance mode of one GPU that has it."""

    enabled: bool | None = None
    instances: Annotated[tuple[MigInstance, ...], _Few] | None = None  # () is none; null is unknown


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU that the driver lists, in NVML's order (by PCI bus)."""

    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    brand: str | None = None  # NVML's brand in lower case: "geforce", "tesla", "quadro rtx", "nvidia"
    compute_capability: Version | None = None
    memory_mib: int | None = None
    mig: Mig | None = None
    pci_address: str | None = None  # "0000:17:00.0"


@dataclass(frozen=True, slots=True)
class PciDevice:
    """An NVIDIA display or 3D controller on the PCI bus, whether or not a driver drives it."""

    address: str
    vendor: str | None = None
    device: str | None = None
    driver: str | None = None  # the kernel driver that is bound: "nvidia", "nouveau", "vfio-pci"
    name: str | None = None  # as the system's list of PCI devices has it: "GB202 [GeForce RTX 5090]"


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that could be asked."""

    name: str
    version: str | None = None
    gpu_mode: str | None = None  # how NVIDIA's runtime hands GPUs over: "legacy", "csv", "cdi", "jit-cdi"
    address: str | None = None  # "unix:///var/run/docker.sock"
    rootless: bool | None = None
    gpu_request: GpuRequest | None = None


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter that runs envcheck, and the others that a virtual environment could use."""

    version: Version | None = None
    executable: str | None = None
    interpreters: dict[_Minor, str] = field(default_factory=dict)  # "3.11" -> its path, only those with venv
    incomplete: dict[_Minor, str] = field(default_factory=dict)  # the others: no venv or no ensurepip


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the operating system grants, cgroup limits included."""

    cpus: int | None = None
    memory_mib: int | None = None
    cache_free_mib: int | None = None  # free disk where envcheck keeps wheels and environments
    shm_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine. The smallest document has `schema`, `os`, `driver` and `gpus`."""

    schema: str = SCHEMA
    probed: str | None = None  # when, in UTC: "2026-11-24T08:34:29Z"
    os: OperatingSystem
    driver: Driver | None
    gpus: Annotated[tuple[Gpu, ...], _Few] | None  # () is none; null is unknown
    pci: Annotated[tuple[PciDevice, ...], _Few] | None = None
    engines: Annotated[tuple[Engine, ...], _Few] | None = None
    python: Python = field(default_factory=Python)
    hardware: Hardware = field(default_factory=Hardware)
    unknown: dict[str, str] = field(default_factory=dict)
