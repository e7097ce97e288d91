"""The operating system's facts, on roots laid out as distributions have them."""

from __future__ import annotations

import os

import pytest
from packaging.version import Version

from envcheck.host.system import read_system

UBUNTU = 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n'


def uname(kernel="6.8.0-45-generic"):
    return os.uname_result(("Linux", "box", kernel, "#1 SMP", "x86_64"))


def read(root, **changes):
    system, _ = read_system(root, uname=changes.pop("uname", uname()), environ=changes.pop("environ", {}))
    return system


def test_an_ubuntu_is_named_with_its_version(lay_out):
    system = read(lay_out({"etc/os-release": UBUNTU}))
    assert (system.system, system.machine, system.kernel) == ("Linux", "x86_64", "6.8.0-45-generic")
    assert system.distribution == "ubuntu 22.04"
    assert (system.wsl, system.jetson, system.container) == (False, None, None)


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("ID=arch\n", "arch"),
        ("ID='debian'\nVERSION_ID='12'\n", "debian 12"),
        ('ID="rhel"\nVERSION_ID="8.10"', "rhel 8.10"),
    ],
)
def test_other_distributions_are_named(lay_out, release, name):
    assert read(lay_out({"usr/lib/os-release": release})).distribution == name


def test_a_system_without_os_release_says_why_it_has_no_name(lay_out):
    system, unknown = read_system(lay_out({"etc/fstab": ""}), uname=uname(), environ={})
    assert system.distribution is None
    assert "os.distribution" in unknown


def test_glibc_is_what_the_c_library_says(lay_out, monkeypatch):
    monkeypatch.setattr(os, "confstr", lambda _name: "glibc 2.35")
    assert read(lay_out({"etc/os-release": UBUNTU})).glibc == Version("2.35")


def test_a_c_library_that_is_not_glibc_is_unknown_with_its_reason(lay_out, monkeypatch):
    def confstr(_name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", confstr)
    system, unknown = read_system(lay_out({"etc/os-release": UBUNTU}), uname=uname(), environ={})
    assert system.glibc is None
    assert "musl" in unknown["os.glibc"]


def test_wsl_is_known_by_its_kernel(lay_out):
    root = lay_out({"etc/os-release": UBUNTU})
    assert read(root, uname=uname("5.15.153.1-microsoft-standard-WSL2")).wsl is True


@pytest.mark.parametrize("sign", ["dev/dxg", "proc/sys/fs/binfmt_misc/WSLInterop"])
def test_wsl_with_a_kernel_of_ones_own_is_known_by_its_files(lay_out, sign):
    assert read(lay_out({sign: ""})).wsl is True


def test_a_jetson_is_known_by_its_release(lay_out):
    release = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed\n"
    assert read(lay_out({"etc/nv_tegra_release": release})).jetson == "36.4.3"


def test_a_container_on_a_jetson_is_known_by_the_boards_name(lay_out):
    root = lay_out(
        {
            "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
        }
    )
    assert read(root).jetson == "NVIDIA Jetson Orin Nano Developer Kit"


def test_another_board_with_a_device_tree_is_no_jetson(lay_out):
    assert (
        read(lay_out({"proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0"})).jetson is None
    )


@pytest.mark.parametrize(
    ("entries", "environ", "container"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": 'engine="podman-4.3.1"'}, {}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({".singularity.d": None}, {}, "apptainer"),
        ({"proc/1/cgroup": "0::/kubepods.slice/kubepods-burstable.slice"}, {}, "kubernetes"),
        ({"proc/1/cgroup": "0::/init.scope"}, {"container": "systemd-nspawn"}, "systemd-nspawn"),
        ({"proc/1/cgroup": "0::/init.scope"}, {}, None),
    ],
)
def test_a_container_is_known_by_the_marks_of_its_engine(lay_out, entries, environ, container):
    assert read(lay_out(entries), environ=environ).container == container
