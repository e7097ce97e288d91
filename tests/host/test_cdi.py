"""CDI specs: what NVIDIA's tool writes, what people and other vendors write, what is no spec at all."""

from __future__ import annotations

import json
import os

import pytest
from packaging.version import Version

from envcheck.host.cdi import kinds, read_cdi
from envcheck.host.facts import Cdi

# Shortened from what nvidia-ctk 1.17 writes: keys in the order of the alphabet, two spaces, names in quotes.
SPEC = """---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  - path: /dev/nvidia-uvm
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
  - args:
    - nvidia-cdi-hook
    - update-ldcache
    - --folder
    - /usr/lib/x86_64-linux-gnu
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  mounts:
  - containerPath: /usr/bin/nvidia-smi
    hostPath: /usr/bin/nvidia-smi
    options:
    - ro
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14
    options:
    - ro
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: GPU-5c0d
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""
FILES = {
    "dev/nvidiactl": "",
    "dev/nvidia-uvm": "",
    "dev/nvidia0": "",
    "usr/bin/nvidia-cdi-hook": "",
    "usr/bin/nvidia-smi": "",
    "usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14": "",
}
WHOLE = Cdi(
    "/etc/cdi/nvidia.yaml",
    kind="nvidia.com/gpu",
    driver=Version("550.54.14"),
    devices=("0", "GPU-5c0d", "all"),
    missing=(),
)


def test_without_a_folder_there_is_no_spec(tmp_path):
    assert read_cdi(tmp_path) == ((), {})


def test_a_spec_of_nvidias_tool_names_driver_devices_and_files(lay_out):
    assert read_cdi(lay_out({"etc/cdi/nvidia.yaml": SPEC, **FILES})) == ((WHOLE,), {})


def test_json_says_the_same(lay_out):
    document = {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "containerEdits": {
            "mounts": [{"hostPath": "/usr/lib64/libnvidia-ml.so.580.95.05", "containerPath": "/x"}],
            "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk"]}],
        },
        "devices": [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}}],
    }
    (spec,), unknown = read_cdi(lay_out({"etc/cdi/n.json": json.dumps(document), "dev/nvidia0": ""}))
    assert str(spec.driver) == "580.95.05"
    assert spec.devices == ("all",)
    assert spec.missing == ("/usr/lib64/libnvidia-ml.so.580.95.05", "/usr/bin/nvidia-ctk")
    assert unknown == {}


def test_files_that_it_names_and_that_are_gone_are_missing_once_each(lay_out):
    gone = ("dev/nvidia0", "usr/bin/nvidia-cdi-hook")
    files = {name: content for name, content in FILES.items() if name not in gone}
    (spec,), _ = read_cdi(lay_out({"etc/cdi/nvidia.yaml": SPEC, **files}))
    assert spec.missing == ("/usr/bin/nvidia-cdi-hook", "/dev/nvidia0")


def test_both_folders_are_read_the_weightier_last(lay_out):
    root = lay_out({"var/run/cdi/nvidia.yaml": SPEC, "etc/cdi/b.yaml": SPEC, "etc/cdi/a.yml": SPEC})
    assert [spec.path for spec in read_cdi(root)[0]] == [
        "/etc/cdi/a.yml",
        "/etc/cdi/b.yaml",
        "/var/run/cdi/nvidia.yaml",
    ]


def test_the_spec_of_another_vendor_and_what_is_no_spec_are_left_out(lay_out):
    other = SPEC.replace("nvidia.com/gpu", "vendor.com/net")
    assert read_cdi(lay_out({"etc/cdi/net.yaml": other, "etc/cdi/README": SPEC})) == ((), {})


def test_a_library_without_a_drivers_version_leaves_the_driver_unknown(lay_out):
    wsl = SPEC.replace("libcuda.so.550.54.14", "libcuda.so.1.1")
    (spec,), unknown = read_cdi(lay_out({"etc/cdi/nvidia.yaml": wsl}))
    assert spec.driver is None
    assert unknown == {"cdi[0].driver": "no library that it names tells a driver's version"}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.yaml", "devices: []\n", "no kind of device stands on a line of its own"),
        ("a.yaml", "{kind: nvidia.com/gpu}\n", "no kind of device stands on a line of its own"),
        ("a.yaml", "x:\n  kind: nvidia.com/gpu\n", "no kind of device stands on a line of its own"),
        ("a.yaml", "", "no kind of device stands on a line of its own"),
        ("a.yaml", "\0", "not text: it holds a NUL character"),
        ("a.json", "{", "not a JSON document: Input data was truncated"),
        ("a.json", "[]", "Expected `object`, got `array`"),
        ("a.json", '{"a":' * 5000, "not a JSON document"),
        ("a.yaml", "x" * 2_000_000, "larger than 1024 KiB"),
    ],
)
def test_what_cannot_be_read_is_a_spec_of_which_nothing_is_known(lay_out, name, text, why):
    specs, unknown = read_cdi(lay_out({f"etc/cdi/{name}": text, "var/run/cdi/nvidia.yaml": SPEC, **FILES}))
    assert specs[0] == Cdi(f"/etc/cdi/{name}")
    assert unknown["cdi[0]"].startswith(why)
    assert specs[1].devices == WHOLE.devices


def test_bytes_that_are_no_text_and_folders_are_no_specs(lay_out):
    root = lay_out({"etc/cdi/folder.yaml": None})
    (root / "etc/cdi/bytes.yaml").write_bytes(b"\xff\xfe")
    specs, unknown = read_cdi(root)
    assert [spec.path for spec in specs] == ["/etc/cdi/bytes.yaml", "/etc/cdi/folder.yaml"]
    assert "not UTF-8" in unknown["cdi[0]"]
    assert "Is a directory" in unknown["cdi[1]"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file: a closed one is not verified")
def test_a_closed_spec_says_so(lay_out):
    root = lay_out({"etc/cdi/nvidia.yaml": SPEC})
    (root / "etc/cdi/nvidia.yaml").chmod(0)
    assert read_cdi(root)[1] == {"cdi[0]": "Permission denied"}


def test_hostile_names_stay_names_and_are_few(lay_out):
    hostile = "\x1b[31m::error::[red]x[/]"
    names = "".join(f"  name: dev{number}\n" for number in range(5000))
    paths = "".join(f"  hostPath: /gone/{number}\n" for number in range(5000))
    head = f"kind: nvidia.com/gpu\r\n  name: {hostile}\n  name: {'n' * 5000}\n  path: ../../{hostile}\n"
    (spec,), _ = read_cdi(lay_out({"etc/cdi/nvidia.yaml": f"{head}{names}{paths}"}))
    assert spec.devices[0] == hostile
    assert len(spec.devices) == 1024
    assert spec.missing[0] == f"../../{hostile}"
    assert len(spec.missing) == 32


def test_a_line_of_spaces_as_long_as_the_file_may_be_is_nothing(lay_out):
    text = f"kind: nvidia.com/gpu\n{' ' * 400_000}x\nname: a{' ' * 400_000}b\n"
    (spec,), _ = read_cdi(lay_out({"etc/cdi/nvidia.yaml": text}))
    assert spec.devices == ()


def test_a_folder_of_a_thousand_files_is_not_read_to_its_end(lay_out):
    root = lay_out({f"etc/cdi/{number:04}.yaml": SPEC for number in range(1000)})
    assert len(read_cdi(root)[0]) == 64


def test_a_spec_may_stand_in_the_second_folder_alone_and_name_nothing(lay_out):
    specs, _ = read_cdi(lay_out({"var/run/cdi/nvidia.yaml": "kind: nvidia.com/gpu\n"}))
    assert specs == (Cdi("/var/run/cdi/nvidia.yaml", kind="nvidia.com/gpu", devices=(), missing=()),)


@pytest.mark.parametrize(
    ("written", "name"), [("'0'", "0"), ('"all"', "all"), ("'0\"", "'0\""), ("0'", "0'"), ("'", "'")]
)
def test_names_lose_their_quotes_where_these_are_a_pair(lay_out, written, name):
    (spec,), _ = read_cdi(lay_out({"etc/cdi/n.yaml": f"kind: nvidia.com/gpu\nname: {written}\n"}))
    assert spec.devices == (name,)


def test_what_json_says_in_another_shape_is_passed_over(lay_out):
    odd = {"kind": "nvidia.com/gpu", "path": ["/a", {"hostPath": "/b"}], "name": {"name": 5}, "other": "/c"}
    (spec,), _ = read_cdi(lay_out({"etc/cdi/n.json": json.dumps(odd)}))
    assert (spec.devices, spec.missing) == ((), ("/b",))


def test_a_path_that_no_file_can_have_is_not_missing(lay_out):
    text = f"kind: nvidia.com/gpu\nhostPath: /{'x' * 5000}\nhostPath: /etc/cdi/n.yaml/under\n"
    (spec,), _ = read_cdi(lay_out({"etc/cdi/n.yaml": text}))
    assert spec.missing == ("/etc/cdi/n.yaml/under",)


def test_kinds_are_those_of_the_folders_that_are_asked_for(lay_out):
    root = lay_out(
        {"etc/cdi/nvidia.yaml": SPEC, "opt/cdi/net.json": '{"kind": "vendor.com/net"}', "opt/cdi/a.json": "{"}
    )
    assert list(kinds(["/nowhere", "/opt/cdi"], root)) == ["vendor.com/net"]
    assert list(kinds(["/etc/cdi"], root)) == ["nvidia.com/gpu"]
