"""Operations on a device, against float64 on the CPU: what the deep proof measures, one by one.

The values are random and the same everywhere. What is computed comes with the tolerance that its number
format allows; what is only copied has to arrive as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# What rounding one number loses at most, as a share of it.
ROUNDING = {torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}
# GPUs compute in bfloat16 from Ampere on. Processors are not asked: most imitate it, and torch 1.13 refuses
# transposed convolutions in it there.
BFLOAT16_CAPABILITY = (8, 0)
NO_NUMBER = "the result holds what is no number"
COPIED_VALUES = 1 << 24  # 64 MiB: enough for every engine and every lane of the bus


@dataclass(frozen=True)
class OperationProof:
    """One operation on one device; the error is a share of the reference's largest value."""

    operation: str  # "matmul", "conv", "deconv", "to-device", "from-device", "peer"
    dtype: str
    device: str  # "cuda:0"; of a copy between two "cuda:0 to cuda:1"
    error: float | None  # None where it failed; of a copy the share of values that are others
    tolerance: float
    milliseconds: float | None
    failure: str | None = None

    @property
    def is_right(self) -> bool:
        """Whether the result is one that the number format allows."""
        return self.error is not None and self.error <= self.tolerance


@dataclass(frozen=True)
class Kernel:
    """An operation on two tensors that sums products, as a network's layers do."""

    name: str
    compute: Callable[[Tensor, Tensor], Tensor]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    terms: int  # the products in one sum

    def operands(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The operands on the CPU, as `dtype` has them."""
        generator = torch.Generator().manual_seed(0)
        one, other = (torch.randn(shape, generator=generator).to(dtype) for shape in self.shapes)
        return one, other


# Shapes as in pose's own layers: 3x3 convolutions, and the 4x4 transposed ones that double the size, where
# four of a filter's sixteen places meet a pixel.
KERNELS = (
    Kernel("matmul", torch.matmul, ((512, 512), (512, 512)), terms=512),
    Kernel(
        "conv",
        lambda maps, weights: functional.conv2d(maps, weights, padding=1),
        ((2, 64, 64, 48), (64, 64, 3, 3)),
        terms=64 * 9,
    ),
    Kernel(
        "deconv",
        lambda maps, weights: functional.conv_transpose2d(maps, weights, stride=2, padding=1),
        ((2, 128, 16, 12), (128, 64, 4, 4)),
        terms=128 * 4,
    ),
)


def measure(devices: Sequence[torch.device]) -> tuple[OperationProof, ...]:
    """Every operation on every device, and between every two of them."""
    found = [_compute(kernel, torch.float32, device) for device in devices for kernel in KERNELS]
    gpus = [device for device in devices if device.type == "cuda"]
    for gpu in gpus:
        if torch.cuda.get_device_capability(gpu) >= BFLOAT16_CAPABILITY:
            found += [_compute(kernel, torch.bfloat16, gpu) for kernel in KERNELS]
        found += copies(gpu)
    return (*found, *(peer(one, other) for one in gpus for other in gpus if one != other))


def _compute(kernel: Kernel, dtype: torch.dtype, device: torch.device) -> OperationProof:
    operands = kernel.operands(dtype)
    exact = kernel.compute(*(one.double() for one in operands))

    def work() -> tuple[Callable[[], Tensor], Callable[[Tensor], float]]:
        there = [one.to(device) for one in operands]
        return lambda: kernel.compute(*there), lambda result: relative(result.cpu(), exact)

    with exactly():
        return _measured(kernel.name, dtype, str(device), (device,), tolerance(kernel, dtype), work)


def tolerance(kernel: Kernel, dtype: torch.dtype) -> float:
    """How far a right result may be off, as a share of the reference's largest value.

    Rounding a sum of n products loses at most n roundings of the sum of their magnitudes, in whatever order
    they are added (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). Typical is a hundredth of
    that, which leaves room for the tenfold loss of Winograd's convolutions, and none for TF32, which rounds
    each factor to 2^-11. GPUs add bfloat16's products up in float32 and round the sum; where they split it,
    as cuBLAS may, they round the parts, too.
    """
    one, other = (part.double().abs() for part in kernel.operands(dtype))
    largest = kernel.compute(*(part.double() for part in kernel.operands(dtype))).abs().max()
    magnitudes = float(kernel.compute(one, other).max() / largest)
    bound = kernel.terms * ROUNDING[torch.float32] * magnitudes
    return bound if dtype == torch.float32 else bound + 4 * ROUNDING[dtype]


def copies(gpu: torch.device) -> tuple[OperationProof, OperationProof]:
    """A copy to the GPU, looked at there, and one from it, looked at here."""
    here = torch.arange(COPIED_VALUES, dtype=torch.int32)

    def to_it() -> tuple[Callable[[], Tensor], Callable[[Tensor], float]]:
        there = torch.arange(COPIED_VALUES, dtype=torch.int32, device=gpu)
        return lambda: here.to(gpu), lambda result: _others(result, there)

    def from_it() -> tuple[Callable[[], Tensor], Callable[[Tensor], float]]:
        there = torch.arange(COPIED_VALUES, dtype=torch.int32, device=gpu)
        return there.cpu, lambda result: _others(result, here)

    return (
        _measured("to-device", torch.int32, str(gpu), (gpu,), 0.0, to_it),
        _measured("from-device", torch.int32, str(gpu), (gpu,), 0.0, from_it),
    )


def peer(one: torch.device, other: torch.device) -> OperationProof:
    """A copy between two GPUs, looked at where it arrived; directly where the driver lets them."""

    def work() -> tuple[Callable[[], Tensor], Callable[[Tensor], float]]:
        sent, expected = (
            torch.arange(COPIED_VALUES, dtype=torch.int32, device=device) for device in (one, other)
        )
        return lambda: sent.to(other), lambda result: _others(result, expected)

    return _measured("peer", torch.int32, f"{one} to {other}", (one, other), 0.0, work)


def _measured(
    operation: str,
    dtype: torch.dtype,
    name: str,
    devices: Sequence[torch.device],
    allowed: float,
    work: Callable[[], tuple[Callable[[], Tensor], Callable[[Tensor], float]]],
) -> OperationProof:
    """One operation, done twice: the first time loads and chooses kernels, the second is timed and judged."""
    error = milliseconds = failure = None
    try:
        operate, judge = work()
        operate()
        _wait_for(devices)
        begin = time.perf_counter()
        result = operate()
        _wait_for(devices)
        milliseconds = round((time.perf_counter() - begin) * 1e3, 3)
        found = judge(result)
        if math.isfinite(found):  # JSON has no other numbers
            error = found
        else:
            failure = NO_NUMBER
    except RuntimeError as raised:  # CUDA's errors, and torch's for a lack of memory
        failure = first_line(raised)
    return OperationProof(
        operation, str(dtype).removeprefix("torch."), name, error, allowed, milliseconds, failure
    )


def _wait_for(devices: Sequence[torch.device]) -> None:
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)


def _others(found: Tensor, expected: Tensor) -> float:
    """The share of values that are others."""
    return float((found != expected).double().mean())


def relative(value: Tensor, reference: Tensor) -> float:
    """The largest error, as a share of the reference's largest value."""
    return float((value.double() - reference).abs().max() / reference.abs().max())


def first_line(error: RuntimeError) -> str:
    """What an error says; CUDA's go on with advice."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def exactly() -> Iterator[None]:
    """While open, float32 is not rounded to TF32 before it is multiplied."""
    former = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = former
