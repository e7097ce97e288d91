"""What an engine and NVIDIA's container toolkit say of a container that asks for GPUs and does not start."""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom

_GUIDE = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/"

_GET_TOOLKIT = Fix(
    "Install nvidia-container-toolkit and tell the engine of it. Until then: --in venv.",
    ("sudo nvidia-ctk runtime configure --runtime=docker", "sudo systemctl restart docker"),
    needs_root=True,
)
_GET_SPEC = Fix(
    "Make a CDI spec, and again after every change of the driver. Until then: --in venv.",
    ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",),
    needs_root=True,
)

DRIVER_LIBRARY = Symptom(
    "container.driver-library",
    "the engine's NVIDIA toolkit does not find the driver's library",
    Fix("Is the driver installed where the engine runs? docker as a snap and Docker Desktop miss it."),
    text=r"load library failed: libnvidia-ml\.so",
    in_log=("load library failed: libnvidia-ml.so",),
    why="The toolkit runs, and looks for libnvidia-ml.so.1 in a system that has no driver.",
    link=f"{_GUIDE}troubleshooting.html",
)

NO_SPEC = Symptom(
    "container.cdi-unresolvable",
    "the engine knows no CDI device of that name",
    _GET_SPEC,
    text=(
        "unresolvable CDI devices|stat nvidia.com/gpu=|could not select device driver .cdi|"
        "custom device .nvidia.com/gpu=|no such device.*nvidia.com/gpu"
    ),
    in_log=(
        "unresolvable CDI devices ",
        "stat nvidia.com/gpu=",
        "could not select device driver ...cdi...with capabilities",
        "custom device ...nvidia.com/gpu=...no such file",
        "no such device...nvidia.com/gpu=",
    ),
    why="There is no specification of the devices, it cannot be read, or it is older than the driver.",
    link=f"{_GUIDE}cdi-support.html",
)

MISSING = Symptom(
    "container.toolkit-missing",
    "the engine has no NVIDIA container toolkit, so it cannot hand over a GPU",
    _GET_TOOLKIT,
    text=(
        r"could not select device driver|unknown or invalid runtime name: nvidia|"
        r"unknown runtime specified nvidia|nvidia-container-(cli|runtime)[^\n]*not found"
    ),
    in_log=(
        "could not select device driver ...with capabilities: [[gpu",
        "unknown or invalid runtime name: nvidia",
        "Unknown runtime specified nvidia",
        "unknown runtime specified nvidia",
        "exec: ...nvidia-container-...executable file not found",
    ),
    why="It is not installed, or the engine was not told of it and restarted.",
    link=f"{_GUIDE}install-guide.html",
)

CONTAINER_TOOLKIT = (
    Symptom(
        "container.require-cuda",
        "the image asks for a newer driver than this one (NVIDIA_REQUIRE_CUDA)",
        Fix(
            "Take a plain base image (the recipes' own ask for nothing), an older one, or a newer driver; "
            "where the driver is of the image's CUDA major, NVIDIA_DISABLE_REQUIRE=true does too."
        ),
        text="unsatisfied condition: (cuda|driver|brand)",
        in_log=("requirement error: unsatisfied condition: ",),
        why="nvidia/cuda images carry a condition on driver and brand, stricter than what CUDA itself needs.",
        link=f"{_GUIDE}docker-specialized.html",
    ),
    DRIVER_LIBRARY,
    NO_SPEC,
    MISSING,
)
