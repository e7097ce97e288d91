"""What a container engine says when it fails, and what is said inside when the fault is the container's.

Sources: what Debian's docker.io 20.10.24 and podman 4.3.1 said when their faults were made to happen.
"""

from __future__ import annotations

from envcheck.symptoms.symptom import Symptom

FULL_ENGINE = "docker system df shows what lies there; docker image prune and docker builder prune free some."

_GET_TOOLKIT = (
    "Install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && "
    "sudo systemctl restart docker. Until then: --in venv."
)
_GET_SPEC = (
    "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml, again after every change of the driver. "
    "Until then: --in venv."
)

_THREADS = Symptom(
    "container.threads",
    r"can't start new thread|pthread_create failed|Resource temporarily unavailable.*thread",
    "the container could not start a thread: engines before 20.10.10 refuse what glibc 2.34 asks for",
    "Update the engine (20.10.10 or newer, with libseccomp 2.5), or --in venv.",
)

ENGINE = (
    # What stops a container that asks for GPUs.
    Symptom(
        "container.require-cuda",
        "unsatisfied condition: (cuda|driver|brand)",
        "the image asks for a newer driver than this one (NVIDIA_REQUIRE_CUDA)",
        "Take a plain base image (the recipe's own asks for nothing), or an older one, or a newer driver.",
    ),
    Symptom(
        "container.driver-library",
        r"load library failed: libnvidia-ml\.so",
        "the engine's NVIDIA toolkit does not find the driver's library",
        "Is the driver installed where the engine runs? A snap of docker and Docker Desktop do not see it.",
    ),
    Symptom(
        "container.cdi-unresolvable",
        "unresolvable CDI devices|stat nvidia.com/gpu=|could not select device driver .cdi|"
        "custom device .nvidia.com/gpu=|no such device.*nvidia.com/gpu",
        "the engine knows no CDI device of that name",
        _GET_SPEC,
    ),
    Symptom(
        "container.toolkit-missing",
        r"could not select device driver|unknown or invalid runtime name: nvidia|"
        r"unknown runtime specified nvidia|nvidia-container-(cli|runtime)[^\n]*not found",
        "the engine has no NVIDIA container toolkit, so it cannot hand over a GPU",
        _GET_TOOLKIT,
    ),
    # Images.
    Symptom(
        "container.digest-mismatch",
        r"manifest (verification failed for digest|unknown)|digest .*(did not match|mismatch)|"
        r"(filesystem layer|manifest|content) verification failed",
        "the registry has another image than the digest that the recipe pins, or none",
        "A mirror may serve something else under that name: --base-image IMAGE names one that you trust.",
    ),
    Symptom(
        "container.registry-limit",
        "toomanyrequests",
        "the registry gives no more images to this address for a while",
        "docker login raises the limit; or name a mirror's or a local image: --base-image IMAGE.",
        may_pass=True,
    ),
    Symptom(
        "container.registry-denied",
        "pull access denied|unauthorized: |denied: requested access",
        "the registry does not give the base image",
        "docker login, or name a mirror's or a local image: --base-image IMAGE (ENVCHECK_BASE_IMAGE).",
    ),
    Symptom(
        "container.registry-unreachable",
        r"(dial tcp|lookup|Get \"https?://)[^\n]*(no such host|connection refused|i/o timeout|timeout|"
        r"unreachable|server misbehaving|reset by peer|EOF|context deadline|forbidden|Client\.Timeout|x509)"
        r"|error pinging (docker )?registry|pinging container registry",
        "the registry of the base image could not be reached",
        "Check network and proxy of the engine, or name a local image: --base-image IMAGE.",
        may_pass=True,
    ),
    # The machine under the engine.
    Symptom(
        "disk.full",
        "no space left on device|ENOSPC|not enough space",
        "the engine's disk is full",
        FULL_ENGINE,
    ),
    _THREADS,
    Symptom(
        "container.rlimit",
        "error setting rlimit",
        "the engine wants higher limits for a process than this machine allows",
        "Set default_ulimits in containers.conf to what `ulimit -Hn` and `ulimit -Hu` say.",
    ),
    Symptom(
        "container.limit",
        r"Range of CPUs is from|limitation discarded|Minimum memory limit allowed",
        "the engine cannot keep a limit that was asked for",
        "--memory and --cpus: no more than the machine has, and as an engine without root can limit it.",
    ),
    Symptom(
        "container.init-missing",
        r"container-init binary not found|exec: .*(catatonit|docker-init).*not found|"
        r"lookup init binary|stat /usr/libexec/podman/catatonit",
        "the engine has no init program for its containers",
        "Install catatonit (podman) or docker-init, which the engine's own packages recommend.",
    ),
    # The command that it was to start.
    Symptom(
        "container.command-missing",
        r"exec: \"[^\"]*\": (stat [^\n]*: no such|no such|executable file not found)|"
        "attempted to invoke a command that was not found",
        "the container has no such command",
        "Does it lie in a folder that is shown inside, and the program of its first line (#!) in the image?",
    ),
    Symptom(
        "container.command-denied",
        r"exec: \"[^\"]*\":[^\n]*permission denied",
        "the command may not be executed",
        "chmod +x FILE, or name its interpreter: python FILE.",
    ),
    # What it was to be shown.
    Symptom(
        "container.bind-refused",
        r"mounts? denied|(error while creating mount source path|error mounting|l?stat(fs)? /|"
        r"invalid mount config)[^\n]*(permission denied|not permitted|not shared)",
        "the engine may not look into a folder that the run needs",
        "An NFS export with root squash, or an unshared folder: copy the data to a local disk, or --in venv.",
    ),
    Symptom(
        "container.bind-missing",
        r"bind source path does not exist|statfs [^\n]*no such file|bind mount source .* does not exist",
        "the engine does not see a folder of this machine",
        "Does it run here? A remote engine, or one outside of this container, has other folders: --in venv.",
    ),
    # The engine itself.
    Symptom(
        "container.socket-denied",
        r"^permission denied$|(unix://|dial unix|\.sock)[^\n]*permission denied|PermissionError\(13",
        "this user may not use the container engine's socket",
        "sudo usermod -aG docker $USER and log in again, or a rootless engine, or --in venv.",
    ),
    Symptom(
        "container.context",
        r"(docker context|context \"[^\"]*\")[^\n]*(does not exist|not found)",
        "the docker context that is chosen does not exist",
        "docker context ls shows them; unset DOCKER_CONTEXT, or docker context use default.",
    ),
    Symptom(
        "container.engine-gone",
        r"connection (aborted|refused|reset)|remote end closed|broken pipe|connection broken|"
        r"^no such file or directory$|(unix://|dial unix|\.sock)[^\n]*no such file or directory|"
        r"FileNotFoundError\(2|read timed out|incompleteread|bad gateway|"
        r"code = Unavailable|closing transport|error reading from server|/build\\?[^ ]*: EOF|"
        r"connect(ion)? to the docker daemon|is the docker daemon running|unexpected eof|ended prematurely",
        "the container engine does not answer",
        "Is it running? sudo systemctl start docker, or systemctl --user start podman.socket.",
        may_pass=True,
    ),
)

# What is said inside when the fault is the container's, not the command's.
INSIDE = (
    Symptom(
        "container.gpu-not-given",
        r"a GPU was promised, torch sees none|GPUs were promised, torch sees \d+|"
        r"GPU-[0-9a-f-]+ was promised, torch does not see it",
        "the engine started the container without the GPUs that it was asked for",
        "podman needs 4.1 and a CDI spec (nvidia-ctk cdi generate), docker NVIDIA's toolkit. Until then:"
        " --in venv.",
    ),
    Symptom(
        "container.shm",
        r"DataLoader worker \(pid[^\n]*\) is killed by signal: Bus error|"
        r"insufficient shared memory|"
        r"unable to (open|write to|allocate|mmap)(?![^\n]*too many open files)[^\n]*(/torch_|\(shm\))|"
        r"(failed to extend|creating shared memory segment) /dev/shm/nccl-",
        "shared memory is too small for the loader's workers",
        "More memory for the container (--memory SIZE: half of it is shared memory), or fewer WORKERS.",
    ),
    _THREADS,
    Symptom(
        "container.read-only",
        r"Read-only file system",
        "the container may not write there",
        "exec and shell write into the working directory and --output DIR, a stage into its OUTPUT_DIR.",
    ),
)

# What no text says: the kernel ended a process of a container that had reached its limit.
OUT_OF_MEMORY = Symptom(
    "container.out-of-memory",
    r"OOMKilled|oom-kill|Out of memory: Killed process",
    "the container was out of memory, and the kernel killed what used most of it (137)",
    "More with --memory SIZE, or smaller batches (TRAIN.BATCH_SIZE_PER_GPU) and fewer WORKERS.",
)

# Said in a container that was given no network.
SHUT_OFF = Symptom(
    "container.no-network",
    r"Temporary failure in name resolution|Name or service not known|Network is unreachable|"
    r"Could not resolve host",
    "the container has no network",
    "--network gives it one.",
)
