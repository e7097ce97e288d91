"""Variables, limits and shadowing libraries; nothing that can be a secret is read."""

from __future__ import annotations

import resource

import pytest

from envcheck.documents import parse_json, to_json
from envcheck.host import surroundings as surroundings_module
from envcheck.host.facts import Host
from envcheck.host.probe import probe
from envcheck.host.surroundings import read_surroundings


def test_only_the_listed_variables_are_read_and_of_proxies_that_they_are_set(lay_out):
    environ = {
        "CUDA_VISIBLE_DEVICES": "",
        "NCCL_SOCKET_IFNAME": "eth0",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "HF_TOKEN": "hush",
        "CUDA_VISIBLE_DEVICES_OLD": "hush",
        "HTTPS_PROXY": "http://user:hush@proxy:3128",
        "http_proxy": "",
        "PATH": "/hush",
    }
    surroundings, _ = read_surroundings(lay_out({"etc": None}), environ)
    assert surroundings.variables == {
        "CUDA_VISIBLE_DEVICES": "",
        "HTTPS_PROXY": "set",
        "NCCL_SOCKET_IFNAME": "eth0",
    }


def test_values_that_are_long_or_no_text_can_still_be_written(lay_out):
    environ = {"PYTHONPATH": "/x" * 1_000_000, "NCCL_\udcff": "\udc80\x1b[31m", "OMP_NUM_THREADS": "4"}
    surroundings, _ = read_surroundings(lay_out({"etc": None}), environ)
    assert len(surroundings.variables["PYTHONPATH"]) == 4096
    assert surroundings.variables["NCCL_?"] == "?\x1b[31m"
    host = to_json(surroundings)
    assert "OMP_NUM_THREADS" in host


@pytest.mark.parametrize(
    ("limit", "memlock", "files"),
    [(resource.RLIM_INFINITY, "unlimited", "unlimited"), (65536, 64, 65536)],
)
def test_limits_are_those_of_this_process(lay_out, monkeypatch, limit, memlock, files):
    asked = {resource.RLIMIT_MEMLOCK, resource.RLIMIT_NOFILE}
    monkeypatch.setattr(
        surroundings_module.resource,
        "getrlimit",
        lambda which: (limit if which in asked else 1, resource.RLIM_INFINITY),
    )
    surroundings, _ = read_surroundings(lay_out({"etc": None}), {})
    assert (surroundings.memlock_kib, surroundings.open_files) == (memlock, files)


def test_libraries_of_wheels_are_shadowed_by_the_first_file_of_their_name(lay_out):
    root = lay_out(
        {
            "usr/local/cuda/lib64/libcudart.so.12": "",
            "usr/local/cuda/lib64/libcudart.so": "",
            "usr/local/cuda/lib64/libcudart.so.12.4.127": "",
            "usr/local/cuda/lib64/libmine.so.1": "",
            "opt/nccl/libnccl.so.2": "",
            "opt/nccl/libcudart.so.12": "",
            "usr/lib/libcublas.so.12": "",  # not before the wheels
        }
    )
    environ = {"LD_LIBRARY_PATH": "/usr/local/cuda/lib64:/opt/nccl:/gone"}
    surroundings, _ = read_surroundings(root, environ)
    assert surroundings.shadowing == {
        "libcudart.so.12": "/usr/local/cuda/lib64/libcudart.so.12",
        "libnccl.so.2": "/opt/nccl/libnccl.so.2",
    }
    assert read_surroundings(root, {})[0].shadowing == {}


def test_libgl_is_looked_for_where_the_loader_looks(lay_out):
    assert read_surroundings(lay_out({"etc": None}), {})[0].libgl is False
    assert read_surroundings(lay_out({"usr/lib64/libGL.so.1": ""}), {})[0].libgl is True


def test_what_is_not_known_has_its_reason(lay_out, monkeypatch):
    monkeypatch.setattr(surroundings_module.network, "host_name_resolves", lambda _root: (None, "it is shy"))
    surroundings, unknown = read_surroundings(lay_out({"etc": None}), {})
    assert unknown == {
        "surroundings.host_name_resolves": "it is shy",
        "surroundings.interfaces": "/sys/class/net is not to be seen",
        "surroundings.infiniband": "/sys/class is not to be seen",
    }
    assert surroundings.nvcc == "none"


def test_this_machines_surroundings_survive_the_document():
    host = probe()
    assert host.surroundings.open_files is not None
    assert host.kernel.selinux is not None or "kernel.selinux" in host.unknown
    assert parse_json(to_json(host).encode(), Host, source="probe") == host
