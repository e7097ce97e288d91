"""Toolkits, nvcc, compiler and headers on made-up machines."""

from __future__ import annotations

import os
import sys

import pytest

from envcheck.host import toolchain


def version_json(version):
    return f'{{"cuda": {{"name": "CUDA SDK", "version": "{version}"}}}}'


def test_each_toolkit_is_told_once_by_the_folder_that_it_is(lay_out):
    root = lay_out(
        {
            "usr/local/cuda-12.4/version.json": version_json("12.4.1"),
            "usr/local/cuda-10.2/version.txt": "CUDA Version 10.2.89\n",
            "usr/local/cuda-13.0/bin/nvcc": "",
            "usr/local/cuda-9.9": None,
            "usr/local/cudnn/README": "",
            "opt/cuda/version.json": version_json("12.6.0"),
            "srv/mine/version.json": version_json("11.8.0"),
        }
    )
    (root / "usr/local/cuda").symlink_to(root / "usr/local/cuda-12.4")
    environ = {"CUDA_HOME": "/srv/mine/", "CUDA_PATH": "relative"}
    assert toolchain.toolkits(root, environ) == {
        "/opt/cuda": "12.6.0",
        "/srv/mine": "11.8.0",
        "/usr/local/cuda-10.2": "10.2.89",
        "/usr/local/cuda-12.4": "12.4.1",
        "/usr/local/cuda-13.0": "13.0",
    }


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"cuda": 1}', '{"cuda": {"version": null}}', "[" * 60_000, "\0" * 1_000_000],
)
def test_a_file_that_names_no_version_is_no_toolkit(lay_out, content):
    root = lay_out({"usr/local/cuda-12.4/version.json": content})
    assert toolchain.toolkits(root, {}) == {}


def test_a_hostile_version_stays_short(lay_out):
    root = lay_out({"usr/local/cuda/version.json": version_json("9" * 50_000)})
    assert toolchain.toolkits(root, {}) == {"/usr/local/cuda": "9" * 20}


@pytest.fixture
def program(lay_out):
    """Return a function that makes a program on the machine, and then the machine."""

    def program(path, script="", mode=0o755):
        root = lay_out({path: f"#!/bin/sh\n{script}\n"})
        (root / path).chmod(mode)
        return root

    return program


def test_nvcc_is_asked_only_where_no_file_beside_it_says_its_version(program, lay_out):
    root = program("usr/bin/nvcc", 'echo "Cuda compilation tools, release 12.0, V12.0.140"')
    assert toolchain.nvcc(root, {"PATH": "/usr/local/cuda/bin:/usr/bin"}) == "12.0.140"
    program("usr/local/cuda/bin/nvcc", "exit 1")
    lay_out({"usr/local/cuda/version.json": version_json("12.4.1")})
    assert toolchain.nvcc(root, {"PATH": "/usr/local/cuda/bin:/usr/bin"}) == "12.4.1"


@pytest.mark.parametrize(("said", "version"), [("release 9.1", "9.1"), ("hello", None)])
def test_nvcc_of_another_kind(program, said, version):
    assert toolchain.nvcc(program("usr/bin/nvcc", f"echo {said}"), {"PATH": "/usr/bin"}) == version


def test_without_nvcc_on_the_path_there_is_none(program):
    root = program("usr/bin/nvcc", "echo release 9.1")
    assert toolchain.nvcc(root, {"PATH": ":usr/bin:/opt/none"}) == "none"
    (root / "usr/bin/nvcc").chmod(0o644)
    assert toolchain.nvcc(root, {"PATH": "/usr/bin"}) == "none"


@pytest.mark.parametrize(
    ("there", "environ", "found"),
    [
        (["usr/bin/gcc", "usr/bin/clang"], {}, "/usr/bin/gcc"),
        (["usr/bin/clang"], {}, "/usr/bin/clang"),
        (["usr/bin/gcc", "opt/bin/gcc-13"], {"CC": "/opt/bin/gcc-13 -m64"}, "/opt/bin/gcc-13"),
        (["usr/bin/gcc"], {"CC": "gone"}, "/usr/bin/gcc"),
        (["usr/bin/cc1"], {"CC": " "}, "none"),
    ],
)
def test_the_compiler_is_the_one_that_is_named_then_gcc_then_clang(program, there, environ, found):
    for path in there:
        root = program(path)
    assert toolchain.compiler(root, {"PATH": "/usr/bin", **environ}) == found


def test_a_folder_of_that_name_compiles_nothing(lay_out):
    assert toolchain.compiler(lay_out({"usr/bin/gcc": None}), {"PATH": "/usr/bin"}) == "none"


def test_the_headers_are_those_of_the_running_python(lay_out):
    minor = "python{}.{}".format(*sys.version_info[:2]) + sys.abiflags
    include = f"{sys.base_prefix.lstrip('/')}/include"
    assert toolchain.python_headers(lay_out({f"{include}/python2.7/Python.h": ""})) is False
    assert toolchain.python_headers(lay_out({f"{include}/{minor}/Python.h": ""})) is True


def test_what_is_found_on_this_machine_is_there():
    assert toolchain.compiler(toolchain.Path("/")) == "none" or os.access(
        toolchain.compiler(toolchain.Path("/")), os.X_OK
    )
