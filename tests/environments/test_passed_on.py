from __future__ import annotations

import pytest

from envcheck.environments.passed_on import passed_on


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "WANDB_API_KEY", "GITHUB_TOKEN", "SLURM_JWT"),
        *("SSH_AUTH_SOCK", "DOCKER_HOST", "https_proxy", "HTTP_PROXY", "PIP_INDEX_URL"),
        *("PATH", "HOME", "USER", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "TMPDIR", "VIRTUAL_ENV"),
        *("TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "TORCH_EXTENSIONS_DIR", "NCCL_TOPO_FILE"),
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ENVCHECK_CACHE"),
        *("MY_NCCL_DEBUG", "LCD", "lang"),
    ],
)
def test_what_nobody_asked_for_stays_out(name):
    assert passed_on({name: "x", "LANG": "C"}, network=True) == {"LANG": "C"}


@pytest.mark.parametrize(
    "name",
    [
        *("LANG", "TZ", "TERM", "NO_COLOR", "OMP_NUM_THREADS", "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG"),
        *("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_PROCID"),
        *("LC_ALL", "LC_NUMERIC", "NCCL_DEBUG", "TORCH_LOGS", "TORCHDYNAMO_DISABLE", "GLOO_SOCKET_IFNAME"),
    ],
)
def test_what_numbers_texts_and_ranks_depend_on_goes_in(name):
    assert passed_on({name: "value", "SECRET": "x"}, network=True) == {name: "value"}


def test_processes_without_a_network_meet_on_loopback_and_nobody_else():
    environ = {"MASTER_ADDR": "node1", "RANK": "3", "NCCL_SOCKET_IFNAME": "ib0", "NCCL_DEBUG": "INFO"}
    loopback = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    assert passed_on(environ, network=False) == {"NCCL_DEBUG": "INFO", **loopback}
    assert passed_on(environ, network=True) == environ


def test_a_value_goes_in_as_it_is():
    assert passed_on({"TZ": "", "LC_ALL": "a=b\nc"}, network=True) == {"TZ": "", "LC_ALL": "a=b\nc"}
