"""Which of the caller's variables a container is given: a list, so that no secret goes in by accident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
        *("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK"),
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
# Of those families, what names a place of this machine or opens a door.
_NEVER = frozenset(("TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "TORCH_EXTENSIONS_DIR"))


def passed_on(environ: Mapping[str, str], asked: Iterable[str] = ()) -> dict[str, str]:
    """Return what of `environ` a container gets; `asked` are names that somebody wants there besides."""
    wanted = set(asked)
    return {
        name: value
        for name, value in environ.items()
        if name in wanted or name in _NAMES or (name.startswith(_FAMILIES) and name not in _NEVER)
    }
