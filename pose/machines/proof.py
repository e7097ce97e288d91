"""The proof: what torch really sees here, and a computation on every device against a float64 reference.

A wheel that lacks a GPU's code imports well and lists the GPU; only a kernel tells. In a run folder the proof
is kept as proof.json and held against promise.json, what the environment's builder promised. The deep proof
measures more `operations`, which no stage has to wait for.
"""

from __future__ import annotations

import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import distributed
from torch.nn import functional

from pose.errors import FAILED, PoseError
from pose.machines.operations import NO_NUMBER, OperationProof, exactly, first_line, measure, relative
from pose.report import note
from pose.writing import write_json

PROOF_SCHEMA, PROMISE_SCHEMA = "envcheck.proof/1", "envcheck.promise/1"
# float32 sums over a few hundred products stay within 1e-6; a wrong kernel is off by far more.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class DeviceProof:
    """One device and how it computed; errors are shares of the reference's largest value."""

    device: str
    name: str
    capability: str | None
    uuid: str | None
    matmul_error: float | None  # None where it failed
    conv_error: float | None
    seconds: float
    failure: str | None = None

    @property
    def computes(self) -> bool:
        """Whether its results are right."""
        errors = (self.matmul_error, self.conv_error)
        return all(error is not None and error <= TOLERANCE for error in errors)


@dataclass(frozen=True)
class Proof:
    """Versions and devices as this process has them."""

    python: str
    platform: str
    torch: str
    torch_cuda: str | None
    cudnn: str | None
    nccl: str | None  # which speaks between GPUs
    numpy: str
    opencv: str
    pycocotools: str | None
    arch_flags: tuple[str, ...]
    threads: int
    devices: tuple[DeviceProof, ...]
    operations: tuple[OperationProof, ...] = ()  # the deep proof's

    def document(self, promise: dict[str, Any]) -> dict[str, Any]:
        """The JSON document, with what differs from the promise."""
        unkept = broken(promise, self)
        differences = wrong(self) + unkept
        return {
            "schema": PROOF_SCHEMA,
            **asdict(self),
            "kept": not differences,
            "differences": list(differences),
            "unkept": list(unkept),
        }


@lru_cache(maxsize=1)
def prove(*, deep: bool = False) -> Proof:
    """Measures this process, once: half a second on a CPU at most, more on a GPU that has to wake up.

    The deep proof takes half a second more on a CPU.
    """
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    cudnn = torch.backends.cudnn.version() if torch.version.cuda else None
    return Proof(
        python=platform.python_version(),
        platform=platform.platform(),
        torch=torch.__version__,
        torch_cuda=torch.version.cuda,
        cudnn=str(cudnn) if cudnn else None,
        nccl=_nccl(),
        numpy=np.__version__,
        opencv=cv2.__version__,
        pycocotools=_version("pycocotools"),
        arch_flags=_arch_flags(),
        threads=torch.get_num_threads(),
        devices=tuple(_prove_device(name) for name in names),
        operations=measure([torch.device(name) for name in names]) if deep else (),
    )


def _nccl() -> str | None:
    """The version of NCCL that torch brings: "2.27.5"; None where it brings none."""
    if not distributed.is_available() or not distributed.is_nccl_available():
        return None
    return ".".join(map(str, torch.cuda.nccl.version()))


def _arch_flags() -> tuple[str, ...]:
    """The code that torch was compiled with; old `torch.cuda.get_arch_list` hide it without a GPU."""
    flags = getattr(torch._C, "_cuda_getArchFlags", None)  # noqa: SLF001 - the CPU builds do not have it
    return tuple((flags() or "").split()) if flags else ()


def require(run_dir: Path | None, *, deep: bool = False) -> None:
    """Proves, keeps proof.json in the run folder, and stops where a promise or a computation does not hold.

    Raises:
        PoseError: exit code 1, with the first difference.
    """
    promise = _read_promise(run_dir / "promise.json") if run_dir else {}
    proof = prove(deep=deep)
    differences = compare(promise, proof)
    if run_dir:
        write_json(run_dir / "proof.json", proof.document(promise))
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise PoseError(
            f"this environment is not what was promised: {differences[0]}{more}",
            "envcheck doctor says what this machine has; envcheck run builds what fits it",
            FAILED,
        )
    note(summary(proof))


def compare(promise: dict[str, Any], proof: Proof) -> tuple[str, ...]:
    """What does not hold, in sentences; nothing is promised by an empty dict except that devices compute."""
    return wrong(proof) + broken(promise, proof)


def wrong(proof: Proof) -> tuple[str, ...]:
    """What was computed wrongly, or not at all."""
    found = [
        f"{device.device} ({device.name}) computes wrongly or not at all: {_why(device)}"
        for device in proof.devices
        if not device.computes
    ]
    found += [
        f"{one.operation} in {one.dtype} on {one.device}: {one.failure or f'off by {one.error:.1e}'}"
        for one in proof.operations
        if not one.is_right
    ]
    return tuple(found)


def broken(promise: dict[str, Any], proof: Proof) -> tuple[str, ...]:
    """What was promised and is not so."""
    found = []
    release = proof.torch.split("+")[0]
    if promise.get("torch") not in {None, release, proof.torch}:
        found.append(f"torch {promise['torch']} was promised, {proof.torch} is here")
    # Where no torch was promised the interpreter is taken as it is; a build for GPUs computes on the CPU too.
    is_promised = promise.get("torch") is not None and "cuda" in promise
    if is_promised and promise["cuda"] != proof.torch_cuda:
        found.append(
            f"torch for {_cuda(promise['cuda'])} was promised, this one is for {_cuda(proof.torch_cuda)}"
        )
    gpus = [device for device in proof.devices if device.device != "cpu"]
    wanted = promise.get("gpus") or []
    seen = [device.uuid for device in gpus]
    if promise.get("device") == "cuda" and not gpus:
        found.append("a GPU was promised, torch sees none")
    elif len(gpus) < len(wanted):
        found.append(f"{len(wanted)} GPUs were promised, torch sees {len(gpus)}")
    elif all(seen):  # torch tells UUIDs from 2.4 on; a MIG slice's is not its GPU's
        strange = [uuid for uuid in wanted if uuid.startswith("GPU-") and uuid not in seen]
        found += [f"{uuid} was promised, torch does not see it" for uuid in strange]
    return tuple(found)


def summary(proof: Proof) -> str:
    """One line: torch, and each device with its errors."""
    parts = [f"torch {proof.torch}"]
    for device in proof.devices:
        errors = f"conv {device.conv_error:.0e}, matmul {device.matmul_error:.0e}, {device.seconds:.1f} s"
        parts.append(f"{device.device} ({device.name}) {errors}")
    return " · ".join(parts)


def _prove_device(name: str) -> DeviceProof:
    device = torch.device(name)
    described = _describe(device)
    begin = time.perf_counter()
    matmul_error: float | None
    conv_error: float | None
    try:
        matmul_error, conv_error = map(_finite, _errors(device))
        failure = None if None not in (matmul_error, conv_error) else NO_NUMBER
    except RuntimeError as error:  # "no kernel image is available for execution on the device" is one
        matmul_error = conv_error = None
        failure = first_line(error)
    return DeviceProof(
        name, *described, matmul_error, conv_error, round(time.perf_counter() - begin, 3), failure
    )


def _finite(error: float) -> float | None:
    """The error, None where it is no number: JSON has none for that."""
    return error if math.isfinite(error) else None


def _describe(device: torch.device) -> tuple[str, str | None, str | None]:
    """Name, compute capability and UUID."""
    if device.type == "cpu":
        return platform.machine(), None, None
    properties = torch.cuda.get_device_properties(device)
    uuid = getattr(properties, "uuid", None)
    return properties.name, f"{properties.major}.{properties.minor}", f"GPU-{uuid}" if uuid else None


def _errors(device: torch.device) -> tuple[float, float]:
    """Relative errors of a matrix product and of a convolution, in float32 without TF32."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(192, 192, generator=generator) for _ in range(2))
    pictures = torch.randn(2, 16, 24, 24, generator=generator)
    weights = torch.randn(16, 16, 3, 3, generator=generator)
    with exactly():
        product = (a.to(device) @ b.to(device)).cpu()
        convolved = functional.conv2d(pictures.to(device), weights.to(device), padding=1).cpu()
    return (
        relative(product, a.double() @ b.double()),
        relative(convolved, functional.conv2d(pictures.double(), weights.double(), padding=1)),
    )


def _why(device: DeviceProof) -> str:
    return device.failure or f"off by {max(device.matmul_error or 0.0, device.conv_error or 0.0):.1e}"


def _cuda(version: str | None) -> str:
    return f"CUDA {version}" if version else "the CPU"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _read_promise(path: Path) -> dict[str, Any]:
    try:
        promise = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PoseError(f"{path} cannot be read: {error}") from None
    if not isinstance(promise, dict) or promise.get("schema") != PROMISE_SCHEMA:
        raise PoseError(f"{path} is no {PROMISE_SCHEMA}")
    return promise
