from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.compat.packages import OPENCVS, judge
from envcheck.symptoms import SYMPTOMS


def _said(packages, rule, **around):
    return [reason for reason in judge(packages, **around) if reason.rule == rule]


def _verdicts(packages, rule, **around):
    return [reason.verdict for reason in _said(packages, rule, **around)]


@pytest.mark.parametrize(
    ("package", "version", "rule", "verdict"),
    [
        # What the wheels did beside NumPy 2.0.2 when they were imported, and torch's measured headers.
        ("torch", "2.2.2", "numpy.too-new", "refused"),
        ("torch", "2.2.2+cu121", "numpy.too-new", "refused"),
        ("torch", "2.3.0", "numpy.too-new", "fits"),
        ("torch", "2.10.0+cu128", "numpy.too-new", "fits"),
        ("opencv-python-headless", "4.9.0.80", "numpy.too-new", "refused"),
        ("opencv-contrib-python", "4.10.0.82", "numpy.too-new", "refused"),
        ("opencv-python", "4.10.0.84", "numpy.too-new", "fits"),
        ("scipy", "1.12.0", "numpy.too-new", "refused"),
        ("scipy", "1.13.0", "numpy.too-new", "fits"),
        ("pycocotools", "2.0.7", "numpy.other-abi", "refused"),
        ("pycocotools", "2.0.8", "numpy.other-abi", "fits"),
        ("xtcocotools", "1.14.3", "numpy.other-abi", "refused"),
        ("xtcocotools", "1.15", "numpy.other-abi", "unknown"),
    ],
)
def test_what_was_built_for_numpy_1_does_not_run_beside_numpy_2(package, version, rule, verdict):
    (reason,) = _said({package: version, "numpy": "2.0.2"}, rule)
    assert reason.verdict == verdict
    assert f"{package} {version} beside NumPy 2.0.2" in reason.because
    assert reason.source
    assert bool(reason.remedy) == (verdict == "refused")
    assert _verdicts({package: version, "numpy": "1.26.4"}, rule) == ["fits"]
    assert _verdicts({package: version}, rule) == []


def test_the_remedy_names_the_release_that_runs_where_there_is_one():
    (torch,) = _said({"torch": "2.1.0", "numpy": "2.1.3"}, "numpy.too-new")
    assert torch.remedy == "Install a NumPy below 2, or take torch 2.3 or newer."
    (coco,) = _said({"xtcocotools": "1.14.3", "numpy": "2.1.3"}, "numpy.other-abi")
    assert coco.remedy == "Install a NumPy below 2."


@pytest.mark.parametrize(
    ("torch", "partner", "version", "verdict"),
    [
        # pytorch/vision's README.
        ("2.3.0", "torchvision", "0.18.0", "fits"),
        ("2.3.1", "torchvision", "0.18.0", "fits"),
        ("2.3.0", "torchvision", "0.17.2", "refused"),
        ("2.13.0", "torchvision", "0.29.0", "refused"),
        ("1.13.1", "torchvision", "0.14.1", "fits"),
        ("2.0.1", "torchvision", "0.14.1", "refused"),
        ("1.2.0", "torchvision", "0.4.0", "unknown"),
        ("1.4.0", "torchvision", "0.5.0", "fits"),
        # Its notes of 0.29.1: any torch from 2.14 on.
        ("2.14.0", "torchvision", "0.29.0", "fits"),
        ("2.15.0", "torchvision", "0.29.0", "refused"),
        ("2.14.0", "torchvision", "0.29.1", "fits"),
        ("2.15.0", "torchvision", "0.29.2", "fits"),
        ("2.13.0", "torchvision", "0.29.2", "refused"),
        ("2.15.0", "torchvision", "0.30.0", "unknown"),
        # torchaudio's compatibility matrix.
        ("1.13.1", "torchaudio", "0.13.1", "fits"),
        ("1.12.1", "torchaudio", "0.13.1", "refused"),
        ("2.0.1", "torchaudio", "2.0.2", "fits"),
        ("2.10.0", "torchaudio", "2.9.1", "refused"),
        ("2.11.0", "torchaudio", "2.11.0", "fits"),
        ("2.15.0", "torchaudio", "2.11.0", "fits"),
        ("2.10.0", "torchaudio", "2.11.0", "refused"),
        ("2.15.0", "torchaudio", "2.12.0", "unknown"),
    ],
)
def test_a_partner_is_built_for_one_torch_until_its_abi_is_stable(torch, partner, version, verdict):
    (reason,) = _said({"torch": torch, partner: version}, "torch.pair")
    assert reason.verdict == verdict
    assert f"{partner} {version} beside torch {torch}" in reason.because
    assert reason.source
    assert bool(reason.remedy) == (verdict == "refused")


@pytest.mark.parametrize(
    ("torch", "partner", "version", "verdict"),
    [
        ("2.3.0+cu121", "torchvision", "0.18.0+cu121", "fits"),
        ("2.3.0+cu121", "torchvision", "0.18.0+cu118", "refused"),
        ("2.13.0+cu126", "torchvision", "0.28.0+cu129", "fits"),  # torchvision compares major versions
        ("2.7.0+cu126", "torchaudio", "2.7.0+cu128", "refused"),  # torchaudio compares all of them
        ("2.3.0+cpu", "torchvision", "0.18.0+cu121", "refused"),
        ("2.3.0+cu121", "torchvision", "0.18.0+cpu", "refused"),
        ("2.3.0+cpu", "torchvision", "0.18.0+cpu", "fits"),
        ("2.3.0", "torchvision", "0.18.0+cu118", "fits"),  # which CUDA the other one has is not said
        ("2.3.0+git1234", "torchvision", "0.18.0+cu118", "fits"),
    ],
)
def test_partners_are_built_for_the_same_cuda(torch, partner, version, verdict):
    assert _verdicts({"torch": torch, partner: version}, "torch.pair") == [verdict]


@pytest.mark.parametrize("name", OPENCVS)
def test_one_opencv_is_enough(name):
    assert _verdicts({name: "4.11.0.86"}, "opencv.twice") == ["fits"]
    other = next(one for one in OPENCVS if one != name)
    (reason,) = _said({name: "4.11.0.86", other: "4.10.0.84"}, "opencv.twice")
    assert reason.verdict == "refused"
    assert f"{name} 4.11.0.86" in reason.because
    assert f"{other} 4.10.0.84" in reason.because


@pytest.mark.parametrize(
    ("torch", "gpu", "verdicts"),
    [
        ("2.13.0+cpu", True, ["refused"]),
        ("2.13.0+cpu", False, []),
        ("2.13.0+cpu", None, []),
        ("2.13.0+cu130", True, []),
        ("2.13.0", True, []),
    ],
)
def test_a_cpu_build_is_wrong_where_there_is_a_gpu(torch, gpu, verdicts):
    assert _verdicts({"torch": torch}, "torch.cpu-only", gpu=gpu) == verdicts


@pytest.mark.parametrize(
    ("torch", "python", "verdicts"),
    [
        ("2.2.0", "3.12.1", ["fits"]),
        ("2.1.2", "3.12.1", ["refused"]),
        ("2.1.2+cu118", "3.12", ["refused"]),
        ("2.15.0", "3.10.4", ["refused"]),
        ("2.1.2", None, []),
        ("2.1.0a0+32f93b1", "3.12", []),  # somebody's own build
        ("9.9", "3.12", []),
    ],
)
def test_torch_has_wheels_for_some_pythons(torch, python, verdicts):
    said = _verdicts({"torch": torch}, "wheel.python", python=Version(python) if python else None)
    assert said == verdicts


def test_names_are_the_same_however_they_are_written():
    assert _verdicts({"OpenCV_Python": "4.9.0.80", "NumPy": "2.1"}, "numpy.too-new") == ["refused"]


@pytest.mark.parametrize(
    "text",
    ["", "not a version", "\x1b[31m2.1.0", "::error::", "2.1.0\n2.2.0", "1" * 5000, "9" * 1_000_000],
)
def test_what_is_no_version_is_passed_over(text):
    assert judge({"torch": text, "torchvision": text, "numpy": text, text: text}, Version("3.12")) == ()
    assert _verdicts({"torch": "2.1.0", "numpy": text, "scipy": "1.12.0"}, "numpy.too-new") == []


def test_packages_that_no_rule_knows_say_nothing():
    assert judge({"numpy": "2.1", "requests": "2.0"}, Version("3.12"), gpu=True) == ()


def test_the_ids_are_those_of_the_symptoms_where_a_log_can_show_them():
    everything = judge(
        {
            "torch": "2.1.0+cpu",
            "torchvision": "0.18.0",
            "numpy": "2.1",
            "xtcocotools": "1.14.3",
            "opencv-python": "4.9.0.80",
            "opencv-python-headless": "4.9.0.80",
        },
        Version("3.13"),
        gpu=True,
    )
    refused = {reason.rule for reason in everything if reason.verdict == "refused"}
    assert refused - {"opencv.twice"} <= {symptom.id for symptom in SYMPTOMS}
    assert refused == {
        "wheel.python",
        "torch.cpu-only",
        "numpy.too-new",
        "numpy.other-abi",
        "torch.pair",
        "opencv.twice",
    }
