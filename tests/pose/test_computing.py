"""How a stage computed: what is recorded of this process, and what of its variables never is."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.machines import computing  # noqa: E402
from pose.machines.computing import deciding  # noqa: E402
from pose.machines.devices import Devices  # noqa: E402

DECIDE = {
    "OMP_PLACES": "{0:4}",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "KMP_AFFINITY": "granularity=fine,compact,1,0",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "default",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F",
    "NVIDIA_TF32_OVERRIDE": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
}


def test_variables_that_decide_are_told_and_no_others():
    assert deciding({**DECIDE, "HOME": "/home/me", "OMP_NUM_THREADS": "2", "LANG": "C"}) == DECIDE


def test_no_path_and_no_secret_is_told():
    private = {"TORCH_HOME": "cache", "MKL_TOKEN": "abc", "TORCH_LOGS_OUT": "/home/me/log", "OMP_X": "a@b"}
    assert deciding(private) == {"TORCH_LOGS_OUT": "set", "OMP_X": "set"}


def test_what_decides_on_the_last_bit_is_recorded(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    told = computing.computing(Devices((), 0))
    assert told["interop_threads"] == torch.get_num_interop_threads()
    assert (told["matmul_precision"], told["default_dtype"]) == ("highest", "torch.float32")
    assert told["mkldnn"] is True
    assert told["variables"]["MKL_CBWR"] == "AVX2"


def test_two_generations_of_one_name_are_two(monkeypatch):
    def generation(model, flags):
        text = f"processor\t: 0\ncpu family\t: 25\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\ncpu MHz\t: 2\n"
        monkeypatch.setattr(
            Path, "read_text", lambda *_, **__: f"{text}flags\t\t: {flags}\n\nprocessor\t: 1\n"
        )
        return computing.generation()

    assert generation(1, "fpu avx2") == generation(1, "fpu avx2")
    assert len({generation(1, "fpu avx2"), generation(17, "fpu avx2"), generation(1, "fpu avx512f")}) == 3
