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

# Why a fact is unknown that a snapshot, older than the fact or written by hand, does not hold.
NOT_SAID = "The facts do not say."
# How a reason tells of an engine that nobody has started.
NOT_STARTED = "is installed and does not run"

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
class DeviceNode:
    """A device file by which programs reach the driver."""

    path: str  # "/dev/nvidia-uvm"
    usable: bool | None = None  # whether this user may read and write it


@dataclass(frozen=True, slots=True)
class Driver:
    """NVIDIA's driver: the user-space library and the kernel module are two things that can disagree."""

    version: Version | None = None  # of the library, as NVML says it
    cuda: Version | None = None  # the newest CUDA that the driver itself brings, as its NVML says
    libcuda: Version | None = None  # as libcuda says: another one where cuda-compat is on the library path
    module_version: Version | None = None  # of the loaded kernel module
    open_module: bool | None = None  # the open kernel modules rather than the proprietary ones
    nvml_seconds: float | None = None  # how long the library took for all its answers
    nodes: Annotated[tuple[DeviceNode, ...], _Few] | None = None  # of /dev/nvidia*; () is none
    modprobe: bool | None = None  # nvidia-modprobe is here, which makes a missing node when it is asked for
    libcuda_files: Annotated[tuple[str, ...], _Few] | None = None  # what a program could load as libcuda.so.1
    # What NVSwitch needs; without a reason, null is not installed, where it is known whether it runs.
    fabric_manager: Version | None = None
    fabric_manager_runs: bool | None = None  # null without a reason where there is nothing for it to manage


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
class MemoryHealth:
    """How well a GPU's memory is: what its error correction counted, and what became of bad rows.

    What is null without a reason is not there to be counted: GPUs differ in what they mend, and how.
    """

    ecc: bool | None = None  # error correction is on
    uncorrected: int | None = None  # errors since the driver was loaded that could not be corrected
    remap_pending: bool | None = None  # a bad row is exchanged at the next reset
    remap_failed: bool | None = None  # there is no spare row left
    retirement_pending: bool | None = None  # as pending, on GPUs before Ampere, which retire pages


@dataclass(frozen=True, slots=True)
class PcieLink:
    """How a GPU hangs on the bus now, and how it could; an idle GPU goes back to a slow generation."""

    generation: int | None = None
    width: int | None = None
    most_generation: int | None = None  # of GPU and slot together
    most_width: int | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """Somebody's program that computes on a GPU."""

    pid: int
    name: str | None = None
    memory_mib: int | None = None
    state: str | None = None  # the kernel's letter: "D" waits inside the driver and cannot be killed


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
    memory_free_mib: int | None = None
    utilization: int | None = None  # percent of the last moments in which it computed
    persistence: bool | None = None
    compute_mode: str | None = None  # "default", "exclusive thread", "prohibited", "exclusive process"
    slowed_by: Annotated[tuple[str, ...], _Few] | None = (
        None  # NVML's reasons: "hw thermal slowdown"; () is none
    )
    memory_health: MemoryHealth | None = None
    pcie: PcieLink | None = None
    nvlinks: Annotated[tuple[bool, ...], _Few] | None = None  # each link's state: active or not; () is none
    fabric: str | None = None  # with NVSwitch: "not started", "in progress", "completed"; "none" without
    fabric_status: str | None = None  # of a completed one, else null: "success", or what failed
    license: str | None = None  # of a virtual GPU: "licensed", "unlicensed"; "none" where none is needed
    processes: Annotated[tuple[GpuProcess, ...], _Few] | None = None  # () is none


@dataclass(frozen=True, slots=True)
class PciDevice:
    """An NVIDIA display or 3D controller on the PCI bus, whether or not a driver drives it."""

    address: str
    vendor: str | None = None
    device: str | None = None
    driver: str | None = None  # the kernel driver that is bound: "nvidia", "nouveau", "vfio-pci"
    name: str | None = None  # as the system's list of PCI devices has it: "GB202 [GeForce RTX 5090]"


@dataclass(frozen=True, slots=True)
class Xid:
    """A line of the kernel's log in which NVIDIA's driver reports a GPU's trouble."""

    code: int
    pci_address: str | None = None
    count: int = 1
    text: str = ""  # the newest line's own words


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel's log, its settings and its firmware say about NVIDIA's driver.

    A reason that stands beside lines which were found tells that the log is not whole, and had others.
    """

    xids: Annotated[tuple[Xid, ...], _Few] | None = None  # one for each code and GPU; () is none
    complaints: Annotated[tuple[str, ...], _Few] | None = None  # other lines of NVRM that tell of a failure
    secure_boot: bool | None = None
    headers: bool | None = None  # of the running kernel, which DKMS needs
    dkms: str | None = None  # the state of NVIDIA's module there: "installed", "added", "broken"
    selinux: str | None = None  # "enforcing", "permissive", "disabled"
    clock_synchronized: bool | None = None
    iommu: str | None = None  # how it treats NVIDIA's cards: "off", "identity"; "DMA", "DMA-FQ" translate


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that could be asked."""

    name: str
    version: str | None = None
    gpu_mode: str | None = None  # how NVIDIA's runtime hands GPUs over: "legacy", "csv", "cdi", "jit-cdi"
    address: str | None = None  # "unix:///var/run/docker.sock"
    rootless: bool | None = None
    gpu_request: GpuRequest | None = None
    system: str | None = None  # what it says that it runs on: "Docker Desktop", "Ubuntu 24.04.1 LTS"
    machine: str | None = None  # "x86_64"
    runtimes: Annotated[tuple[str, ...], _Few] | None = None  # "runc", "nvidia"
    default_runtime: str | None = None
    missing_runtimes: dict[str, str] | None = None  # a registered one -> its program, which is not there
    cdi_devices: Annotated[tuple[str, ...], _Few] | None = (
        None  # that it has discovered: "nvidia.com/gpu=all"
    )
    cgroup_driver: str | None = None  # "systemd", "cgroupfs"
    cgroup_version: str | None = None
    packaging: str | None = None  # how it was installed, where that takes the GPUs away: "snap"
    root: str | None = None  # where it keeps its images
    root_free_mib: int | None = None
    root_free_inodes: int | None = None
    proxy: bool | None = None  # whether it reaches registries through one
    warnings: Annotated[tuple[str, ...], _Few] | None = None  # what it says about itself


@dataclass(frozen=True, slots=True)
class Cdi:
    """A file that tells engines which devices and libraries a GPU is made of."""

    path: str
    kind: str | None = None  # "nvidia.com/gpu"
    driver: Version | None = None  # of the libraries that it names
    devices: Annotated[tuple[str, ...], _Few] | None = None  # "0", "GPU-...", "all"
    missing: Annotated[tuple[str, ...], _Few] | None = None  # files that it names and that are not there


@dataclass(frozen=True, slots=True)
class Toolkit:
    """NVIDIA's container toolkit, by which engines hand GPUs over."""

    version: Version | None = None
    mode: str | None = None  # of its runtime: "auto", "legacy", "csv", "cdi", "jit-cdi"
    no_cgroups: bool | None = None  # as rootless engines need it
    refresh: bool | None = None  # its service that writes the CDI file anew is installed
    device_links: bool | None = None  # /dev/char/195:0 and the like, by which systemd finds the GPUs again


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter that runs envcheck, and the others that a virtual environment could use."""

    version: Version | None = None
    executable: str | None = None
    interpreters: dict[_Minor, str] = field(default_factory=dict)  # "3.11" -> its path, only those with venv
    incomplete: dict[_Minor, str] = field(default_factory=dict)  # the others: no venv or no ensurepip


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package as its metadata has it; where several have its name, Python imports the first."""

    name: str  # "torch"
    version: str | None = None  # "2.10.0+cu128"
    folder: str | None = None  # where its metadata lies: "/venv/lib/python3.11/site-packages"
    origin: Literal["wheel", "built here", "conda", "system"] | None = None
    of_user: bool | None = None  # ~/.local brings it in
    numpy: Literal["1", "2"] | None = None  # with whose headers it was compiled, where that was read
    broken: str | None = None  # what its files lack: "numpy.libs is missing"; null: nothing was found


@dataclass(frozen=True, slots=True)
class Installed:
    """What lies where a Python looks for packages; read from files and metadata, nothing of it imported."""

    executable: str | None = None
    version: Version | None = None  # of that Python
    active: bool | None = None  # an environment that somebody activated, rather than a python3 on PATH
    packages: Annotated[tuple[InstalledPackage, ...], _Few] | None = None  # what matters, in order
    torch_cuda: str | None = None  # that torch was built for: "12.8"; "none" (for the CPU), "rocm", "xpu"
    torch_architectures: Annotated[tuple[str, ...], _Few] | None = None  # "sm_80", "compute_90"; () is none
    # Libraries that torch wants in another version: "nvidia-cudnn-cu12 9.5.1.17, not 9.1.0.70"; () is none.
    torch_unmet: Annotated[tuple[str, ...], _Few] | None = None

    @property
    def imported(self) -> tuple[InstalledPackage, ...]:
        """The packages that Python imports: the first of each name."""
        return tuple(one for one in self.packages or () if one is self.package(one.name))

    def package(self, name: str) -> InstalledPackage | None:
        """Return the package of a name that Python imports."""
        return next((one for one in self.packages or () if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What programs that start here find around them: variables, limits, libraries, tools."""

    variables: dict[str, str] | None = None  # those that matter here, by name; a secret is never among them
    memlock_kib: int | Literal["unlimited"] | None = None
    open_files: int | Literal["unlimited"] | None = None
    shadowing: dict[str, str] | None = None  # a library that wheels bring -> the file of that name before it
    libgl: bool | None = None  # libGL.so.1 is to be found
    toolkits: dict[str, str] | None = None  # CUDA toolkits: their folder -> their version
    nvcc: str | None = None  # the version of the one on PATH; "none"
    compiler: str | None = None  # the C compiler on PATH; "none"
    python_headers: bool | None = None  # Python.h of the Python that is in use
    host_name_resolves: bool | None = None  # the machine's own name leads to an address
    interfaces: Annotated[tuple[str, ...], _Few] | None = None  # of the network: "lo", "eth0"
    infiniband: Annotated[tuple[str, ...], _Few] | None = None  # its devices: "mlx5_0"; () is none


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the operating system grants, cgroup limits included."""

    cpus: int | None = None
    memory_mib: int | None = None
    cache_free_mib: int | None = None  # free disk where envcheck keeps wheels and environments
    cache_free_inodes: int | None = None
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
    kernel: Kernel = field(default_factory=Kernel)
    toolkit: Toolkit | None = None  # null: there is none, or a reason in `unknown`
    cdi: Annotated[tuple[Cdi, ...], _Few] | None = None  # () is none
    installed: Annotated[tuple[Installed, ...], _Few] | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    unknown: dict[str, str] = field(default_factory=dict)

    def why(self, path: str) -> str:
        """Return why the fact at `path` is unknown: its own reason, or that of what it is a part of."""
        while path and path not in self.unknown:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.unknown.get(path, NOT_SAID)
