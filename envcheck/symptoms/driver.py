"""What is said when NVIDIA's driver is not there, not whole, or too old for what is asked of it.

Source of the floors: NVIDIA's table of minor-version compatibility, as the rules have it.
"""

from __future__ import annotations

from envcheck.symptoms.cards import DRIVER_GUIDE
from envcheck.symptoms.symptom import Fix, Symptom

COMPATIBILITY = "https://docs.nvidia.com/deploy/cuda-compatibility/"
_PROGRAMMING_GUIDE = "https://docs.nvidia.com/cuda/cuda-c-programming-guide/"

NOT_LOADED = Symptom(
    "driver.loaded",
    "the driver's kernel module is not loaded",
    Fix(
        "Build the module for the running kernel and load it; under Secure Boot it must be signed.",
        ("dkms status", "sudo modprobe nvidia", "mokutil --sb-state"),
        needs_root=True,
    ),
    in_log=(
        "couldn't communicate with the NVIDIA driver",
        "Failed to initialize NVML: Driver Not Loaded",
        "nvml error: driver not loaded",
        "modprobe: FATAL: Module nvidia not found",
        "modprobe: ERROR: could not insert 'nvidia': ",
        "could not insert 'nvidia': Key was rejected by service",
    ),
    why="Most often a kernel upgrade left it without a module, or Secure Boot refused an unsigned one.",
    link=DRIVER_GUIDE,
    caused_by=("card.nouveau", "driver.open-module", "card.bound"),
)

MISMATCH = Symptom(
    "driver.module-match",
    "the driver's library and kernel module are of different versions",
    Fix(
        "Reboot, or stop everything that uses the GPU and reload the modules: sudo rmmod nvidia_uvm"
        " nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia. To choose the time of the next"
        " upgrade, hold the driver's packages (sudo apt-mark hold on Debian and Ubuntu).",
        ("sudo reboot",),
        needs_root=True,
        reboot=True,
    ),
    in_log=(
        "Driver/library version mismatch",
        "nvml error: driver/library version mismatch",
        "NVRM: API mismatch: ",
    ),
    why="The driver was upgraded, often unattended, and its old kernel module is still loaded.",
    link="https://github.com/lyulyul/shine-cluster/issues/30",
)

WSL = Symptom(
    "system.wsl",
    "this is WSL, and the Windows driver does not reach into it",
    Fix(
        "Install or update NVIDIA's driver in Windows, never inside WSL; then restart WSL,"
        " which ends every WSL session.",
        ("wsl --shutdown",),
        destructive=True,
    ),
    in_log=("WSL environment detected but no adapters were found",),
    why="WSL hands the Windows driver to Linux by /usr/lib/wsl/lib; a Linux driver inside would hide it.",
    link="https://docs.nvidia.com/cuda/wsl-user-guide/",
)

ABSENT = Symptom(
    "driver.present",
    "NVIDIA's driver is not installed",
    Fix(
        "Install NVIDIA's driver and reboot; for a container, hand the GPUs over: that brings the driver in.",
        ("envcheck doctor", "docker run --gpus all ..."),
        needs_root=True,
        reboot=True,
    ),
    in_log=(
        "Found no NVIDIA driver on your system",
        "The NVIDIA Driver was not detected",
        "Failed to initialize NVML: Driver Not Found",
        "libcuda.so.1: cannot open shared object file",
        "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system",
        "Could not load dynamic library 'libcuda.so.1'",
        "nvidia-smi: command not found",
        "nvidia-smi: not found",
    ),
    why="Neither NVIDIA's library nor its kernel module is where the program looks.",
    link=DRIVER_GUIDE,
    caused_by=("card.nouveau", "driver.loaded", "driver.module-match", "system.wsl"),
)

DEVICE_NODES = Symptom(
    "driver.uvm",
    "CUDA does not start although the driver answers",
    Fix(
        "Make the device nodes of nvidia_uvm (first command), or load it anew (second); in a container,"
        " restart that too.",
        ("sudo nvidia-modprobe -c0 -u", "sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm"),
        needs_root=True,
        destructive=True,
    ),
    in_log=("CUDA unknown error", "CUDA error: unknown error", "CUDA_ERROR_UNKNOWN", "cudaErrorUnknown"),
    why="/dev/nvidia-uvm is missing, or stale since the machine was suspended (999).",
    link="https://github.com/pytorch/pytorch/issues/49081",
    caused_by=("driver.module-match", "driver.loaded", "gpu.lost", "gpu.fault", "container.devices-lost"),
)

TOO_OLD = Symptom(
    "driver.too-old",
    "the driver is too old for the CUDA that was built in",
    Fix(
        "Update the driver, or take a torch with an older CUDA: a recipe that fits is found here.",
        ("envcheck pick",),
    ),
    in_log=(
        "CUDA driver version is insufficient for CUDA runtime version",
        "The NVIDIA driver on your system is too old",
    ),
    why="CUDA 11 needs driver 450.80.02, CUDA 12 525.60.13, CUDA 13 580; any later one does.",
    link=COMPATIBILITY,
    caused_by=("driver.module-match", "driver.loaded"),
)

FORWARD_COMPAT = Symptom(
    "driver.compat",
    "libcuda is newer than the kernel module, which this GPU does not allow",
    Fix(
        "Update the driver or take an older image; else take cuda-compat out of LD_LIBRARY_PATH.",
        ("ldconfig -p | grep libcuda", 'echo "$LD_LIBRARY_PATH"'),
    ),
    in_log=(
        "forward compatibility was attempted on non supported HW",
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    ),
    why="An image brings cuda-compat, for data-centre GPUs and some others, never for GeForce; or the "
    "machine's own library is the newer one (804).",
    link=COMPATIBILITY,
    caused_by=("driver.module-match",),
)

PTX = Symptom(
    "driver.ptx",
    "the driver is too old for the code in the build, which it would have to compile",
    Fix(
        "Update the driver, or take a build that holds machine code for the GPU.",
        ("envcheck builds",),
    ),
    in_log=("provided PTX was compiled with an unsupported toolchain", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
    why="A driver refuses PTX of a CUDA newer than its own; that any 12.x runs on any driver of CUDA 12 "
    "holds for machine code only.",
    link=COMPATIBILITY,
    caused_by=("driver.module-match",),
)

UNLICENSED = Symptom(
    "driver.vgpu-license",
    "the virtual GPU has no licence",
    Fix("See which server it asks, and whether that answers.", ("nvidia-smi -q | grep -i -A 2 licen",)),
    in_log=(
        "nvidia-gridd...: Failed to acquire",
        "nvidia-gridd...: Unlicensed",
        "nvidia-gridd...: License expired",
    ),
    why="Without a licence a vGPU is slowed down, after 20 minutes nearly to a stop.",
    link="https://docs.nvidia.com/vgpu/",
)

NO_DEVICE = Symptom(
    "gpu.none-visible",
    "CUDA sees no GPU",
    Fix(
        "Is CUDA_VISIBLE_DEVICES empty or wrong, the container without its GPUs, the job without any?",
        ('echo "$CUDA_VISIBLE_DEVICES"', "nvidia-smi -L", "envcheck doctor"),
    ),
    in_log=(
        "No CUDA GPUs are available",
        "no CUDA-capable device is detected",
        "CUDA_ERROR_NO_DEVICE",
        "CUDA device but torch.cuda.is_available() is False",
    ),
    why="The driver is there, and gave this process none.",
    link=_PROGRAMMING_GUIDE,
    caused_by=(
        "card.nouveau",
        "driver.open-module",
        "card.bound",
        "driver.loaded",
        "driver.module-match",
        "driver.present",
        "system.wsl",
        "gpu.lost",
        "gpu.fabric",
        "gpu.mig",
        "driver.compat",
        "driver.uvm",
        "container.devices-lost",
        "container.gpu-not-given",
    ),
)

ORDINAL = Symptom(
    "gpu.ordinal",
    "the program asks for a GPU by a number that this process does not have",
    Fix(
        "Count again: CUDA_VISIBLE_DEVICES gives the GPUs that it names new numbers, from 0.",
        ('echo "$CUDA_VISIBLE_DEVICES"', "nvidia-smi -L"),
    ),
    in_log=("invalid device ordinal", "CUDA_ERROR_INVALID_DEVICE"),
    why="Fewer GPUs were handed over than ranks were started, or GPUS names one too many.",
    link=_PROGRAMMING_GUIDE,
    caused_by=("gpu.none-visible", "gpu.lost"),
)
