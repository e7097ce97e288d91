from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.compat.rules.base_image import base_image
from envcheck.compat.rules.driver import driver
from envcheck.host.facts import Engine
from tests.compat.builds import CU121
from tests.compat.machines import A100, H100, RTX_3090, machine

CUDA_12_8 = "nvidia/cuda:12.8.1-base-ubuntu24.04"
CUDA_12_1 = "nvidia/cuda:12.1.0-devel-ubuntu22.04"
LEGACY = (Engine("docker", "20.10.24", gpu_mode="legacy"),)
GEFORCE = {"brand": "geforce", "driver": "535.104.05", "cuda": "12.2"}


def _only(reasons):
    (reason,) = reasons
    return reason


def _judge(*cards, image=CUDA_12_8, engines=LEGACY, **facts):
    return _only(base_image(machine(*cards, engines=engines, **facts), image))


@pytest.mark.parametrize(
    ("brand", "version", "verdict"),
    [
        ("geforce", "570.86.16", "fits"),  # CUDA 12.8 itself
        ("geforce", "535.104.05", "refused"),  # from 12.5 on the images let no GeForce in on old branches
        ("titan", "550.54.14", "refused"),
        ("tesla", "535.104.05", "fits"),
        ("nvidia", "550.54.14", "fits"),
        ("nvidia rtx", "565.57.01", "fits"),
        ("quadro rtx", "470.82.01", "fits"),
        ("nvidia vws", "550.54.14", "fits"),
        ("nvidia cloud gaming", "550.54.14", "fits"),
        ("grid", "550.54.14", "fits"),
        ("nvs", "550.54.14", "refused"),
        ("tesla", "525.60.13", "refused"),  # R525 is no branch of these
    ],
)
def test_an_image_lets_in_its_own_cuda_or_a_brand_on_one_of_its_branches(brand, version, verdict):
    reason = _judge(A100, brand=brand, driver=version)
    assert (reason.rule, reason.verdict) == ("base_image", verdict)
    assert CUDA_12_8 in reason.because


def test_a_refused_geforce_is_told_the_ways_around():
    reason = _judge(RTX_3090, **GEFORCE)
    assert "R535 is not let in for GeForce RTX 3090" in reason.because
    assert "docker in legacy mode" in reason.because
    assert "plain base" in reason.remedy
    assert "NVIDIA_DISABLE_REQUIRE=1" in reason.remedy
    assert "570.86.10 or newer" in reason.remedy


def test_no_check_is_switched_off_where_the_image_s_cuda_is_of_another_major():
    image = "nvidia/cuda:13.0.0-base-ubuntu24.04"
    reason = _judge(RTX_3090, image=image, **GEFORCE)
    assert reason.verdict == "refused"
    assert "plain base (python, ubuntu): the wheels bring CUDA." in reason.remedy
    assert "NVIDIA_DISABLE_REQUIRE" not in reason.remedy


def test_until_12_4_the_images_let_geforce_in_where_cuda_then_fails():
    # The opposite trap: the container starts on R470, and CUDA 12 does not.
    host = machine(RTX_3090, brand="geforce", driver="470.82.01", engines=LEGACY)
    reason = _only(base_image(host, CUDA_12_1))
    assert reason.verdict == "fits"
    assert "cuda-compat does not serve GeForce RTX 3090" in reason.because
    assert _only(driver(host, CU121)).verdict == "refused"


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [("legacy", "refused"), ("csv", "refused"), ("cdi", "fits"), ("jit-cdi", "fits"), (None, "unknown")],
)
def test_the_mode_says_whether_anybody_checks(mode, verdict):
    reason = _judge(RTX_3090, engines=(Engine("docker", "28.3.3", gpu_mode=mode),), **GEFORCE)
    assert reason.verdict == verdict
    assert ("does not check it" in reason.because) == (verdict == "fits")
    assert ("`engines[0].gpu_mode`" in reason.because) == (verdict == "unknown")


def test_one_engine_that_does_not_check_is_a_way():
    engines = (*LEGACY, Engine("podman", "4.3.1", gpu_mode="cdi"))
    reason = _judge(RTX_3090, engines=engines, **GEFORCE)
    assert reason.verdict == "fits"
    assert "podman" in reason.because


@pytest.mark.parametrize("engines", [None, ()])
def test_without_an_engine_it_is_not_known_who_checks(engines):
    reason = _judge(RTX_3090, engines=engines, **GEFORCE)
    assert reason.verdict == "unknown"
    assert "`engines`" in reason.because


def test_every_gpu_has_to_be_let_in():
    host = machine(A100, RTX_3090, brand="tesla", driver="535.104.05", engines=LEGACY)
    host = replace(host, gpus=(host.gpus[0], replace(host.gpus[1], brand="geforce")))
    assert _only(base_image(host, CUDA_12_8)).verdict == "refused"


def test_an_unknown_brand_is_named_where_it_decides():
    reason = _judge(H100, driver="535.104.05")
    assert reason.verdict == "unknown"
    assert "`gpus[0].brand`" in reason.because
    assert _judge(H100, driver="525.60.13").verdict == "refused"  # no brand is let in on R525


def test_an_unknown_driver_is_named_by_what_would_settle_it():
    assert "`driver.version`" in _judge(H100, cuda="12.2", brand="nvidia").because
    assert "`driver.cuda`" in _judge(H100, open_module=True, brand="nvidia").because


def test_images_that_ask_for_cuda_only_let_no_branch_in():
    # nvidia/cuda:12.3.2 for aarch64 is "cuda>=12.3" and no more; for x86_64 it lets R535 in.
    image = "nvidia/cuda:12.3.2-base-ubuntu22.04"
    facts = {"brand": "nvidia", "driver": "535.104.05"}
    assert _judge(H100, image=image, **facts).verdict == "fits"
    assert _judge(H100, image=image, cpu="aarch64", **facts).verdict == "refused"
    assert _judge(H100, image=image, cpu="aarch64", brand="nvidia", cuda="12.2").verdict == "refused"


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04",
        "nvcr.io/nvidia/cuda:12.8.0-runtime-ubi9@sha256:0123",
        "localhost:5000/mirror/nvidia/cuda:12.8.1",
    ],
)
def test_an_image_is_known_from_every_registry(image):
    assert _judge(RTX_3090, image=image, **GEFORCE).verdict == "refused"


@pytest.mark.parametrize(
    "image", ["python:3.11-slim-bookworm", "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-devel", ""]
)
def test_other_images_ask_for_nothing(image):
    assert base_image(machine(RTX_3090, engines=LEGACY, **GEFORCE), image) == ()


def test_an_image_without_a_version_or_without_a_row_is_unknown_with_what_helps():
    nameless = _judge(RTX_3090, image="nvidia/cuda:latest", **GEFORCE)
    assert (nameless.verdict, nameless.remedy) == ("unknown", "Name the image by its version.")
    rowless = _judge(RTX_3090, image="nvidia/cuda:13.3.0-base-ubuntu24.04", **GEFORCE)
    assert rowless.verdict == "unknown"
    assert "images.yaml" in rowless.remedy


def test_a_driver_of_the_images_cuda_or_newer_needs_no_row():
    facts = {"brand": "geforce", "driver": "615.10"}
    assert _judge(RTX_3090, image="nvidia/cuda:13.3.0-base-ubuntu24.04", **facts).verdict == "fits"


def test_an_image_asks_for_nothing_without_gpus():
    assert base_image(machine(driver="535.104.05", engines=LEGACY), CUDA_12_8) == ()
