"""Texts as pip, engines and torch say them, and what envcheck takes them for.

Texts of engines were met on Debian's docker.io 20.10.24 and podman 4.3.1 where they could be made there; the
others stand in `../shared/design/doctor-checks.md` or in the programs' own sources. Long because of the texts:
the code is a page.
"""

from __future__ import annotations

import pytest

from envcheck.errors import EnvcheckError, RetryError
from envcheck.symptoms import ENGINE, INSIDE, OUT_OF_MEMORY, PIP, SHUT_OFF, error_kind, find

RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
    "failed: unable to start container process: "
)
HOOK = RUNC + "error during container init: error running hook #0: exit status 1, stdout: , stderr: "

SAID_BY_PIP = [
    ("disk.full", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"),
    (
        "wheel.hash",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the",
    ),
    (
        "network.certificate",
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1, "
            "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate'))'"
        ),
    ),
    ("disk.permission", "ERROR: [Errno 13] Permission denied: '/var/cache/envcheck/wheels/x.whl'"),
    (
        "wheel.absent",
        (
            "ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu (from versions: none)"
            "\nERROR: No matching distribution found for torch==2.13.0+cpu"
        ),
    ),
    (
        "network.timeout",
        (
            "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='mirror', port=443): "
            "Read timed out."
        ),
    ),
    (
        "network.unreachable",
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3."
            "connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno -2] Name or "
            "service not known')': /simple/alpha/"
        ),
    ),
    ("network.unreachable", "ConnectionResetError: [Errno 104] Connection reset by peer"),
    ("network.unreachable", "Failed to establish a new connection: [Errno 113] No route to host"),
    ("network.unreachable", "pip._vendor.requests.exceptions.ConnectionError: None: None"),
    (
        "network.unreachable",
        "HTTPSConnectionPool(host='mirror', port=443): Max retries exceeded with url: /x",
    ),
    ("network.unreachable", "<urlopen error [Errno -3] Temporary failure in name resolution>"),
    ("network.unreachable", "OSError: [Errno 101] Network is unreachable"),
]

SAID_BY_ENGINES = [
    ("container.limit", "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ("container.limit", "Your kernel does not support memory limit capabilities. Limitation discarded."),
    ("container.limit", "Minimum memory limit allowed is 6MB"),
    ("container.engine-gone", "rpc error: code = Unavailable desc = error reading from server: EOF"),
    ("container.engine-gone", "closing transport due to: connection error: desc = x"),
    (
        "container.require-cuda",
        HOOK
        + "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your "
        "driver to a newer version, or use an earlier cuda container: unknown",
    ),
    (
        "container.driver-library",
        HOOK
        + "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open "
        "shared object file: no such file or directory: unknown",
    ),
    (
        "container.cdi-unresolvable",
        "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
    ),
    (
        "container.cdi-unresolvable",
        "container create: stat nvidia.com/gpu=GPU-7c: no such file or directory",
    ),
    ("container.cdi-unresolvable", 'could not select device driver "cdi" with capabilities: []'),
    ("container.cdi-unresolvable", "no such device: nvidia.com/gpu=all"),
    (
        "container.cdi-unresolvable",
        (
            'error gathering device information while adding custom device "nvidia.com/gpu=X": no such file or '
            "directory"
        ),
    ),
    ("container.toolkit-missing", 'could not select device driver "" with capabilities: [[gpu]]'),
    ("container.toolkit-missing", 'could not select device driver "nvidia" with capabilities: [[gpu]]'),
    ("container.toolkit-missing", "Unknown runtime specified nvidia"),
    ("container.toolkit-missing", "unknown or invalid runtime name: nvidia"),
    (
        "container.toolkit-missing",
        RUNC + 'exec: "nvidia-container-runtime-hook": executable file not found in $PATH: unknown',
    ),
    ("container.digest-mismatch", "manifest unknown: manifest unknown"),
    ("container.digest-mismatch", "manifest verification failed for digest sha256:00ab"),
    ("container.digest-mismatch", "filesystem layer verification failed for digest sha256:00ab"),
    ("container.digest-mismatch", "Digest did not match, expected sha256:00ab, got sha256:00cd"),
    (
        "container.registry-denied",
        (
            "pull access denied for python, repository does not exist or may require 'docker login': denied: "
            "requested access to the resource is denied"
        ),
    ),
    ("container.registry-denied", "unauthorized: authentication required"),
    ("container.registry-denied", "pull access denied for python, repository does not exist"),
    ("container.registry-denied", "errors: denied: requested access to the resource is denied"),
    (
        "container.registry-unreachable",
        "pinging container registry registry.example: invalid status code 503",
    ),
    (
        "container.registry-unreachable",
        "error pinging docker registry registry.example: unexpected status 503",
    ),
    ("container.registry-limit", "toomanyrequests: You have reached your pull rate limit."),
    (
        "container.registry-unreachable",
        'Get "https://registry.example/v2/": dial tcp: lookup registry.example on 10.0.0.2:53: no such host',
    ),
    (
        "container.registry-unreachable",
        (
            "creating build container: initializing source docker://x:latest: pinging container registry "
            'registry.example: Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host'
        ),
    ),
    (
        "container.registry-unreachable",
        (
            'Get "https://registry.example/v2/": net/http: request canceled while waiting for connection '
            "(Client.Timeout exceeded while awaiting headers)"
        ),
    ),
    (
        "container.registry-unreachable",
        'Get "https://registry.example/v2/": x509: certificate signed by unknown authority',
    ),
    (
        "container.registry-unreachable",
        (
            'Get "https://registry.example/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection '
            "refused"
        ),
    ),
    (
        "disk.full",
        (
            "failed to register layer: Error processing tar file(exit status 1): write /opt/x: no space left on "
            "device"
        ),
    ),
    ("disk.full", "committing container: ENOSPC"),
    ("disk.full", "not enough space in the storage pool"),
    ("container.threads", "RuntimeError: can't start new thread"),
    ("container.threads", "runtime/cgo: pthread_create failed: Operation not permitted"),
    ("container.threads", "libgomp: Resource temporarily unavailable: cannot make a thread"),
    (
        "container.rlimit",
        (
            "preparing container 00ab for attach: runc: runc create failed: unable to start container process: error "
            "during container init: error setting rlimits for ready process: error setting rlimit type 7: operation "
            "not permitted: OCI permission denied"
        ),
    ),
    (
        "container.init-missing",
        (
            "container create: container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no "
            "such file or directory"
        ),
    ),
    ("container.command-missing", RUNC + 'exec: "nosuch": executable file not found in $PATH: unknown'),
    (
        "container.command-missing",
        RUNC + 'exec: "./absent.sh": stat ./absent.sh: no such file or directory: unknown',
    ),
    ("container.command-missing", RUNC + 'exec: "/x/a.sh": no such file or directory: unknown'),
    (
        "container.command-missing",
        (
            'preparing container 00ab for attach: runc: exec: "nosuch": executable file not found in $PATH: OCI '
            "runtime attempted to invoke a command that was not found"
        ),
    ),
    ("container.command-denied", RUNC + 'exec: "/etc/passwd": permission denied: unknown'),
    ("container.init-missing", "container-init binary not found on the host"),
    ("container.init-missing", 'exec: "docker-init": executable file not found in $PATH'),
    ("container.init-missing", "lookup init binary: no helper"),
    ("container.init-missing", "stat /usr/libexec/podman/catatonit: permission denied"),
    ("container.command-missing", "OCI runtime attempted to invoke a command that was not found"),
    (
        "container.command-denied",
        (
            'preparing container 00ab for attach: runc: exec: "/etc/passwd": permission denied: OCI permission '
            "denied"
        ),
    ),
    (
        "container.bind-refused",
        "error while creating mount source path '/nfs/data': mkdir /nfs/data: permission denied",
    ),
    (
        "container.bind-refused",
        'invalid mount config for type "bind": stat /nfs/data: permission denied',
    ),
    ("container.bind-refused", "container create: statfs /nfs/data: permission denied"),
    (
        "container.bind-refused",
        RUNC
        + 'error during container init: error mounting "/nfs/data" to rootfs at "/nfs/data": change mount '
        "propagation through procfd: operation not permitted: unknown",
    ),
    (
        "container.bind-refused",
        "Mounts denied: The path /data is not shared from the host and is not known to Docker.",
    ),
    (
        "container.bind-missing",
        'invalid mount config for type "bind": bind source path does not exist: /data/coco',
    ),
    ("container.bind-missing", "container create: statfs /data/coco: no such file or directory"),
    ("container.bind-missing", "bind mount source /data/coco does not exist"),
    ("container.socket-denied", "Permission denied"),
    (
        "container.socket-denied",
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock:"
            ' Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info": dial unix /var/run/docker.sock: connect: permission '
            "denied"
        ),
    ),
    (
        "container.socket-denied",
        (
            "Error while fetching server API version: ('Connection aborted.', PermissionError(13, 'Permission "
            "denied'))"
        ),
    ),
    ("container.socket-denied", "unix:///run/podman/podman.sock: Permission denied"),
    ("container.context", "The docker context work does not exist"),
    (
        "container.context",
        (
            'unable to resolve docker endpoint: context "work": context not found: open /home/me/.docker/contexts/'
            "meta/00ab/meta.json: no such file or directory"
        ),
    ),
    ("container.engine-gone", "Connection refused"),
    ("container.engine-gone", "No such file or directory"),
    ("container.engine-gone", "unix:///var/run/docker.sock (DOCKER_HOST): No such file or directory"),
    (
        "container.engine-gone",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ),
    ("container.engine-gone", "Cannot connect to the Docker daemon at tcp://10.0.0.1:2375."),
    ("container.engine-gone", "Lost connection to the Docker daemon"),
    ("container.engine-gone", "error during connect: this error may indicate: is the docker daemon running?"),
    ("container.engine-gone", "Remote end closed connection without response"),
    ("container.engine-gone", "('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))"),
    ("container.engine-gone", "FileNotFoundError(2, 'No such file or directory')"),
    ("container.engine-gone", "Broken pipe"),
    ("container.engine-gone", "Connection broken: InvalidChunkLength(got length b'', 0 bytes read)"),
    ("container.engine-gone", "IncompleteRead(12 bytes read)"),
    ("container.engine-gone", "502 Server Error: Bad Gateway"),
    ("container.engine-gone", "rpc error: unexpected EOF"),
    ("container.engine-gone", "Connection broken: IncompleteRead(0 bytes read)"),
    ("container.engine-gone", "UnixHTTPConnectionPool(host='localhost', port=None): Read timed out."),
]

SAID_INSIDE = [
    ("container.read-only", "OSError: [Errno 30] Read-only file system: '/data/x'"),
    (
        "container.gpu-not-given",
        "error: this environment is not what was promised: a GPU was promised, torch sees none",
    ),
    ("container.gpu-not-given", "not what was promised: 2 GPUs were promised, torch sees 1 (and 1 more)"),
    ("container.gpu-not-given", "GPU-2d8d1a6c-6b0e-4d3c was promised, torch does not see it"),
    (
        "container.shm",
        (
            "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that "
            "dataloader's workers are out of shared memory."
        ),
    ),
    (
        "container.shm",
        (
            "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory "
            "(shm)."
        ),
    ),
    (
        "container.shm",
        "RuntimeError: unable to write to file </torch_99_123_0>: No space left on device (28)",
    ),
    (
        "container.shm",
        (
            "RuntimeError: unable to allocate shared memory(shm) for file </torch_99_1_0>: Resource temporarily "
            "unavailable (11)"
        ),
    ),
    (
        "container.shm",
        "RuntimeError: unable to mmap 602112 bytes from file </torch_99_123_0>: Cannot allocate memory (12)",
    ),
    (
        "container.shm",
        "NCCL WARN Error: failed to extend /dev/shm/nccl-aBc123 to 33030532 bytes, error: No space left on device",
    ),
    ("container.threads", "RuntimeError: can't start new thread"),
    ("container.threads", "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 8"),
]


@pytest.mark.parametrize(("id", "text"), SAID_BY_PIP)
def test_what_pip_says_is_known(id, text):  # noqa: A002 - a symptom's
    assert getattr(find(PIP, text), "id", None) == id


@pytest.mark.parametrize(("id", "text"), SAID_BY_ENGINES)
def test_what_an_engine_says_is_known(id, text):  # noqa: A002
    assert getattr(find(ENGINE, text), "id", None) == id


@pytest.mark.parametrize(("id", "text"), SAID_INSIDE)
def test_what_a_stage_says_of_its_container_is_known(id, text):  # noqa: A002
    assert getattr(find(INSIDE, text), "id", None) == id


@pytest.mark.parametrize(
    ("symptoms", "said"), [(PIP, SAID_BY_PIP), (ENGINE, SAID_BY_ENGINES), (INSIDE, SAID_INSIDE)]
)
def test_no_symptom_is_without_a_text_here(symptoms, said):
    assert {one.id for one in symptoms} == {id for id, _ in said}  # noqa: A001


def test_the_kernels_word_on_memory_is_known():
    assert OUT_OF_MEMORY.is_in("Out of memory: Killed process 4711 (python) total-vm:9000000kB")


INNOCENT = [
    "Step 3/9 : COPY --from=build /stage/ /",
    " ---> Running in 0123456789ab",
    "Successfully tagged localhost/envcheck/cpu:0123456789abcdef",
    "Status: Image is up to date for python@sha256:00ab",
    "Digest: sha256:00ab",
    "0123456789ab: Verifying Checksum",
    "Collecting torch==2.13.0+cpu (from -r lock.txt (line 10))",
    "Looking in links: /wheels",
    "Downloading connection_pool-1.0-py3-none-any.whl (12 kB)",
    "Successfully installed filelock-3.29.0 numpy-2.4.0 torch-2.13.0",
    'WARNING: DOCKER_CONTEXT environment variable overrides the active context "work".',
    "COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist",
    "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/annotations.json'",
    "PermissionError: [Errno 13] cannot write 'out/log.txt'",
    "mkdir: cannot create directory '/x': Permission denied",
    "Epoch: [3][10/50]  Loss 0.00071 (0.00083)  Accuracy 0.812 (0.790)",
    "UserWarning: This DataLoader will create 8 worker processes in total.",
    "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "RuntimeError: unable to open shared memory object </torch_9_1_0> in read-write mode: Too many open files (24)",
]


@pytest.mark.parametrize("symptoms", [ENGINE, INSIDE, (OUT_OF_MEMORY,)])
@pytest.mark.parametrize("line", INNOCENT)
def test_an_innocent_line_shows_no_symptom(symptoms, line):
    assert find(symptoms, line) is None


@pytest.mark.parametrize("line", [line for line in INNOCENT if "Permission denied" not in line])
def test_an_innocent_line_of_pip_shows_none(line):
    assert find(PIP, line) is None


def test_the_first_symptom_of_a_list_counts_whatever_the_text_says_first():
    text = "error pinging registry: no such host; then: no space left on device"
    assert [one.id for one in (find(ENGINE, text), find(reversed(ENGINE), text)) if one] == [
        "container.registry-unreachable",
        "disk.full",
    ]


def test_whether_another_try_can_help_makes_the_kind_of_error():
    gone, denied = find(ENGINE, "Connection refused"), find(ENGINE, "Permission denied")
    assert gone is not None
    assert denied is not None
    assert (error_kind(gone), error_kind(denied)) == (RetryError, EnvcheckError)
    passing = {one.id for one in (*PIP, *ENGINE, *INSIDE, OUT_OF_MEMORY) if one.may_pass}
    assert passing == {
        "network.timeout",
        "network.unreachable",
        "container.registry-limit",
        "container.registry-unreachable",
        "container.engine-gone",
    }


@pytest.mark.parametrize(
    "said",
    [
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
        "curl: (6) Could not resolve host: example.org",
        "OSError: [Errno 101] Network is unreachable",
    ],
)
def test_what_a_command_without_network_says_is_known(said):
    assert SHUT_OFF.is_in(said)
