"""Texts as pip, engines, drivers, torch and kernels say them, and what envcheck takes each for.

Texts of engines were met on Debian's docker.io 20.10.24 and podman 4.3.1 where they could be made there; the
others stand in `../shared/design/doctor-checks.md`, in public threads, or in the programs' own sources.
Long because it is texts alone.
"""

from __future__ import annotations

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

# Of the above, what is blamed on nobody in a log, where anybody may say it.
TOO_LITTLE_FOR_A_LOG = {
    "pip._vendor.requests.exceptions.ConnectionError: None: None",
    "closing transport due to: connection error: desc = x",
    "committing container: ENOSPC",
    "not enough space in the storage pool",
    "libgomp: Resource temporarily unavailable: cannot make a thread",
    "Permission denied",
    "Connection refused",
    "No such file or directory",
    "Remote end closed connection without response",
    "FileNotFoundError(2, 'No such file or directory')",
    "Broken pipe",
    "Connection broken: InvalidChunkLength(got length b'', 0 bytes read)",
    "IncompleteRead(12 bytes read)",
    "502 Server Error: Bad Gateway",
    "rpc error: unexpected EOF",
    "Connection broken: IncompleteRead(0 bytes read)",
}

SAID_IN_LOGS = [
    # The kernel and the driver.
    (
        "gpu.lost",
        "[86400.123456] NVRM: GPU at PCI:0000:65:00: GPU-0f1e2d3c: GPU has fallen off the bus.",
    ),
    ("gpu.lost", "Nov 25 03:12:44 node7 kernel: NVRM: GPU 0000:65:00.0: GPU has fallen off the bus."),
    (
        "gpu.lost",
        "Nov 25 03:12:44 node7 kernel: NVRM: Xid (PCI:0000:65:00): 79, pid=4711, name=python, GPU fell off",
    ),
    (
        "gpu.lost",
        "GPU 00000000:02:00.0: GPU is lost.  Reboot the system to recover this GPU",
    ),
    ("gpu.lost", "GPU is lost. Reboot the system to recover this GPU"),
    ("gpu.lost", "Unable to determine the device handle for GPU2: 0000:D8:00.0: Unknown Error"),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 48, pid=2211, name=python3, An uncorrectable double bit error (DBE) has been detected on GPU",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 74, pid='<unknown>', name=<unknown>, NVLink: fatal error detected on link 3",
    ),
    ("gpu.fault", "kernel: NVRM: Xid (PCI:0000:17:00): 94, pid=2211, name=python3, Contained: SM (0x1)"),
    ("gpu.fault", "kernel: NVRM: Xid (PCI:0000:17:00): 95, pid=2211, name=python3, Uncontained: LTC TAG"),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 64, pid=2211, Dynamic Page Retirement: Fatal error, unable to retire page (0x17f2a)",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 119, pid=2211, name=nvidia-smi, Timeout after 6s of waiting for RPC response from GPU1 GSP! Expected function 76 (GSP_RM_CONTROL)",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 120, pid='<unknown>', name=<unknown>, GSP task timeout @ pc:0x4bd36c4, task: 1",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 140, pid='<unknown>', name=<unknown>, An uncorrectable ECC error detected (possible firmware handling failure)",
    ),
    ("gpu.fault", "kernel: NVRM: Xid (PCI:0000:17:00): 46, pid=2211, name=python3, GPU stopped processing"),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 62, pid='<unknown>', name=<unknown>, 2027(2d44) 00000000 00000000",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 63, pid='<unknown>', name=<unknown>, Row Remapper: New row marked for remapping, reset gpu to activate.",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 92, pid='<unknown>', name=<unknown>, High single-bit ECC error rate",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 109, pid=2211, name=python3, Ch 00000008, errorString CTX SWITCH TIMEOUT, Info 0x4c008",
    ),
    ("gpu.fault", "kernel: NVRM: Xid (PCI:0000:17:00): 110, pid=2211, name=python3, Security fault"),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 136, pid='<unknown>', name=<unknown>, NVLink: link training failed on link 3",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 143, pid='<unknown>', name=<unknown>, GPU Init Failed Error",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 157, pid='<unknown>', name=<unknown>, Resources unavailable for row remapping",
    ),
    (
        "gpu.fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 158, pid='<unknown>', name=<unknown>, GPU Fatal Timeout",
    ),
    (
        "card.start",
        "[   12.345678] NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x26:0x56:1463)",
    ),
    ("gpu.fault", "RuntimeError: CUDA error: uncorrectable ECC error encountered"),
    (
        "gpu.fault",
        "torch.AcceleratorError: CUDA error: uncorrectable NVLink error detected during the execution",
    ),
    ("card.nouveau", "[    8.123] NVRM: GPU 0000:01:00.0 is already bound to nouveau."),
    ("card.nouveau", "[  201.910514] NVRM: GPU 0000:01:00.0 is already bound to NovaCore."),
    (
        "card.nouveau",
        "ERROR: The Nouveau kernel driver is currently in use by your system.  This driver is incompatible with the NVIDIA driver",
    ),
    (
        "driver.open-module",
        "[    9.456] NVRM: installed in this system requires use of the NVIDIA open kernel modules.",
    ),
    ("card.bound", "[    9.456] NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please"),
    ("card.bound", "[    9.456] NVRM: No NVIDIA GPU found."),
    (
        "driver.loaded",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
    ),
    ("driver.loaded", "Failed to initialize NVML: Driver Not Loaded"),
    (
        "driver.loaded",
        "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
    ),
    (
        "driver.loaded",
        "modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.8.0-60-generic",
    ),
    ("driver.loaded", "modprobe: ERROR: could not insert 'nvidia': No such device"),
    ("driver.loaded", "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"),
    ("driver.module-match", "Failed to initialize NVML: Driver/library version mismatch"),
    (
        "driver.module-match",
        "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
    ),
    (
        "driver.module-match",
        "kernel: NVRM: API mismatch: the client has the version 550.144.03, but",
    ),
    (
        "system.wsl",
        "nvidia-container-cli: initialization error: WSL environment detected but no adapters were found: unknown",
    ),
    (
        "driver.present",
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver",
    ),
    (
        "driver.present",
        "WARNING: The NVIDIA Driver was not detected.  GPU functionality will not be available.",
    ),
    ("driver.present", "Failed to initialize NVML: Driver Not Found"),
    ("driver.present", "bash: line 1: nvidia-smi: command not found"),
    ("driver.present", "sh: 1: nvidia-smi: not found"),
    (
        "driver.present",
        "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
    ),
    ("driver.present", "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure"),
    (
        "driver.present",
        "W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library 'libcuda.so.1'; dlerror: x",
    ),
    # CUDA as it starts.
    (
        "driver.uvm",
        "UserWarning: CUDA initialization: CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env variable CUDA_VISIBLE_DEVICES after program start.",
    ),
    ("driver.uvm", "RuntimeError: CUDA error: unknown error"),
    ("driver.uvm", "failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error"),
    ("driver.uvm", "Cuda error 999: cudaErrorUnknown in init.cpp"),
    (
        "driver.too-old",
        "RuntimeError: cuda runtime error (35) : CUDA driver version is insufficient for CUDA runtime version at /pytorch/aten/src/THC/THCGeneral.cpp:50",
    ),
    (
        "driver.too-old",
        "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver",
    ),
    (
        "driver.compat",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 804: forward compatibility was attempted on non supported HW",
    ),
    (
        "driver.compat",
        "failed call to cuInit: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    ),
    (
        "gpu.fabric",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized",
    ),
    ("gpu.fabric", "NCCL WARN Cuda failure 'system not yet initialized'"),
    ("gpu.fabric", "cuInit failed: CUDA_ERROR_SYSTEM_NOT_READY"),
    ("gpu.fabric", "terminate called: cudaErrorSystemNotReady"),
    (
        "driver.ptx",
        "RuntimeError: CUDA error: the provided PTX was compiled with an unsupported toolchain.",
    ),
    ("driver.ptx", "cuModuleLoadData failed: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
    (
        "gpu.exclusive",
        "RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable",
    ),
    (
        "gpu.exclusive",
        "torch.AcceleratorError: CUDA error: CUDA-capable device(s) is/are busy or unavailable",
    ),
    ("gpu.exclusive", "cuCtxCreate: CUDA_ERROR_DEVICE_UNAVAILABLE"),
    ("gpu.mig", "|  No MIG devices found                                                                 |"),
    ("gpu.mig", "No MIG-enabled devices found."),
    (
        "gpu.twice",
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1331, invalid usage. Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 4b000",
    ),
    ("gpu.none-visible", "RuntimeError: No CUDA GPUs are available"),
    ("gpu.none-visible", "RuntimeError: CUDA error: no CUDA-capable device is detected"),
    ("gpu.none-visible", "failed call to cuInit: CUDA_ERROR_NO_DEVICE"),
    (
        "gpu.none-visible",
        "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a CPU-only machine",
    ),
    ("gpu.ordinal", "RuntimeError: CUDA error: invalid device ordinal"),
    ("gpu.ordinal", "cuDeviceGet: CUDA_ERROR_INVALID_DEVICE"),
    (
        "driver.vgpu-license",
        "Oct 12 17:22:37 vm1 nvidia-gridd[5805]: Failed to acquire license from 10.0.0.9",
    ),
    ("driver.vgpu-license", "Nov 25 nvidia-gridd: Unlicensed (Unrestricted)"),
    ("driver.vgpu-license", "Nov 25 nvidia-gridd: License expired. Reconnect to the license server."),
    (
        "gpu.memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.69 GiB",
    ),
    ("gpu.memory", "RuntimeError: CUDA error: out of memory"),
    ("gpu.memory", "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    (
        "gpu.memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ),
    (
        "gpu.program-fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 13, pid=2211, name=python3, Graphics SM Warp Exception",
    ),
    (
        "gpu.program-fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 31, pid=2211, name=python3, Ch 00000008, MMU Fault",
    ),
    ("gpu.program-fault", "kernel: NVRM: Xid (PCI:0000:17:00): 43, pid=2211, name=python3, Ch 00000018"),
    (
        "gpu.program-fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 45, pid=2211, name=python3, Ch 00000008",
    ),
    (
        "gpu.program-fault",
        "kernel: NVRM: Xid (PCI:0000:17:00): 69, pid=2211, name=python3, Class Error: ChId 0008, Class 0000c7c0",
    ),
    ("gpu.program-fault", "RuntimeError: CUDA error: an illegal memory access was encountered"),
    ("gpu.program-fault", "RuntimeError: CUDA error: device-side assert triggered"),
    # Containers.
    ("container.devices-lost", "Failed to initialize NVML: Unknown Error"),
    ("container.selinux", "Failed to initialize NVML: Insufficient Permissions"),
    (
        "container.selinux",
        "nvidia-container-cli: initialization error: nvml error: insufficient permissions: unknown",
    ),
    (
        "container.selinux",
        'type=AVC msg=audit(1683468487.052:3337): avc:  denied  { read write } for  pid=6 comm="python" name="nvidiactl"',
    ),
    ("container.selinux", 'kernel: audit: avc: denied { map } for pid=6 comm="python" path="/dev/nvidia0"'),
    ("container.platform", "exec /usr/local/bin/python: exec format error"),
    (
        "container.platform",
        "WARNING: The requested image's platform (linux/arm64/v8) does not match the detected host platform (linux/amd64/v3)",
    ),
    (
        "container.out-of-memory",
        "kernel: Memory cgroup out of memory: Killed process 4711 (python) total-vm:9000000kB",
    ),
    ("container.out-of-memory", "kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=python"),
    ("container.out-of-memory", '    "OOMKilled": true,'),
    (
        "container.toolkit-missing",
        "docker: Error response from daemon: unknown or invalid runtime name: nvidia.",
    ),
    (
        "container.toolkit-missing",
        "docker: Error response from daemon: unknown runtime specified nvidia.",
    ),
    (
        "container.cdi-unresolvable",
        'docker: Error response from daemon: could not select device driver "cdi" with capabilities: [[gpu]]',
    ),
    (
        "container.cdi-unresolvable",
        'time="2026-11-25" level=error msg="no such device: \\"nvidia.com/gpu=all\\""',
    ),
    (
        "container.rlimit",
        "Error: runc: error setting rlimit type 7: operation not permitted: OCI permission denied",
    ),
    (
        "container.init-missing",
        RUNC + 'exec: "docker-init": executable file not found in $PATH: unknown',
    ),
    (
        "container.socket-denied",
        "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
    ),
    (
        "container.threads",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 64: Operation not permitted",
    ),
    (
        "container.shm",
        "RuntimeError: unable to open shared memory object </torch_99_1_0> in read-write mode: No space left on device (28)",
    ),
    (
        "container.shm",
        "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-aBc123 (size 9637888)",
    ),
    ("container.read-only", "mkdir: cannot create directory '/data/x': Read-only file system"),
    # The system and the network.
    ("system.out-of-memory", "kernel: Out of memory: Killed process 4711 (python) total-vm:90000000kB"),
    (
        "system.out-of-memory",
        "kernel: oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,task=python,pid=4711",
    ),
    ("system.out-of-memory", "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Killed."),
    (
        "system.out-of-memory",
        "traceback : Signal 9 (SIGKILL) received by PID 4711",
    ),
    ("system.open-files", "OSError: [Errno 24] Too many open files: '/data/train/000123.jpg'"),
    (
        "system.open-files",
        "RuntimeError: unable to open shared memory object </torch_9_1_0> in read-write mode: Too many open files (24)",
    ),
    ("system.open-files", "RuntimeError: received 0 items of ancdata"),
    (
        "system.memlock",
        "node1:4711:4799 [0] misc/ibvwrap.cc:252 NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory",
    ),
    (
        "system.memlock",
        "node1:4711:4799 [0] misc/ibvwrap.cc:190 NCCL WARN Call to ibv_create_cq failed with error Cannot allocate memory",
    ),
    (
        "system.clock",
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid (_ssl.c:1000)",
    ),
    (
        "system.clock",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1000)",
    ),
    (
        "network.timeout",
        "ReadTimeoutError(\"HTTPSConnectionPool(host='mirror', port=443): Read timed out. (read timeout=15)\")",
    ),
    ("network.unreachable", "curl: (6) Could not resolve host: example.org"),
    ("disk.full", "tar: checkpoint.pth: Wrote only 4096 of 10240 bytes: No space left on device"),
    # Python, torch and what is around it.
    (
        "torch.no-kernel-image",
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    ),
    (
        "torch.no-kernel-image",
        "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.",
    ),
    ("torch.no-kernel-image", "cuModuleLoad: CUDA_ERROR_NO_BINARY_FOR_GPU"),
    ("torch.no-kernel-image", "what(): cudaErrorNoKernelImageForDevice"),
    ("torch.cpu-only", "AssertionError: Torch not compiled with CUDA enabled"),
    ("torch.cpu-only", "RuntimeError: PyTorch was compiled without CUDA support"),
    ("wheel.python", "ERROR: Package 'x' requires a different Python: 3.14.0 not in '<3.13,>=3.9'"),
    (
        "wheel.python",
        "ERROR: torch-2.0.1-cp310-cp310-linux_x86_64.whl is not a supported wheel on this platform.",
    ),
    (
        "wheel.python",
        "ERROR: Ignored the following versions that require a different python version: 1.6.2 Requires-Python >=3.7,<3.10",
    ),
    (
        "torch.shadowed-libraries",
        "ImportError: libcusparse.so.12: undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12",
    ),
    ("torch.shadowed-libraries", "ImportError: libtorch_cuda.so: undefined symbol: ncclCommRegister"),
    (
        "torch.shadowed-libraries",
        "ImportError: libcublas.so.12: undefined symbol: cublasLtGetEnvironmentMode, version libcublasLt.so.12",
    ),
    ("torch.shadowed-libraries", "ImportError: libtorch_cuda.so: undefined symbol: cusparseSpSM_analysis"),
    ("torch.shadowed-libraries", "ImportError: libtorch_cuda.so: undefined symbol: cudnnGetVersion"),
    (
        "torch.library-missing",
        "ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libcublas.so.12: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libcublasLt.so.12: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libcudart.so.11.0: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libnccl.so.2: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libcusparseLt.so.0: cannot open shared object file: No such file or directory",
    ),
    (
        "torch.library-missing",
        "ImportError: libnvrtc.so.12: cannot open shared object file: No such file or directory",
    ),
    (
        "numpy.too-new",
        "A module that was compiled using NumPy 1.x cannot be run in",
    ),
    ("numpy.too-new", "RuntimeError: Numpy is not available"),
    (
        "numpy.other-abi",
        "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject",
    ),
    (
        "numpy.other-abi",
        "ValueError: numpy.ndarray size changed, may indicate binary incompatibility. Expected 96 from C header, got 80",
    ),
    (
        "opencv.system-library",
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
    ),
    (
        "opencv.system-library",
        "ImportError: libgthread-2.0.so.0: cannot open shared object file: No such file or directory",
    ),
    (
        "opencv.system-library",
        "ImportError: libSM.so.6: cannot open shared object file: No such file or directory",
    ),
    ("torch.pair", "RuntimeError: operator torchvision::nms does not exist"),
    ("torch.pair", "RuntimeError: No such operator torchvision::nms"),
    (
        "torch.pair",
        "NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' backend. This could be",
    ),
    (
        "torch.pair",
        "RuntimeError: Couldn't load custom C++ ops. This can happen if your PyTorch and torchvision versions are incompatible",
    ),
    (
        "torch.pair",
        "RuntimeError: Detected that PyTorch and torchvision were compiled with different CUDA major versions.",
    ),
    (
        "torch.pair",
        "RuntimeError: Detected that PyTorch and torchaudio were compiled with different CUDA versions.",
    ),
    (
        "torch.toolkit",
        "The detected CUDA version (12.4) mismatches the version that was used to compile",
    ),
    (
        "torch.compiler",
        "RuntimeError: Failed to find C compiler. Please specify via CC environment variable or set triton.knobs.build.impl.",
    ),
    ("torch.compiler", "build/main.c:5:10: fatal error: Python.h: No such file or directory"),
    (
        "torch.compiler",
        "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx",
    ),
    (
        "system.glibc",
        "ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by x.so)",
    ),
    (
        "system.glibc",
        "ImportError: /lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by x.so)",
    ),
    # Several ranks.
    (
        "several.port-taken",
        "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. port: 29500, useIpv6: false, code: -98, name: EADDRINUSE",
    ),
    (
        "several.port-taken",
        "[W socket.cpp:436] [c10d] The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use).",
    ),
    (
        "several.host-name",
        "[W socket.cpp:601] [c10d] The IPv6 network addresses of (node-a, 29500) cannot be retrieved (gai error: -2 - Name or service not known).",
    ),
    (
        "several.host-name",
        "[W socket.cpp:601] [c10d] The IPv4 network addresses of (node-a, 29500) cannot be retrieved (gai error: -3 - Temporary failure in name resolution).",
    ),
    (
        "several.unreachable",
        "torch.distributed.DistNetworkError: The client socket has timed out after 60000ms while trying to connect to (10.0.0.1, 29500).",
    ),
    (
        "several.unreachable",
        "[E socket.cpp:957] [c10d] The client socket has failed to connect to any network address of (10.0.0.1, 29500).",
    ),
    (
        "several.interface",
        "node1:4711:4711 [0] bootstrap.cc:45 NCCL WARN Bootstrap : no socket interface found",
    ),
    (
        "several.interface",
        "node1:4711:4799 [0] include/socket.h:403 NCCL WARN Net : Call to connect returned Connection timed out",
    ),
    (
        "several.interface",
        "node1:4711:4799 [0] misc/socket.cc:484 NCCL WARN socketStartConnect: Connect to 172.17.0.1<43921> failed : Software caused connection abort",
    ),
    (
        "several.nccl-versions",
        "node1:4711:4799 [0] bootstrap.cc:76 NCCL WARN Message truncated : received 1024 bytes instead of 256",
    ),
    (
        "several.nccl-versions",
        "transport/net_socket.cc:424 NCCL WARN NET/Socket : peer 10.0.0.2<59210> message truncated : receiving 1048576 bytes instead of 65536",
    ),
    (
        "several.nccl-versions",
        "ncclInvalidUsage: This usually reflects invalid usage of NCCL library.",
    ),
    (
        "several.peer-access",
        "NCCL WARN Cuda failure 'peer access is not supported between these two devices'",
    ),
    ("several.peer-access", "RuntimeError: CUDA error: peer mapping resources exhausted"),
    (
        "several.nccl-system",
        "torch.distributed.DistBackendError: NCCL error in: NCCLUtils.cpp:77, unhandled system error (run with NCCL_DEBUG=INFO for details)",
    ),
    (
        "several.nccl-system",
        "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.",
    ),
    (
        "several.timeout",
        "[rank3]:[E ProcessGroupNCCL.cpp:616] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=12, OpType=ALLREDUCE)",
    ),
]
