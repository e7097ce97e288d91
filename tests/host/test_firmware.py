"""Firmware, headers, DKMS, SELinux and IOMMU on made-up machines; the clock on this one."""

from __future__ import annotations

import pytest

from envcheck.host.clock import is_synchronized
from envcheck.host.firmware import read_kernel

RUNNING = "6.8.0-49-generic"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
CARD = "sys/bus/pci/devices/0000:01:00.0"


def read(root):
    return read_kernel(root, RUNNING)


@pytest.mark.parametrize(
    ("entries", "secure_boot"),
    [
        ({SECURE_BOOT: "\x06\0\0\0\x01"}, True),
        ({SECURE_BOOT: "\x06\0\0\0\0"}, False),
        ({SECURE_BOOT: "\x06\0"}, None),
        ({"sys/firmware/acpi": None}, False),  # a BIOS
        ({"sys/firmware/efi": None}, None),  # its variables are not mounted
        ({"sys/firmware": None}, None),  # as in a container
    ],
)
def test_secure_boot_is_the_firmwares_variable(lay_out, entries, secure_boot):
    assert read(lay_out(entries))[0].secure_boot is secure_boot


def test_headers_are_those_of_the_running_kernel(lay_out):
    modules = f"lib/modules/{RUNNING}"
    root = lay_out({"lib/modules/6.8.0-48-generic/build/Makefile": ""})
    assert read(root)[0].headers is None
    assert read(lay_out({f"{modules}/modules.dep": ""}))[0].headers is False
    assert read(lay_out({f"{modules}/build/Makefile": ""}))[0].headers is True


def test_headers_that_were_removed_leave_a_link_to_nothing(lay_out, tmp_path):
    assert read(lay_out({f"lib/modules/{RUNNING}/build": tmp_path / "gone"}))[0].headers is False


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        (
            {"nvidia/550.54.14/6.8.0-49-generic/x86_64/log/make.log": "", "nvidia/550.54.14/source/a": ""},
            "installed",
        ),
        (
            {"nvidia/550.54.14/6.8.0-48-generic/x86_64/log/make.log": "", "nvidia/550.54.14/source/a": ""},
            "added",
        ),
        ({"nvidia-srv/550.54.14/build/make.log": ""}, "broken"),
        ({"nvidia/kernel-6.8.0-49-generic-x86_64": ""}, None),
        ({"zfs/2.2.2/6.8.0-49-generic/x86_64/log/make.log": ""}, None),
    ],
)
def test_dkms_has_built_for_the_running_kernel_or_not(lay_out, entries, state):
    root = lay_out({f"var/lib/dkms/{name}": content for name, content in entries.items()})
    kernel, unknown = read(root)
    assert kernel.dkms == state
    assert ("kernel.dkms" in unknown) == (state is None)


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ({"sys/fs/selinux/enforce": "1"}, "enforcing"),
        ({"sys/fs/selinux/enforce": "0"}, "permissive"),
        ({"sys/fs/ext4": None}, "disabled"),
        ({"etc": None}, None),
    ],
)
def test_selinux_is_what_the_kernel_enforces(lay_out, entries, state):
    assert read(lay_out(entries))[0].selinux == state


@pytest.mark.parametrize(
    ("group", "state"),
    [
        ({"iommu_group/type": "DMA-FQ\n"}, "DMA-FQ"),
        ({"iommu_group/type": "identity\n"}, "identity"),
        ({"iommu_group/devices": None}, None),
        ({}, "off"),
    ],
)
def test_the_iommu_is_asked_about_nvidias_cards(lay_out, group, state):
    root = lay_out(
        {
            f"{CARD}/vendor": "0x10de\n",
            "sys/bus/pci/devices/0000:02:00.0/vendor": "0x8086\n",
            "sys/bus/pci/devices/0000:02:00.0/iommu_group/type": "DMA\n",
            **{f"{CARD}/{name}": content for name, content in group.items()},
        }
    )
    assert read(root)[0].iommu == state


def test_an_empty_root_knows_nothing_and_says_why(lay_out):
    kernel, unknown = read(lay_out({"etc": None}))
    assert {name.removeprefix("kernel.") for name in unknown} == {
        name
        for name in ("xids", "complaints", "secure_boot", "headers", "dkms", "selinux", "iommu")
        if getattr(kernel, name) is None
    } | ({"clock_synchronized"} if kernel.clock_synchronized is None else set())
    assert len(unknown) >= 7
    assert all(unknown.values())


def test_a_log_that_is_not_whole_is_told_beside_what_it_has(lay_out):
    kernel, unknown = read(lay_out({"dev/kmsg": "4,9,5000000,-;NVRM: Xid (PCI:0000:3b:00): 79, lost\n"}))
    assert [xid.code for xid in kernel.xids] == [79]
    assert unknown["kernel.xids"] == unknown["kernel.complaints"]
    assert "begins 5 s after" in unknown["kernel.xids"]


def test_this_machines_kernel_says_whether_the_clock_is_kept():
    assert is_synchronized() in (True, False, None)
