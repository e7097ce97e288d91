"""The loader's search on made-up machines, and its cache against ldconfig's own reading of it."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess

import pytest

from envcheck.host import loader
from envcheck.host.loader import read_loader

X86_64, I386 = 0x0303, 0x0003


@pytest.fixture(autouse=True)
def _x86_64(monkeypatch):
    names = os.uname()
    monkeypatch.setattr(loader.os, "uname", lambda: os.uname_result((*names[:4], "x86_64")))


def cache(*entries, before=b""):
    """Return an ld.so.cache: (flags, name, path) each; `before` stands for the older format."""
    start = 48 + 24 * len(entries)
    strings, rows = b"", b""
    for flags, name, path in entries:
        places = []
        for text in (name, path):
            places.append(start + len(strings))
            strings += text.encode() + b"\0"
        rows += struct.pack("=iIIIQ", flags, *places, 0, 0)
    header = struct.pack("=20sII20x", b"glibc-ld.so.cache1.1", len(entries), len(strings))
    return before + header + rows + strings


@pytest.fixture
def machine(lay_out):
    def machine(content, *files):
        root = lay_out(dict.fromkeys(files, "") | {"etc/hostname": ""})
        (root / "etc/ld.so.cache").write_bytes(content)
        return root

    return machine


def test_the_path_comes_before_the_cache_and_the_cache_before_the_last_folders(machine):
    root = machine(
        cache((X86_64, "libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")),
        *("usr/lib/wsl/lib/libcuda.so.1", "opt/compat/libcuda.so.1", "usr/lib64/libcuda.so.1"),
    )
    found = read_loader(root, {"LD_LIBRARY_PATH": "/gone:/opt/compat/"}).find("libcuda.so.1")
    assert found == ("/opt/compat/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/lib64/libcuda.so.1")


def test_a_file_that_two_names_lead_to_counts_once_and_one_that_is_gone_not_at_all(machine):
    root = machine(
        cache((X86_64, "libz.so.1", "/lib64/libz.so.1"), (X86_64, "liba.so", "/gone/liba.so")),
        "usr/lib64/libz.so.1",
    )
    (root / "lib64").symlink_to(root / "usr/lib64")
    assert read_loader(root, {}).find("libz.so.1") == ("/lib64/libz.so.1",)
    assert read_loader(root, {}).find("liba.so") == ()


def test_libraries_of_32_bits_are_another_loaders(machine):
    content = cache(
        (I386, "libGL.so.1", "/usr/lib32/libGL.so.1"),
        (X86_64, "libGL.so.1", "/opt/gl/libGL.so.1"),
        before=b"ld.so-1.7.0" + bytes(53),
    )
    root = machine(content, "usr/lib32/libGL.so.1", "opt/gl/libGL.so.1")
    assert read_loader(root, {}).find("libGL.so.1") == ("/opt/gl/libGL.so.1",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no cache",
        b"glibc-ld.so.cache1.1",
        cache((X86_64, "a", "/a"))[:60],
        struct.pack("=20sII20x", b"glibc-ld.so.cache1.1", 0xFFFFFFFF, 0),
        struct.pack("=20sII20xiIIIQ", b"glibc-ld.so.cache1.1", 1, 0, X86_64, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0),
    ],
)
def test_a_broken_cache_is_as_good_as_none(machine, content):
    assert read_loader(machine(content, "usr/lib/a"), {}).find("a") == ("/usr/lib/a",)


def test_a_text_without_an_end_is_none(machine):
    content = struct.pack("=20sII20xiIIIQ", b"glibc-ld.so.cache1.1", 1, 0, X86_64, 72, 74, 0, 0)
    loader = read_loader(machine(content + b"a\0" + b"/" * 100_000 + b"\0"), {})
    assert loader.cached == {"a": ("",)}
    assert loader.find("a") == ()


def test_relative_and_empty_parts_of_the_path_name_no_place_of_the_machine(machine):
    assert read_loader(machine(b""), {"LD_LIBRARY_PATH": ":.:lib:/opt/a:/opt/a"}).first == ("/opt/a",)
    many = ":".join(f"/opt/{number}" for number in range(10_000))
    assert len(read_loader(machine(b""), {"LD_LIBRARY_PATH": many}).first) == 64


@pytest.mark.skipif(shutil.which("ldconfig") is None, reason="there is no ldconfig here")
def test_this_machines_cache_is_read_as_ldconfig_reads_it(monkeypatch):
    monkeypatch.undo()
    if os.uname().machine != "x86_64":
        pytest.skip("ldconfig marks x86-64 only as looked for below")
    said = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    expected: dict[str, tuple[str, ...]] = {}
    for name, path in re.findall(r"^\t(\S+) \(libc6,x86-64[^)]*\) => (.+)$", said, re.MULTILINE):
        expected[name] = (*expected.get(name, ()), path)
    assert dict(read_loader().cached) == expected
