"""The bus and the kernel module, on roots laid out as /sys and /proc show them."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.host.facts import PciDevice
from envcheck.host.kernel import Module, read_module, read_pci

PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build  (dvs-builder@U22)"
DEVICES = "sys/bus/pci/devices"

PCI_IDS = """\
# List of PCI ID's
10dd  Another vendor
\t2b85  Not this one
10de  NVIDIA Corporation
\t1eb8  TU104GL [Tesla T4]
\t2b85  GB202 [GeForce RTX 5090]
\t\t10de 2057  A subsystem
10df  The next vendor
\t2b85  Nor this one
"""


def card(address, device, pci_class="0x030000", vendor="0x10de"):
    folder = f"{DEVICES}/{address}"
    return {
        f"{folder}/vendor": f"{vendor}\n",
        f"{folder}/device": f"{device}\n",
        f"{folder}/class": f"{pci_class}\n",
    }


def bound(address, driver):
    return {
        f"sys/bus/pci/drivers/{driver}/bind": "",
        f"{DEVICES}/{address}/driver": Path(f"../../drivers/{driver}"),
    }


@pytest.mark.parametrize(
    ("text", "version", "is_open"), [(PROPRIETARY, "550.54.14", False), (OPEN, "575.57.08", True)]
)
def test_the_module_says_its_version_and_kind(lay_out, text, version, is_open):
    root = lay_out({"proc/driver/nvidia/version": text, "sys/module/nvidia/version": f"{version}\n"})
    assert read_module(root) == Module(Version(version), is_open)


def test_the_version_in_proc_serves_where_sysfs_has_none(lay_out):
    assert read_module(lay_out({"proc/driver/nvidia/version": OPEN})) == Module(
        Version("575.57.08"), is_open=True
    )


def test_a_module_of_unknown_kind_is_still_loaded(lay_out):
    root = lay_out({"sys/module/nvidia/version": "550.54.14\n"})
    assert read_module(root) == Module(Version("550.54.14"), None)


def test_no_module_is_none(lay_out):
    assert read_module(lay_out({"sys/module/nouveau/refcnt": "1"})) is None


def test_cards_are_listed_with_the_driver_that_is_bound(lay_out):
    root = lay_out(
        {
            **card("0000:01:00.0", "0x2b85"),
            **bound("0000:01:00.0", "nouveau"),
            **card("0000:41:00.0", "0x1eb8", pci_class="0x030200"),
            **card("0000:01:00.1", "0x22e8", pci_class="0x040300"),
            **card("0000:00:02.0", "0x9a49", vendor="0x8086"),
        }
    )
    assert read_pci(root) == (
        PciDevice("0000:01:00.0", vendor="10de", device="2b85", driver="nouveau"),
        PciDevice("0000:41:00.0", vendor="10de", device="1eb8", driver=None),
    )


@pytest.mark.parametrize("place", ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"])
def test_a_card_has_the_name_that_the_systems_list_gives_it(lay_out, place):
    (device,) = read_pci(lay_out({**card("0000:01:00.0", "0x2b85"), place: PCI_IDS}))
    assert device.name == "GB202 [GeForce RTX 5090]"


def test_a_card_that_is_not_in_the_list_has_no_name(lay_out):
    (device,) = read_pci(lay_out({**card("0000:01:00.0", "0x9999"), "usr/share/misc/pci.ids": PCI_IDS}))
    assert device.name is None


def test_an_empty_bus_and_no_bus_are_two_things(lay_out):
    assert read_pci(lay_out({DEVICES: None})) == ()
    assert read_pci(lay_out({"proc/version": ""}) / "proc") is None
