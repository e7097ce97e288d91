"""What a container engine says when it fails.

Sources: what Debian's docker.io 20.10.24 and podman 4.3.1 said when their faults were made to happen.
"""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom
from envcheck.symptoms.toolkit import CONTAINER_TOOLKIT

FULL_ENGINE = "docker system df shows what lies there; docker image prune and docker builder prune free some."

THREADS = Symptom(
    "container.threads",
    "the container could not start a thread: engines before 20.10.10 refuse what glibc 2.34 asks for",
    Fix("Update the engine (20.10.10 or newer, with libseccomp 2.5), or --in venv."),
    text=r"can't start new thread|pthread_create failed|Resource temporarily unavailable.*thread",
    in_log=("RuntimeError: can't start new thread", "pthread_create failed"),
)

CONTEXT = Symptom(
    "container.context",
    "the docker context that is chosen does not exist",
    Fix("docker context ls shows them; unset DOCKER_CONTEXT, or docker context use default."),
    text=r"(docker context|context \"[^\"]*\")[^\n]*(does not exist|not found|cannot be read)",
    in_log=("docker context ...does not exist", "context ...: context not found: open "),
)

GONE = Symptom(
    "container.engine-gone",
    "the container engine does not answer",
    Fix(
        "Is it running? docker by the first, podman by the second:",
        ("sudo systemctl start docker", "systemctl --user start podman.socket"),
        needs_root=True,
    ),
    text=(
        r"connection (aborted|refused|reset)|remote end closed|broken pipe|connection broken|"
        r"^no such file or directory$|(unix://|dial unix|\.sock)[^\n]*no such file or directory|"
        r"FileNotFoundError\(2|read timed out|incompleteread|bad gateway|"
        r"code = Unavailable|closing transport|error reading from server|/build\\?[^ ]*: EOF|"
        r"connect(ion)? to the docker daemon|is the docker daemon running|unexpected eof|"
        r"ended prematurely"
    ),
    in_log=(
        "Cannot connect to the Docker daemon",
        "Is the docker daemon running?",
        "is the docker daemon running?",
        "Lost connection to the Docker daemon",
        "('Connection aborted.', FileNotFoundError(2, ",
        "code = Unavailable desc = ",
        "UnixHTTPConnectionPool(host=...): Read timed out",
        "unix:///....sock (DOCKER_HOST): No such file or directory",
    ),
    may_pass=True,
)

DENIED = Symptom(
    "container.socket-denied",
    "this user may not use the container engine's socket",
    Fix(
        "Join the group docker and log in again, take a rootless engine, or --in venv.",
        ('sudo usermod -aG docker "$USER"',),
        needs_root=True,
    ),
    text=r"^permission denied$|(unix://|dial unix|\.sock)[^\n]*permission denied|PermissionError\(13",
    in_log=(
        "denied while trying to connect to the Docker daemon socket",
        "denied while trying to connect to the docker API",
        "dial unix ....sock: connect: permission denied",
        "('Connection aborted.', PermissionError(13, ",
        "unix:///....sock: Permission denied",
    ),
)

ENGINE = (
    *CONTAINER_TOOLKIT,
    # Images.
    Symptom(
        "container.digest-mismatch",
        "the registry has another image than the digest that the recipe pins, or none",
        Fix("A mirror may serve something else under that name: --base-image IMAGE names a trusted one."),
        text=(
            r"manifest (verification failed for digest|unknown)|digest .*(did not match|mismatch)|"
            r"(filesystem layer|manifest|content) verification failed"
        ),
        in_log=(
            "manifest unknown: ",
            "manifest verification failed for digest",
            "layer verification failed for digest",
            "Digest did not match, expected ",
        ),
    ),
    Symptom(
        "container.registry-limit",
        "the registry gives no more images to this address for a while",
        Fix("docker login raises the limit; or name a mirror's or a local image: --base-image IMAGE."),
        text="toomanyrequests",
        in_log=("toomanyrequests: ",),
        may_pass=True,
    ),
    Symptom(
        "container.registry-denied",
        "the registry does not give the base image",
        Fix("docker login, or name a mirror's or a local image: --base-image IMAGE (ENVCHECK_BASE_IMAGE)."),
        text="pull access denied|unauthorized: |denied: requested access",
        in_log=(
            "pull access denied for ",
            "unauthorized: authentication required",
            "denied: requested access to the resource is denied",
        ),
    ),
    Symptom(
        "container.registry-unreachable",
        "the registry of the base image could not be reached",
        Fix("Check network and proxy of the engine, or name a local image: --base-image IMAGE."),
        text=(
            r"(dial tcp|lookup|Get \"https?://)[^\n]*(no such host|connection refused|i/o timeout|timeout|"
            r"unreachable|server misbehaving|reset by peer|EOF|context deadline|forbidden|"
            r"Client\.Timeout|x509)"
            r"|error pinging (docker )?registry|pinging container registry"
        ),
        in_log=(
            "/v2/...: dial tcp",
            "/v2/...: x509: ",
            "/v2/...: net/http: ",
            "/v2/...: proxyconnect tcp",
            "dial tcp: lookup ...: no such host",
            "error pinging docker registry ",
            "pinging container registry ",
        ),
        may_pass=True,
    ),
    # The machine under the engine.
    Symptom(
        "disk.full",
        "the engine's disk is full",
        Fix(FULL_ENGINE),
        text="no space left on device|ENOSPC|not enough space",
    ),
    THREADS,
    Symptom(
        "container.rlimit",
        "the engine wants higher limits for a process than this machine allows",
        Fix("Set default_ulimits in containers.conf to what `ulimit -Hn` and `ulimit -Hu` say."),
        text="error setting rlimit",
        in_log=("error setting rlimit type ",),
    ),
    Symptom(
        "container.limit",
        "the engine cannot keep a limit that was asked for",
        Fix("--memory and --cpus: no more than the machine has, and as a rootless engine can limit it."),
        text=r"Range of CPUs is from|limitation discarded|Minimum memory limit allowed",
        in_log=(
            "Range of CPUs is from ",
            "memory limit capabilities. Limitation discarded",
            "Minimum memory limit allowed is ",
        ),
    ),
    Symptom(
        "container.init-missing",
        "the engine has no init program for its containers",
        Fix("Install catatonit (podman) or docker-init, which the engine's own packages recommend."),
        text=(
            r"container-init binary not found|exec: .*(catatonit|docker-init).*not found|"
            r"lookup init binary|stat /usr/libexec/podman/catatonit"
        ),
        in_log=(
            "container-init binary not found",
            "exec: ...docker-init...: executable file not found",
            "lookup init binary: ",
            "stat /usr/libexec/podman/catatonit: ",
        ),
    ),
    # The command that it was to start.
    Symptom(
        "container.command-missing",
        "the container has no such command",
        Fix("Is it in a folder that is shown inside, and the program of its first line (#!) in the image?"),
        text=(
            r"exec: \"[^\"]*\": (stat [^\n]*: no such|no such|executable file not found)|"
            "attempted to invoke a command that was not found"
        ),
        in_log=(
            "container process: exec: ...: executable file not found in $PATH",
            "unable to start container process: exec: ...: no such file or directory",
            "attempted to invoke a command that was not found",
        ),
    ),
    Symptom(
        "container.command-denied",
        "the command may not be executed",
        Fix("chmod +x FILE, or name its interpreter: python FILE."),
        text=r"exec: \"[^\"]*\":[^\n]*permission denied",
        in_log=(
            "unable to start container process: exec: ...: permission denied",
            "runc: exec: ...: permission denied",
        ),
    ),
    # What it was to be shown.
    Symptom(
        "container.bind-refused",
        "the engine may not look into a folder that the run needs",
        Fix("NFS with root squash, or an unshared folder: copy the data to a local disk, or --in venv."),
        text=(
            r"mounts? denied|(error while creating mount source path|error mounting|l?stat(fs)? /|"
            r"invalid mount config)[^\n]*(permission denied|not permitted|not shared)"
        ),
        in_log=(
            "error while creating mount source path ...permission denied",
            "invalid mount config for type ...permission denied",
            "error mounting ...operation not permitted",
            "Mounts denied: ",
            "statfs /...: permission denied",
        ),
    ),
    Symptom(
        "container.bind-missing",
        "the engine does not see a folder of this machine",
        Fix("Does it run here? A remote engine, or one outside of this container, has others: --in venv."),
        text=(
            r"bind source path does not exist|statfs [^\n]*no such file|bind mount source .* does not exist"
        ),
        in_log=(
            "bind source path does not exist: ",
            "statfs /...: no such file or directory",
            "bind mount source ...does not exist",
        ),
    ),
    # The engine itself.
    DENIED,
    CONTEXT,
    GONE,
)
