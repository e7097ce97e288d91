"""The deep proof's operations on this CPU: right numbers are let through, wrong ones are not.

What a GPU would add (copies, bfloat16) is done here with the CPU in its place: the same code, another device.
"""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from torch.nn import functional  # noqa: E402

from pose.machines import operations, proof  # noqa: E402
from pose.machines.operations import KERNELS, OperationProof, copies, measure, peer, relative, tolerance  # noqa: E402

CPU = torch.device("cpu")
FORMATS = (torch.float32, torch.bfloat16)


@pytest.fixture(autouse=True)
def _measured_anew():
    proof.prove.cache_clear()
    yield
    proof.prove.cache_clear()


def skip_what_torch_cannot(name: str, dtype: torch.dtype) -> None:
    if (name, dtype) == ("deconv", torch.bfloat16) and torch.__version__.startswith("1."):
        pytest.skip("not verified: this torch refuses it on a CPU, where the proof does not ask for it")


def measured(name: str, dtype=torch.float32) -> OperationProof:
    (kernel,) = (one for one in KERNELS if one.name == name)
    return operations._compute(kernel, dtype, CPU)  # noqa: SLF001 - bfloat16 is not asked of a CPU


def test_a_cpu_is_proved_in_float32_and_copies_nothing():
    found = measure([CPU])
    assert [(one.operation, one.dtype, one.device) for one in found] == [
        ("matmul", "float32", "cpu"),
        ("conv", "float32", "cpu"),
        ("deconv", "float32", "cpu"),
    ]
    for one in found:
        assert one.is_right
        assert 0 < one.error < one.tolerance  # 0 would mean that nothing was rounded, so nothing computed
        assert one.milliseconds > 0


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", ["matmul", "conv", "deconv"])
def test_every_kernel_is_right_in_every_format(name, dtype):
    skip_what_torch_cannot(name, dtype)
    assert measured(name, dtype).is_right


def test_the_kernels_are_the_sums_that_their_names_say_written_out_by_hand():
    a, b = KERNELS[0].operands(torch.float32)
    row = [sum(float(a[3, k]) * float(b[k, j]) for k in range(512)) for j in (0, 7)]
    assert KERNELS[0].compute(a.double(), b.double())[3, [0, 7]].tolist() == pytest.approx(row)
    maps, weights = (one.double() for one in KERNELS[1].operands(torch.float32))
    patch = maps[1, :, 9:12, 19:22]  # around (10, 20)
    assert float(KERNELS[1].compute(maps, weights)[1, 5, 10, 20]) == pytest.approx(
        float((patch * weights[5]).sum())
    )
    maps, weights = (one.double() for one in KERNELS[2].operands(torch.float32))
    # Output (2y - 1 + i, 2x - 1 + j) takes pixel (y, x) times weight (i, j): two pixels each way for (6, 8).
    byhand = sum(
        float((maps[0, :, y, x] * weights[:, 5, 6 - 2 * y + 1, 8 - 2 * x + 1]).sum())
        for y in (2, 3)
        for x in (3, 4)
    )
    assert float(KERNELS[2].compute(maps, weights)[0, 5, 6, 8]) == pytest.approx(byhand)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("matmul", lambda a, b: a @ b.T),
        ("matmul", lambda a, b: a[:, 1:] @ b[1:]),  # one product of each sum is missing
        ("conv", lambda maps, weights: functional.conv2d(maps, weights.flip(2), padding=1)),
        ("conv", lambda maps, weights: functional.conv2d(maps, weights, padding=1).roll(1, 3)),
        (
            "deconv",
            lambda maps, weights: functional.conv_transpose2d(maps, weights.flip(3), stride=2, padding=1),
        ),
        (
            "deconv",
            lambda maps, weights: (
                functional.conv_transpose2d(maps, weights, stride=2, padding=1) * 1.02  # 2 % too much
            ),
        ),
    ],
)
@pytest.mark.parametrize("dtype", FORMATS)
def test_a_wrong_kernel_is_seen(name, broken, dtype):
    skip_what_torch_cannot(name, dtype)
    (kernel,) = (one for one in KERNELS if one.name == name)
    right = kernel.compute
    # The reference is computed in float64: only the device's own kernel is broken.
    compute = lambda one, other: (right if one.dtype == torch.float64 else broken)(one, other)  # noqa: E731
    found = operations._compute(  # noqa: SLF001
        operations.Kernel(name, compute, kernel.shapes, kernel.terms), dtype, CPU
    )
    assert not found.is_right
    assert found.error > found.tolerance
    assert found.failure is None


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_factors_rounded_to_tf32_are_not_within_float32s_tolerance(kernel):
    operands = kernel.operands(torch.float32)
    # TF32 keeps 10 of float32's 23 bits after the point: the lower 13 are rounded away.
    rounded = [((one.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32).double() for one in operands]
    exact = kernel.compute(*(one.double() for one in operands))
    assert relative(kernel.compute(*rounded), exact) > tolerance(kernel, torch.float32)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_tolerance_has_room_for_a_tenfold_loss_and_none_for_a_wrong_sum(kernel):
    measured_error = measured(kernel.name).error
    assert 10 * measured_error < tolerance(kernel, torch.float32) < 1e-3
    assert tolerance(kernel, torch.bfloat16) < 2e-2


def test_copies_arrive_whole_and_a_value_that_does_not_is_seen(monkeypatch):
    monkeypatch.setattr(operations, "COPIED_VALUES", 1000)
    there, back = copies(CPU)
    between = peer(CPU, torch.device("cpu:0"))
    assert [one.operation for one in (there, back, between)] == ["to-device", "from-device", "peer"]
    assert all(one.is_right and one.error == 0 for one in (there, back, between))
    assert (between.device, between.dtype) == ("cpu to cpu:0", "int32")
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_: torch.cat([self[:-1], self[:1]]))
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: self * 2)
    there, back = copies(CPU)
    assert (there.error, there.is_right) == (0.001, False)
    assert (back.error, back.is_right) == (0.999, False)
    assert peer(CPU, torch.device("cpu:0")).error == 0.001


class Gpus:
    """What torch says of two GPUs; the tensors lie in the CPU's memory all the same."""

    def __init__(self, monkeypatch, *capabilities):
        self.asked = []
        monkeypatch.setattr(operations, "COPIED_VALUES", 10)
        monkeypatch.setattr(
            torch.cuda, "get_device_capability", lambda device: capabilities[device.index or 0]
        )
        monkeypatch.setattr(
            operations, "_compute", lambda kernel, dtype, device: (kernel.name, str(dtype), device)
        )
        monkeypatch.setattr(operations, "copies", lambda gpu: (("copies", gpu),))
        monkeypatch.setattr(operations, "peer", lambda one, other: ("peer", one, other))


def test_gpus_are_proved_in_bfloat16_from_ampere_on_and_with_every_other_one(monkeypatch):
    Gpus(monkeypatch, (7, 5), (8, 0))
    old, new = torch.device("cuda:0"), torch.device("cuda:1")
    found = measure([CPU, old, new])
    assert [one[2] for one in found if one[1] == "torch.bfloat16"] == [new] * 3
    assert [one[0] for one in found if one[1] == "torch.bfloat16"] == ["matmul", "conv", "deconv"]
    assert [one[1:] for one in found if one[0] == "peer"] == [(old, new), (new, old)]
    assert [one[1] for one in found if one[0] == "copies"] == [old, new]


def test_what_cannot_be_computed_is_a_failure_in_its_own_words():
    def no_kernel(*_):
        raise RuntimeError("CUDA error: no kernel image is available\nCompile with ...")

    found = operations._compute(  # noqa: SLF001
        operations.Kernel(
            "matmul", lambda a, b: a @ b if a.dtype == torch.float64 else no_kernel(), ((2, 2), (2, 2)), 2
        ),
        torch.float32,
        CPU,
    )
    assert (found.error, found.milliseconds, found.is_right) == (None, None, False)
    assert found.failure == "CUDA error: no kernel image is available"


def test_what_is_no_number_is_a_failure_that_json_can_hold():
    compute = lambda a, b: a @ b if a.dtype == torch.float64 else a @ b / 0  # noqa: E731
    kernel = operations.Kernel("matmul", compute, ((2, 2), (2, 2)), 2)
    found = operations._compute(kernel, torch.float32, CPU)  # noqa: SLF001
    assert (found.error, found.is_right) == (None, False)
    assert found.failure == "the result holds what is no number"


@pytest.mark.parametrize("before", [True, False])
def test_tf32_is_off_while_it_is_measured_and_as_before_afterwards(before):
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    former = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = before
    try:
        with operations.exactly():
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (before, before)
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = former


WRONG = OperationProof("deconv", "float32", "cuda:0", 0.3, 1e-4, 0.2)


def test_the_deep_proof_is_kept_and_told_and_no_other_waits_for_it(pose, tmp_path):
    code, out, _ = pose("--run-dir", tmp_path, "env", "--deep")
    assert code == 0
    assert "deconv float32   error " in out
    kept = json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))
    assert [one["operation"] for one in kept["operations"]] == ["matmul", "conv", "deconv"]
    assert (kept["kept"], kept["unkept"]) == (True, [])
    proof.prove.cache_clear()
    assert pose("--run-dir", tmp_path, "env")[0] == 0
    assert json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))["operations"] == []


def test_a_wrong_operation_is_a_difference_and_no_broken_promise(monkeypatch, pose, tmp_path):
    monkeypatch.setattr(proof, "measure", lambda _devices: (WRONG,))
    code, _, err = pose("--run-dir", tmp_path, "env", "--deep")
    assert code == 1
    assert "deconv in float32 on cuda:0: off by 3.0e-01" in err
    kept = json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))
    assert (kept["kept"], len(kept["differences"]), kept["unkept"]) == (False, 1, [])
