from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.choice.gpus import handed_over, narrow
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu, Mig, MigInstance, PciDevice
from tests.compat.machines import GTX_1080_TI, H100, RTX_5090, machine

SMALL = MigInstance(uuid="MIG-aaaa0001", name="1g.10gb", memory_mib=9984)
LARGE = MigInstance(uuid="MIG-bbbb0002", name="3g.40gb", memory_mib=40448)


def split(index, *instances):
    """An H100 in MIG mode."""
    return Gpu(
        index=index,
        uuid=f"GPU-{index:08x}",
        name=H100[0],
        compute_capability=Version("9.0"),
        mig=Mig(enabled=True, instances=instances),
    )


def host_of(*gpus, **more):
    return replace(machine(driver="550.54.15", **more), gpus=gpus)


WHOLE = Gpu(index=2, uuid="GPU-00000002", name=H100[0], mig=Mig(enabled=False, instances=()))


def test_a_machine_without_mig_is_left_as_it_is():
    host = machine(GTX_1080_TI, RTX_5090, pci=(PciDevice("0000:01:00.0"),) * 2)
    assert narrow(host, None) is host


def test_beside_whole_gpus_split_ones_are_left_out_unless_named():
    host = host_of(split(0, SMALL, LARGE), WHOLE)
    assert handed_over(narrow(host, None)) == ("GPU-00000002",)
    assert handed_over(narrow(host, ("0:1",))) == ("MIG-bbbb0002",)


def test_of_split_gpus_alone_the_largest_slice_is_what_one_process_can_use():
    host = host_of(split(0, SMALL), split(1, SMALL, LARGE))
    seen = narrow(host, None)
    assert handed_over(seen) == ("MIG-bbbb0002",)
    assert [gpu.index for gpu in seen.gpus] == [1]


def test_a_gpu_in_mig_mode_without_instances_stays_for_the_rules_to_refuse():
    host = host_of(split(0), WHOLE)
    assert [gpu.index for gpu in narrow(host, None).gpus] == [0, 2]


@pytest.mark.parametrize(
    ("name", "uuids"),
    [
        ("MIG-aaaa0001", ("MIG-aaaa0001",)),
        ("mig-bbbb", ("MIG-bbbb0002",)),
        ("0:0", ("MIG-aaaa0001",)),
        ("0", ("MIG-aaaa0001", "MIG-bbbb0002")),  # which the MIG rule refuses: one process sees one
        ("GPU-00000000", ("MIG-aaaa0001", "MIG-bbbb0002")),
        ("2", ("GPU-00000002",)),
    ],
)
def test_slices_are_named_by_uuid_or_place_and_a_split_gpu_stands_for_all_of_its(name, uuids):
    host = host_of(split(0, SMALL, LARGE), WHOLE)
    assert handed_over(narrow(host, (name,))) == uuids


def test_naming_a_gpu_twice_hands_it_over_once():
    host = machine(GTX_1080_TI, RTX_5090)
    assert handed_over(narrow(host, ("1", "GPU-00000001"))) == ("GPU-00000001",)


def test_a_slice_that_is_not_there_is_bad_input_that_lists_the_slices():
    with pytest.raises(UsageError) as caught:
        narrow(host_of(split(0, SMALL, LARGE)), ("0:2",))
    assert "0:1 (H100 80GB HBM3)" in caught.value.hint


def test_an_unexplained_card_keeps_a_split_machine_whole_so_that_the_rules_see_it():
    lost = PciDevice("0000:99:00.0", "10de", "2330", "nvidia")
    host = replace(
        host_of(replace(WHOLE, pci_address="0000:17:00.0"), split(0, LARGE)), pci=(lost, lost, lost)
    )
    assert narrow(host, None) is host
