"""The proof: what is measured, how a promise is held against it, and that a broken one stops the stage."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.machines import proof  # noqa: E402
from pose.machines.proof import DeviceProof, compare, prove  # noqa: E402

RELEASE = torch.__version__.split("+")[0]


@pytest.fixture(autouse=True)
def _measured_anew():
    prove.cache_clear()


@pytest.fixture(scope="module")
def here():
    return prove()


@pytest.fixture
def with_gpu(here):
    """This machine's proof as a torch for CUDA 12.8 with one GPU would give it."""
    gpu = DeviceProof("cuda:0", "NVIDIA T4", "7.5", "GPU-aaaa", 1e-7, 1e-7, 0.2)
    return replace(here, torch_cuda="12.8", devices=(*here.devices, gpu))


def promise(**more):
    return {"schema": "envcheck.promise/1", "torch": RELEASE, **more}


def test_the_proof_says_what_this_process_has_and_computes_it_right(here):
    assert (here.python, here.torch) == (platform.python_version(), torch.__version__)
    cpu = here.devices[0]
    assert (cpu.device, cpu.failure, cpu.computes) == ("cpu", None, True)
    assert (
        0 < cpu.matmul_error < 1e-5
    )  # float32 is not exact, so an error of 0 would mean that nothing was computed
    assert 0 < cpu.conv_error < 1e-5


def test_a_kept_promise_has_no_differences(here, with_gpu):
    assert compare({}, here) == ()
    assert compare(promise(cuda=None, device="cpu", gpus=[]), replace(here, torch_cuda=None)) == ()
    assert compare(promise(cuda="12.8", device="cuda", gpus=["GPU-aaaa"]), with_gpu) == ()


def test_an_interpreter_taken_as_it_is_may_hold_a_build_for_gpus(here):
    as_it_is = promise(torch=None, cuda=None, device="cpu", gpus=[])
    assert compare(as_it_is, replace(here, torch_cuda="13.0")) == ()


@pytest.mark.parametrize(
    ("promised", "difference"),
    [
        ({"torch": "1.0.0"}, "torch 1.0.0 was promised"),
        ({"cuda": "11.7"}, "CUDA 11.7 was promised, this one is for CUDA 12.8"),
        ({"cuda": None}, "the CPU was promised, this one is for CUDA 12.8"),
        ({"gpus": ["GPU-aaaa", "GPU-bbbb"]}, "2 GPUs were promised, torch sees 1"),
        ({"gpus": ["GPU-bbbb"]}, "GPU-bbbb was promised, torch does not see it"),
    ],
)
def test_every_broken_promise_is_named(with_gpu, promised, difference):
    (found,) = compare({**promise(cuda="12.8", device="cuda"), **promised}, with_gpu)
    assert difference in found


def test_a_promised_gpu_that_torch_does_not_see_is_a_difference(here):
    assert compare(promise(device="cuda", gpus=["GPU-aaaa"]), here) == (
        "a GPU was promised, torch sees none",
    )


def test_a_mig_slice_is_counted_but_not_compared_with_its_gpus_uuid(with_gpu):
    assert compare(promise(cuda="12.8", device="cuda", gpus=["MIG-cccc"]), with_gpu) == ()


@pytest.mark.parametrize(
    ("error", "computes"), [(1e-6, True), (0.1, False), (float("nan"), False), (None, False)]
)
def test_a_device_computes_only_when_its_results_are_right(error, computes):
    assert DeviceProof("cuda:0", "x", "7.5", None, 1e-7, error, 0.1).computes is computes


def test_a_device_without_code_in_this_torch_is_a_finding_and_no_traceback(monkeypatch):
    def no_kernel(_device):
        raise RuntimeError(
            "CUDA error: no kernel image is available for execution on the device\nCompile with ..."
        )

    monkeypatch.setattr(proof, "_errors", no_kernel)
    (difference, *_) = compare({}, prove())
    assert difference.endswith("CUDA error: no kernel image is available for execution on the device")


def test_what_is_no_number_is_a_failure_that_json_can_hold(monkeypatch):
    monkeypatch.setattr(proof, "_errors", lambda _device: (1e-7, float("nan")))
    found = prove()
    assert [(one.matmul_error, one.conv_error, one.computes) for one in found.devices] == [
        (1e-7, None, False)
    ]
    assert "NaN" not in json.dumps(found.document({}))
    assert compare({}, found)[0].endswith("the result holds what is no number")


@pytest.mark.usefixtures("workplace")
def test_a_stage_keeps_its_proof_before_its_work(pose):
    Path("run").mkdir()
    text = json.dumps(promise(cuda=torch.version.cuda, device="cpu", gpus=[]))
    Path("run/promise.json").write_text(text, encoding="utf-8")
    code, _, _ = pose("--run-dir", "run", "test", "--cfg", "small.yaml", "--data", "nowhere")
    assert code == 2
    kept = json.loads(Path("run/proof.json").read_text(encoding="utf-8"))
    assert (kept["schema"], kept["kept"], kept["differences"]) == ("envcheck.proof/1", True, [])
    assert kept["devices"][0]["device"] == "cpu"
    assert {
        "python",
        "platform",
        "torch",
        "torch_cuda",
        "cudnn",
        "numpy",
        "opencv",
        "pycocotools",
    } <= kept.keys()
    assert {"arch_flags", "threads"} <= kept.keys()
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert (result["stage"], result["metrics"], result["outputs"]) == ("test", {}, [])


@pytest.mark.parametrize(
    ("said", "expected"),
    [("sm_37 sm_86", ("sm_37", "sm_86")), (None, ()), ("", ())],
    ids=["CUDA", "None", ""],
)
def test_the_code_in_the_wheel_is_told_where_there_is_no_gpu_too(monkeypatch, said, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch._C, "_cuda_getArchFlags", lambda: said, raising=False)  # noqa: SLF001 - as torch does
    assert prove().arch_flags == expected


def test_a_cpu_build_holds_no_gpu_code(monkeypatch):
    monkeypatch.delattr(torch._C, "_cuda_getArchFlags", raising=False)  # noqa: SLF001
    assert prove().arch_flags == ()


def test_a_broken_promise_stops_the_stage_before_its_work(workplace, pose):
    Path("run").mkdir()
    Path("run/promise.json").write_text(json.dumps(promise() | {"torch": "1.0.0"}), encoding="utf-8")
    code, out, err = pose("--run-dir", "run", "train", "--cfg", "small.yaml")
    assert (code, out) == (1, "")
    assert "torch 1.0.0 was promised" in err
    assert not (workplace / "output").exists()
    assert json.loads(Path("run/proof.json").read_text(encoding="utf-8"))["kept"] is False


@pytest.mark.usefixtures("workplace")
def test_a_promise_that_cannot_be_read_is_refused(pose):
    Path("run").mkdir()
    Path("run/promise.json").write_text("{", encoding="utf-8")
    code, _, err = pose("--run-dir", "run", "env")
    assert code == 2
    assert "promise.json" in err


def test_env_prints_it_for_people_and_as_one_document(pose):
    code, out, _ = pose("env")
    assert code == 0
    assert f"torch {torch.__version__}" in out
    code, out, _ = pose("env", "--json")
    assert json.loads(out)["torch"] == torch.__version__
