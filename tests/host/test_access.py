"""Device nodes and files of libcuda on made-up machines."""

from __future__ import annotations

import os

from envcheck.host import access
from envcheck.host.access import read_access, without_access
from envcheck.host.facts import DeviceNode


def test_every_node_of_nvidias_is_told_with_whether_this_user_may_use_it(lay_out, monkeypatch):
    root = lay_out(
        {
            **dict.fromkeys(("dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm", "dev/dxg", "dev/null"), ""),
            "dev/nvidia-caps": None,
        }
    )
    really = os.access
    monkeypatch.setattr(
        access.os, "access", lambda path, mode: path.name != "nvidia-uvm" and really(path, mode)
    )
    assert read_access(root, {}).nodes == (
        DeviceNode("/dev/dxg", usable=True),
        DeviceNode("/dev/nvidia-uvm", usable=False),
        DeviceNode("/dev/nvidia0", usable=True),
        DeviceNode("/dev/nvidiactl", usable=True),
    )


def test_a_node_that_may_only_be_read_is_of_no_use(lay_out, monkeypatch):
    asked = []
    monkeypatch.setattr(access.os, "access", lambda _path, mode: asked.append(mode))
    read_access(lay_out({"dev/nvidia0": ""}), {})
    assert asked == [os.R_OK | os.W_OK]


def test_without_nodes_there_are_none_and_without_dev_nobody_knows(lay_out):
    assert read_access(lay_out({"etc": None}), {}).unknown == {"driver.nodes": "/dev is not to be seen"}
    seen = read_access(lay_out({"dev/null": ""}), {})
    assert (seen.nodes, seen.unknown) == ((), {})


def test_nvidia_modprobe_makes_nodes_where_it_is_installed(lay_out):
    assert read_access(lay_out({"dev": None}), {}).modprobe is False
    assert read_access(lay_out({"usr/bin/nvidia-modprobe": ""}), {}).modprobe is True


def test_the_files_of_libcuda_come_in_the_loaders_order(lay_out):
    root = lay_out(
        {"usr/lib/libcuda.so.1": "", "usr/local/cuda/compat/libcuda.so.1": "", "usr/lib/libcuda.so": ""}
    )
    environ = {"LD_LIBRARY_PATH": "/usr/local/cuda/compat"}
    assert read_access(root, environ).libcuda_files == (
        "/usr/local/cuda/compat/libcuda.so.1",
        "/usr/lib/libcuda.so.1",
    )
    assert read_access(root, {}).libcuda_files == ("/usr/lib/libcuda.so.1",)


def test_names_that_are_no_text_can_still_be_written(lay_out):
    root = lay_out({"dev": None})
    (root / "dev" / os.fsdecode(b"nvidia\xff")).write_text("")
    assert [node.path for node in read_access(root, {}).nodes] == ["/dev/nvidia?"]


def test_when_nothing_could_be_read_each_fact_has_the_reason():
    nothing = without_access("HANG: no answer within 5 s")
    assert (nothing.nodes, nothing.modprobe, nothing.libcuda_files) == (None, None, None)
    assert set(nothing.unknown) == {"driver.nodes", "driver.modprobe", "driver.libcuda_files"}
