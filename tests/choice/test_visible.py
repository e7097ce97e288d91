"""CUDA_VISIBLE_DEVICES against what NVIDIA's guides, and PyTorch's tests of its own reader, say it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.choice.visible import counts, resolve
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu, Mig, MigInstance

GTX = "GPU-8f2b6a1d-1c3e-4b5f-9d70-3a4b5c6d7e80"
RTX = "GPU-8fd3c2b1-a09f-4e8d-b7c6-5a4938271605"
SLICE_1 = "MIG-7a3f8f5c-42d5-5f0a-9a52-2b9d4c0b7e11"
SLICE_2 = "MIG-c2b8a7d4-5e1f-5b60-a7c8-0d3e9f6a1b33"
MIXED = (
    Gpu(index=0, uuid=GTX, name="NVIDIA GeForce GTX 1080 Ti"),
    Gpu(index=1, uuid=RTX, name="NVIDIA GeForce RTX 5090"),
)
FASTEST_FIRST = (RTX, GTX)
RTX_NAMED = f"GeForce RTX 5090 ({RTX})"


def split(*uuids):
    slices = tuple(MigInstance(uuid, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9984) for uuid in uuids)
    return Gpu(
        index=0, uuid="GPU-5c0d2f1e", name="NVIDIA H100 80GB HBM3", mig=Mig(enabled=True, instances=slices)
    )


@pytest.mark.parametrize(
    ("value", "by_bus", "fastest_first"),
    [
        ("0", (GTX,), (RTX,)),
        ("1", (RTX,), (GTX,)),
        ("1,0", (RTX, GTX), (GTX, RTX)),
        (" 1 , 0 ", (RTX, GTX), (GTX, RTX)),
        ("0,7,1", (GTX,), (RTX,)),
        ("0,-1,1", (GTX,), (RTX,)),
        ("1,", (RTX,), (GTX,)),
        ("1gpu,0ti", (RTX, GTX), (GTX, RTX)),
        (f"0,{RTX}", (GTX,), (RTX,)),
        ("0,99999999999999999999", (GTX,), (RTX,)),
    ],
)
def test_numbers_count_in_the_given_order_up_to_the_first_that_names_nothing(value, by_bus, fastest_first):
    assert resolve(value, MIXED).names == by_bus
    assert resolve(value, MIXED, FASTEST_FIRST).names == fastest_first


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (RTX, (RTX,)),
        ("GPU-8fd", (RTX,)),
        (f"{RTX},GPU-8f2", (RTX, GTX)),
        ("GPU-8fd,GPU-8f,GPU-8f2", (RTX,)),  # two begin so
        ("GPU-8fd,GPU-0,GPU-8f2", (RTX,)),
        ("GPU-8fd,0", (RTX,)),
    ],
)
def test_the_beginning_of_a_uuid_names_a_gpu_when_no_other_begins_so(value, names):
    assert resolve(value, MIXED).names == resolve(value, MIXED, FASTEST_FIRST).names == names


@pytest.mark.parametrize("value", ["", " ", "-1", "-1,0", "NoDevFiles"])
def test_a_value_that_hides_every_gpu_asks_for_the_cpu(value):
    assert resolve(value, MIXED).names == "none"


@pytest.mark.parametrize("value", ["2", "GPU-8f", "gpu0", "all", ",0", "8fd3c2b1", SLICE_1, "NoDevFiles0"])
def test_a_value_that_leaves_no_gpu_by_mistake_does_not_end_on_the_cpu(value):
    with pytest.raises(UsageError, match="names no GPU of this machine") as caught:
        resolve(value, MIXED)
    assert RTX_NAMED in caught.value.hint


@pytest.mark.parametrize("value", ["0,0", "1,0,1", f"{RTX},GPU-8fd"])
def test_a_gpu_that_is_named_twice_is_refused_because_cuda_then_shows_none(value):
    with pytest.raises(UsageError, match="twice: CUDA would show no GPU"):
        resolve(value, MIXED)


@pytest.mark.parametrize("uuid", [SLICE_2, "MIG-GPU-5c0d2f1e-0b7a-4f2b-8a44-7f0f1b2f9a01/2/0"])
def test_a_slice_is_named_by_the_uuid_that_the_driver_gives_it(uuid):
    assert resolve(uuid, (split(SLICE_1, uuid),)).names == (uuid,)


@pytest.mark.parametrize("value", ["0", "GPU-5c0d"])
def test_a_split_gpu_stands_for_its_only_slice_and_never_for_one_of_several(value):
    assert resolve(value, (split(SLICE_1),)).names == (SLICE_1,)
    with pytest.raises(UsageError, match="CUDA shows one of 2 slices") as caught:
        resolve(value, (split(SLICE_1, SLICE_2),))
    assert SLICE_2 in caught.value.hint


def test_the_beginning_of_a_slices_uuid_is_not_enough():
    with pytest.raises(UsageError, match="names no GPU"):
        resolve("MIG-7a3f8f5c", (split(SLICE_1, SLICE_2),))


def test_a_gpu_whose_uuid_is_unknown_is_named_by_its_index():
    assert resolve("0", (Gpu(index=0, name="Orin"),)).names == ("0",)


@pytest.mark.parametrize(
    ("value", "order", "sentence"),
    [
        ("0", FASTEST_FIRST, f"CUDA_VISIBLE_DEVICES=0 is {RTX_NAMED}, in CUDA's own order"),
        ("1", None, f"CUDA_VISIBLE_DEVICES=1 is {RTX_NAMED}, counted by PCI bus"),
        ("GPU-8fd", None, f"CUDA_VISIBLE_DEVICES=GPU-8fd is {RTX_NAMED}"),
        ("GPU-8fd,7", None, f"CUDA_VISIBLE_DEVICES=GPU-8fd,7 is {RTX_NAMED}; CUDA stops reading at 7"),
        ("-1", None, "CUDA_VISIBLE_DEVICES=-1 hides every GPU"),
    ],
)
def test_the_sentence_says_which_gpu_that_is_and_how_it_was_counted(value, order, sentence):
    assert resolve(value, MIXED, order).sentence == sentence


@pytest.mark.parametrize(
    ("value", "depends"), [("0", True), (" 1,GPU-8f", True), (RTX, False), ("", False), ("-1", False)]
)
def test_only_numbers_depend_on_cudas_order(value, depends):
    assert counts(value) is depends


@given(st.text() | st.lists(st.sampled_from(["0", "1", "-1", "7", RTX, "GPU-8f", "MIG-", ""])).map(",".join))
def test_any_text_names_each_gpu_once_at_most_or_is_refused(value):
    try:
        names = resolve(value, MIXED, FASTEST_FIRST).names
    except UsageError:
        return
    assert names == "none" or (0 < len(set(names)) == len(names) and set(names) <= {GTX, RTX})
