"""What is said inside of a container, and of it, when the fault is the container's and not the command's."""

from __future__ import annotations

from envcheck.symptoms.engine import THREADS
from envcheck.symptoms.symptom import Fix, Symptom

INSIDE = (
    Symptom(
        "container.gpu-not-given",
        "the engine started the container without the GPUs that it was asked for",
        Fix(
            "podman needs 4.1 and a CDI spec (nvidia-ctk cdi generate), docker NVIDIA's toolkit. Until then:"
            " --in venv."
        ),
        text=(
            r"a GPU was promised, torch sees none|GPUs were promised, torch sees \d+|"
            r"GPU-[0-9a-f-]+ was promised, torch does not see it"
        ),
        in_log=(
            "a GPU was promised, torch sees none",
            "GPUs were promised, torch sees ",
            "was promised, torch does not see it",
        ),
    ),
    Symptom(
        "container.shm",
        "shared memory is too small for the loader's workers",
        Fix(
            "More memory for the container (--memory SIZE: half of it is shared memory; docker's own is "
            "--shm-size=1g), or fewer WORKERS."
        ),
        text=(
            r"DataLoader worker \(pid[^\n]*\) is killed by signal: Bus error|"
            r"insufficient shared memory|"
            r"unable to (open|write to|allocate|mmap)(?![^\n]*too many open files)[^\n]*(/torch_|\(shm\))|"
            r"(failed to extend|creating shared memory segment) /dev/shm/nccl-"
        ),
        in_log=(
            "DataLoader worker (pid...is killed by signal: Bus error",
            "insufficient shared memory (shm)",
            "unable to write to file </torch_",
            "unable to allocate shared memory(shm) for file </torch_",
            "unable to mmap ...</torch_",
            "unable to open shared memory object </torch_...: No space left on device",
            "failed to extend /dev/shm/nccl-",
            "creating shared memory segment /dev/shm/nccl-",
        ),
        why=(
            'Docker gives a container 64 MiB unless told otherwise; a worker without room dies of "Bus error"'
            " or waits for ever."
        ),
        link="https://github.com/pytorch/pytorch/issues/1355",
    ),
    THREADS,
    Symptom(
        "container.read-only",
        "the container may not write there",
        Fix("exec and shell write into the working directory and --output DIR, a stage into its OUTPUT_DIR."),
        text=r"Read-only file system",
        in_log=("[Errno 30] Read-only file system", ": Read-only file system"),
        why=(
            "Containers of envcheck have a read-only root; elsewhere the system has remounted a disk "
            "that showed errors."
        ),
    ),
)

# What no text says: the kernel ended a process of a container that had reached its limit.
CONTAINER_OUT_OF_MEMORY = Symptom(
    "container.out-of-memory",
    "the container was out of memory, and the kernel killed what used most of it (137)",
    Fix("More with --memory SIZE, or smaller batches (TRAIN.BATCH_SIZE_PER_GPU) and fewer WORKERS."),
    text=r"OOMKilled|oom-kill|Out of memory: Killed process",
    in_log=(
        "Memory cgroup out of memory: Killed process ",
        "oom-kill:constraint=CONSTRAINT_MEMCG",
        "OOMKilled",
    ),
)

# Said in a container that was given no network.
SHUT_OFF = Symptom(
    "container.no-network",
    "the container has no network",
    Fix("--network gives it one."),
    text=(
        r"Temporary failure in name resolution|Name or service not known|Network is unreachable|"
        r"Could not resolve host"
    ),
)

DEVICES_LOST = Symptom(
    "container.devices-lost",
    "a running container has lost its GPUs",
    Fix(
        "Restart the container; GPUs that are handed over by CDI or by --device stay.",
        ("docker restart CONTAINER", "docker run --device nvidia.com/gpu=all ..."),
        destructive=True,
    ),
    in_log=("Failed to initialize NVML: Unknown Error",),
    why="systemctl daemon-reload made systemd set the container's devices anew, without those that "
    "NVIDIA's hook had added.",
    link="https://github.com/NVIDIA/nvidia-container-toolkit/issues/48",
)

SELINUX = Symptom(
    "container.selinux",
    "the container may not touch the GPU's device files",
    Fix(
        "Take the label off this container, or give it a policy that knows NVIDIA's devices.",
        ("podman run --security-opt label=disable ...",),
    ),
    in_log=(
        "Failed to initialize NVML: Insufficient Permissions",
        "nvml error: insufficient permissions",
        "avc:  denied ...nvidia",
        "avc: denied ...nvidia",
    ),
    why="SELinux refuses it, or the devices belong to a group that the user inside is not in.",
    link="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html",
)

PLATFORM = Symptom(
    "container.platform",
    "the image is for another processor",
    Fix(
        "Take the image for this machine's own.",
        ("uname -m", "docker pull --platform linux/$(uname -m) IMAGE"),
    ),
    in_log=(": exec format error", "does not match the detected host platform"),
    why="An arm64 image on an x86_64 machine, or the other way round.",
    link="https://docs.docker.com/build/building/multi-platform/",
)
