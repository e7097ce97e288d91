"""Which of the caller's variables a container is given: a list, so that no secret goes in by accident."""

from __future__ import annotations

from collections.abc import Mapping

# How numbers come out and how texts look, what a scheduler says of this process, what libraries are told.
_NAMES = frozenset(
    (
        *("LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"),
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        *("PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONWARNINGS", "PYTHONFAULTHANDLER"),
        *("CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING", "CUBLAS_WORKSPACE_CONFIG", "CUDNN_LOGLEVEL_DBG"),
        *(
            "NVIDIA_TF32_OVERRIDE",
            "PYTORCH_CUDA_ALLOC_CONF",
            "PYTORCH_ALLOC_CONF",
            "PYTORCH_NO_CUDA_MEMORY_CACHING",
        ),
        *(
            "SLURM_JOB_ID",
            "SLURM_PROCID",
            "SLURM_LOCALID",
            "SLURM_NTASKS",
            "SLURM_NODEID",
            "SLURM_JOB_NODELIST",
        ),
    )
)
_FAMILIES = ("LC_", "NCCL_", "TORCH_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "KMP_", "GLOO_")
# Of those families, what names a place of this machine.
_NEVER = frozenset(
    (
        *(
            "TORCH_HOME",
            "TORCHINDUCTOR_CACHE_DIR",
            "TORCH_EXTENSIONS_DIR",
            "NCCL_CONF_FILE",
            "NCCL_DEBUG_FILE",
        ),
        *("NCCL_TOPO_FILE", "NCCL_TOPO_DUMP_FILE", "NCCL_GRAPH_FILE", "NCCL_GRAPH_DUMP_FILE"),
    )
)
# Where processes meet: others than those inside are out of reach without a network.
_MEETING = frozenset(
    ("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK")
)
_LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


def passed_on(environ: Mapping[str, str], *, network: bool) -> dict[str, str]:
    """Return what of `environ` a container gets; one without network meets nobody but itself, on `lo`."""
    given = {
        name: value
        for name, value in environ.items()
        if name in _NAMES or (name.startswith(_FAMILIES) and name not in _NEVER)
    }
    if not network:
        return {**given, **_LOOPBACK}
    return {**given, **{name: environ[name] for name in _MEETING if name in environ}}
