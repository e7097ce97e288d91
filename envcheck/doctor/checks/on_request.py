"""The checks that are made on request: they look at a snapshot, a repository, a proof, NVIDIA's own tests."""

from __future__ import annotations

from envcheck.doctor.check import Check
from envcheck.doctor.checks import CHECKS, compose, deep, drift, images, project, stress, together

# Made where there is a snapshot to compare with.
DRIFT: tuple[Check, ...] = (
    drift.Facts("driver", "The driver is", r"driver(\..+)?"),
    drift.Facts("gpus", "The GPUs are", r"(gpus|pci)\[.*\](\.(?!mig$).+)?"),
    drift.Facts("mig", "MIG is", r"gpus\[.*\]\.mig"),
    drift.Facts("kernel", "The kernel is", r"os\.kernel", "info"),
    drift.Facts("system", "The system is", r"(os\.(?!kernel$)|variables\[).+", "info"),
    drift.Facts("engine", "The container engines are", r"(engines\[|toolkit\.|cdi\[).*"),
    drift.Facts("python", "The Pythons are", r"(python\.|installed\[).+"),
    drift.Pick(),
)

# Made where the picked environment is asked to prove itself.
DEEP: tuple[Check, ...] = (
    deep.EnvironmentBuilt(),
    deep.PromiseKept(),
    deep.Computed("matmul", "Matrices are multiplied", ("matmul",), ("float32",)),
    deep.Computed("conv", "Convolutions are computed", ("conv",), ("float32",)),
    deep.Computed("deconv", "Transposed convolutions are computed", ("deconv",), ("float32",)),
    deep.Computed("bf16", "bfloat16 is computed", ("matmul", "conv", "deconv"), ("bfloat16",), devices=1),
    deep.Computed(
        "copies", "Copies to and from GPUs arrive", ("to-device", "from-device"), ("int32",), devices=1
    ),
    deep.Computed("peers", "Copies between GPUs arrive", ("peer",), ("int32",), devices=2),
)

# Made where NVIDIA's own tests are run.
STRESS: tuple[Check, ...] = (stress.Dcgm(),)

# Made where a repository is named.
PROJECT: tuple[Check, ...] = (
    project.Unreadable(),
    images.BaseImageStarts(),
    project.MADE,
    project.CODE,
    project.CUDA,
    project.PythonServed(),
    together.Numpy(),
    together.Pair(),
    together.OneOpencv(),
    compose.ServiceGpus(),
    compose.ServiceSharedMemory(),
)

ALL = (*CHECKS, *DRIFT, *PROJECT, *DEEP, *STRESS)
