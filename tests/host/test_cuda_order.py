"""CUDA's order through the real loading path: the libcuda behind it is our own (tests/cuda)."""

from __future__ import annotations

import os

import pytest

from envcheck.host.cuda_order import CudaOrder, read_cuda_order

GTX = "GPU-8f2b6a1d-1c3e-4b5f-9d70-3a4b5c6d7e80"
RTX = "GPU-e4d3c2b1-a09f-4e8d-b7c6-5a4938271605"


@pytest.mark.parametrize("library", ["new", "old"])
def test_the_order_is_the_one_that_cuda_counts_in(cuda_lists, library):
    cuda_lists(RTX, GTX, library=library)
    assert read_cuda_order() == CudaOrder((RTX, GTX))


def test_cudas_order_is_asked_for_as_the_user_has_set_it(cuda_lists, monkeypatch):
    cuda_lists(RTX, GTX, by_bus=(GTX, RTX))
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert read_cuda_order().uuids == (GTX, RTX)


def test_what_cuda_may_see_does_not_change_how_it_counts_and_stays_as_it_was(cuda_lists, monkeypatch):
    cuda_lists(RTX, GTX)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert read_cuda_order().uuids == (RTX, GTX)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_machine_without_gpus_has_an_empty_order(cuda_lists):
    cuda_lists()
    assert read_cuda_order() == CudaOrder(())


def test_an_error_of_cuda_is_the_reason_by_its_name(cuda_lists):
    cuda_lists(RTX, GTX, trouble="fail cuInit")
    assert read_cuda_order() == CudaOrder(None, "cuInit says CUDA_ERROR_NO_DEVICE")


@pytest.mark.parametrize("question", ["cuInit", "cuDeviceGetCount"])
def test_a_hang_ends_in_time_and_names_what_hung(cuda_lists, question):
    cuda_lists(RTX, GTX, trouble=f"hang {question}")
    assert read_cuda_order(limit_s=3) == CudaOrder(None, f"{question} gave no answer within 3 s")


def test_a_crash_takes_only_the_child_along(cuda_lists):
    cuda_lists(RTX, GTX, trouble="crash cuDeviceGetCount")
    assert read_cuda_order() == CudaOrder(None, "cuDeviceGetCount crashed with signal 11")


def test_a_library_that_cannot_be_loaded_is_a_reason(cuda_lists, tmp_path, monkeypatch):
    cuda_lists(RTX)
    (tmp_path / "libcuda.so.1").write_bytes(b"no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    said = read_cuda_order()
    assert said.uuids is None
    assert said.unknown.startswith(f"{tmp_path}/libcuda.so.1: ")


def test_a_child_that_cannot_start_is_a_reason(monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert read_cuda_order() == CudaOrder(None, "libcuda was not asked: No such file or directory")
