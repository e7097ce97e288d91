"""What is installed, on made-up folders as pip, conda and Debian fill them; an import would end the tests."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.host.facts import InstalledPackage
from envcheck.host.installed import read_installed
from tests.host.sites import BUILT_HERE, executable, package, system_python, torch, venv

SITE = "venv/lib/python3.11/site-packages"
FLAGS = b"\0sm_80 sm_90 compute_90\0"
NUMPY_1 = b"\0numpy.core._multiarray_umath\0"
NUMPY_2 = b"\0numpy._core._multiarray_umath\0" + NUMPY_1

PINNED = """Name: torch
Requires-Dist: filelock
Requires-Dist: nvidia-cudnn-cu12 (==8.9.2.26) ; platform_system == "Linux" and platform_machine == "x86_64"
Requires-Dist: nvidia-nccl-cu12==2.18.1; platform_system == "Linux"
Requires-Dist: nvidia-nvtx-cu12==12.1.105
Requires-Dist: nvidia-cusparse-cu12==12.1.0.106
Requires-Dist: nvidia-cublas-cu12>=12.1
Requires-Dist: nvidia-cufft-cu12==11.0.2.54,<12
Requires-Dist: triton==2.1.0

Requires-Dist: nvidia-curand-cu12==10.3.2.106 is what a description may say
"""


@pytest.fixture
def read(lay_out):
    """Return a function that lays out packages in a virtual environment, and reads them."""

    def read(entries, blobs=(), **environ):
        root = lay_out({**venv(), "dev/nvidiactl": "", **entries})
        for name, content in dict(blobs).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        return read_installed({"VIRTUAL_ENV": "/venv", **environ}, executable(root))

    return read


def test_packages_are_told_with_their_place(read):
    ((found,), unknown) = read(
        {
            **package(SITE, "numpy", "2.1.0", "numpy"),
            **package(SITE, "opencv_python_headless", "4.10.0.84", "cv2"),
            **package(SITE, "requests", "2.31.0", "requests"),
        }
    )
    assert unknown == {}
    assert (found.executable, found.version, found.active) == ("/venv/bin/python", Version("3.11.7"), True)
    assert found.packages == (
        InstalledPackage("numpy", "2.1.0", f"/{SITE}", "wheel", of_user=False),
        InstalledPackage("opencv-python-headless", "4.10.0.84", f"/{SITE}", "wheel", of_user=False),
    )
    assert (found.torch_cuda, found.torch_architectures) == (None, None)


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ("numpy-1.24.2.egg-info/PKG-INFO", "1.24.2"),
        ("numpy-1.24.2-py3.11.egg-info", "1.24.2"),
        ("NumPy-1!1.24.2.post1.dist-info/METADATA", "1!1.24.2.post1"),
    ],
)
def test_older_tools_call_the_metadata_otherwise(read, entry, version):
    ((found,), _) = read({f"{SITE}/{entry}": "Name: numpy", f"{SITE}/numpy/__init__.py": ""})
    assert [(one.name, one.version, one.origin, one.broken) for one in found.packages] == [
        ("numpy", version, "system", None)
    ]


@pytest.mark.parametrize(
    ("files", "origin"),
    [
        ({}, "wheel"),
        ({"INSTALLER": "uv"}, "wheel"),
        ({"INSTALLER": "conda"}, "conda"),
        ({"INSTALLER": "rpm"}, "system"),
        ({"WHEEL": BUILT_HERE}, "built here"),
    ],
)
def test_who_built_a_package_is_told(read, files, origin):
    ((found,), _) = read(package(SITE, "scipy", "1.12.0", "scipy", **files))
    assert found.packages[0].origin == origin


def test_torch_from_pytorchs_own_index_is_a_wheel_though_its_tag_says_linux(read):
    ((found,), _) = read(package(SITE, "torch", "2.3.0+cu118", "torch", WHEEL=BUILT_HERE))
    assert (found.packages[0].origin, found.packages[0].version) == ("wheel", "2.3.0+cu118")


def test_torch_says_its_cuda_and_its_code(read):
    library = b"x" * ((1 << 20) - 11) + FLAGS + b"y" * 100  # across the first window's end
    ((found,), unknown) = read(
        torch(SITE, "2.10.0+cu128", cuda="12.8"), {f"{SITE}/torch/lib/libtorch_python.so": library}
    )
    assert unknown == {}
    assert found.package("torch").version == "2.10.0+cu128"
    assert found.torch_cuda == "12.8"
    assert found.torch_architectures == ("sm_80", "sm_90", "compute_90")


def test_without_a_driver_nobody_reads_what_code_torch_holds(lay_out):
    root = lay_out({**venv(), **torch(SITE, "2.10.0+cu128", cuda="12.8")})
    (root / SITE / "torch/lib").mkdir(parents=True)
    (root / SITE / "torch/lib/libtorch_python.so").write_bytes(FLAGS)
    ((found,), unknown) = read_installed({"VIRTUAL_ENV": "/venv"}, executable(root))
    assert (found.torch_cuda, found.torch_architectures) == ("12.8", None)
    assert unknown["installed[0].torch_architectures"].startswith("There is no NVIDIA driver")


@pytest.mark.parametrize(
    "library", [None, b"", b"\0sm_80\0"[:-1], b"sm_80\0", b"\0sm_\0", b"\0sm_80  sm_90\0", b"\0sm_80;rm\0"]
)
def test_a_library_that_lists_no_code_leaves_it_unknown(read, library):
    blobs = {} if library is None else {f"{SITE}/torch/lib/libtorch_python.so": library}
    ((found,), unknown) = read(torch(SITE, "2.10.0+cu128", cuda="12.8"), blobs)
    assert found.torch_architectures is None
    reason = f"/{SITE}/torch/lib/libtorch_python.so does not list them"
    assert unknown == {"installed[0].torch_architectures": reason}


@pytest.mark.parametrize(("said", "told"), [({}, "none"), ({"hip": "6.0"}, "rocm")], ids=["cpu", "rocm"])
def test_a_build_without_cuda_has_no_code(read, said, told):
    ((found,), unknown) = read(torch(SITE, "2.10.0", **said))
    assert (found.torch_cuda, found.torch_architectures, unknown) == (told, (), {})


@pytest.mark.parametrize(
    "version_py", [None, "", "import os\nos.abort()\n", "cuda = open('x')", "\0" * 100_000]
)
def test_a_torch_that_does_not_say_what_it_is_leaves_it_unknown(read, version_py):
    entries = torch(SITE, "2.10.0")
    del entries[f"{SITE}/torch/version.py"]
    if version_py is not None:
        entries[f"{SITE}/torch/version.py"] = version_py
    ((found,), unknown) = read(entries)
    assert (found.torch_cuda, found.torch_architectures) == (None, None)
    assert unknown["installed[0].torch_cuda"] == f"/{SITE}/torch/version.py does not say"
    assert "installed[0].torch_architectures" in unknown


@pytest.mark.parametrize(
    ("content", "told"), [(NUMPY_1, "1"), (NUMPY_2, "2"), (b"other", None), (None, None)]
)
def test_the_small_packages_say_which_numpy_they_were_compiled_for(read, content, told):
    blobs = {f"{SITE}/xtcocotools/_mask.cpython-311-x86_64-linux-gnu.so": content} if content else {}
    ((found,), _) = read(package(SITE, "xtcocotools", "1.14.3", "xtcocotools"), blobs)
    assert found.packages[0].numpy == told


def _without(entries, *gone):
    return {name: content for name, content in entries.items() if not name.endswith(gone)}


def test_metadata_without_its_module_is_broken(read):
    entries = _without(package(SITE, "numpy", "2.1.0", "numpy"), "numpy/__init__.py")
    ((found,), _) = read(entries)
    assert found.packages[0].broken == "numpy/__init__.py is missing"


def test_what_lies_elsewhere_while_somebody_works_on_it_is_not_broken(read):
    entries = package(SITE, "torchvision", "0.25.0", "torchvision", RECORD="__editable__.torchvision.pth,,\n")
    ((found,), _) = read(_without(entries, "torchvision/__init__.py"))
    assert found.packages[0].broken is None


@pytest.mark.parametrize(
    ("recorded", "there", "broken"),
    [
        ("numpy.libs/libopenblas.so,,\n", False, "numpy.libs is missing"),
        ("numpy.libs/libopenblas.so,,\n", True, None),
        ("", False, None),
    ],
)
def test_the_libraries_that_a_wheel_brought_have_to_be_there(read, recorded, there, broken):
    entries = package(SITE, "numpy", "2.1.0", "numpy", RECORD=f"numpy/__init__.py,,\n{recorded}")
    ((found,), _) = read({**entries, **({f"{SITE}/numpy.libs": None} if there else {})})
    assert found.packages[0].broken == broken


def test_files_of_another_version_than_the_metadata_are_broken(read):
    entries = torch(SITE, "2.3.0+cu121", cuda="12.1")
    moved = {name.replace("torch-2.3.0", "torch-2.1.0"): content for name, content in entries.items()}
    ((found,), _) = read(moved)
    assert (found.packages[0].version, found.packages[0].broken) == ("2.1.0", "its files are of 2.3.0+cu121")


def test_python_imports_the_first_of_several(read):
    user = "home/me/.local/lib/python3.11/site-packages"
    entries = {
        **system_python("conda"),
        **package("conda/lib/python3.11/site-packages", "numpy", "1.26.4", "numpy"),
        **package(user, "numpy", "2.1.0", "numpy"),
    }
    ((found,), _) = read(entries, VIRTUAL_ENV="", CONDA_PREFIX="/conda", HOME="/home/me")
    assert [(one.version, one.folder, one.of_user) for one in found.packages] == [
        ("2.1.0", f"/{user}", True),
        ("1.26.4", "/conda/lib/python3.11/site-packages", False),
    ]
    assert found.package("numpy").version == "2.1.0"


def test_without_any_python_nothing_is_installed(lay_out):
    assert read_installed({"PATH": "/usr/bin"}, lay_out({"usr/bin": None})) == ((), {})


def test_a_python_that_does_not_say_which_one_it_is_leaves_everything_unknown(lay_out):
    root = executable(lay_out({"opt/bin/python3": "#!/bin/sh\n"}))
    found, unknown = read_installed({"PATH": "/opt/bin"}, root)
    assert found is None
    assert unknown == {"installed": "/opt/bin/python3 does not say which Python it is"}


def test_a_folder_that_cannot_be_read_leaves_the_packages_unknown(read, monkeypatch):
    def closed(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("envcheck.host.installed.metadata_in", closed)
    ((found,), unknown) = read(torch(SITE, "2.10.0"))
    assert (found.packages, found.torch_cuda) == (None, None)
    assert unknown == {"installed[0].packages": f"/{SITE}: Permission denied"}


def test_names_of_another_kind_are_passed_over(read):
    names = [
        "numpy-\x1b[31m2.dist-info", "numpy-2.1\n.dist-info", "numpy-.dist-info", "numpy.dist-info",
        "-2.1.dist-info", "~umpy-2.1.0.dist-info", "numpy-" + "1" * 100 + ".dist-info",
        "numpy-::error::.dist-info",
    ]  # fmt: skip
    ((found,), _) = read({f"{SITE}/{name}/RECORD": "" for name in names})
    assert found.packages == ()


def test_metadata_that_leads_out_or_around_does_no_harm(read):
    entries = {
        f"{SITE}/numpy-2.1.0.dist-info": Path("/dev"),
        f"{SITE}/scipy-1.13.0.dist-info": Path("scipy-1.13.0.dist-info"),
        f"{SITE}/torch-2.3.0.dist-info": "a file",
    }
    ((found,), _) = read(entries)
    assert [one.name for one in found.packages] == ["numpy", "scipy", "torch"]
    assert {one.broken for one in found.packages} == {None}


def test_a_huge_list_of_files_is_read_to_its_bound(read):
    entries = _without(package(SITE, "numpy", "2.1.0", "numpy"), "numpy/__init__.py", "RECORD")
    record = b"x" * (9 << 20) + b"\nnumpy/__init__.py,,"
    ((found,), _) = read(entries, {f"{SITE}/numpy-2.1.0.dist-info/RECORD": record})
    assert found.packages[0].broken is None


def test_the_environment_that_runs_these_tests_holds_what_python_says_it_does():
    (found, *_), unknown = read_installed({"PATH": str(Path(sys.executable).parent)})
    assert unknown.keys() <= {"installed[0].torch_architectures"}, "not read without a driver"
    assert found.package("numpy").version == metadata.version("numpy")
    assert found.package("numpy").broken is None
    torch = found.package("torch")
    if torch is not None:
        assert Version(torch.version).public == Version(metadata.version("torch")).public
        assert found.torch_cuda is not None


def test_libraries_of_another_version_than_torch_pins_are_told(read):
    entries = torch(SITE, "2.1.0+cu121", cuda="12.1")
    entries[f"{SITE}/torch-2.1.0.dist-info/METADATA"] = PINNED
    others = (
        "nvidia_cudnn_cu12-9.1.0.70",  # of another version
        "nvidia_cusparse_cu12-12.3.1.170",
        "nvidia_nccl_cu12-2.18.1",  # as it is asked for
        "nvidia_cublas_cu12-12.4.5.8",  # asked for by other means than one version
        "nvidia_cufft_cu12-11.2.1.3",
        "nvidia_curand_cu12-10.3.5.147",
        "triton-3.0.0",
    )
    ((found,), _) = read({**entries, **{f"{SITE}/{name}.dist-info/RECORD": "" for name in others}})
    assert found.torch_unmet == (
        "nvidia-cudnn-cu12 9.1.0.70, not 8.9.2.26",
        "nvidia-cusparse-cu12 12.3.1.170, not 12.1.0.106",
    )
    assert [one.name for one in found.packages] == ["torch"]


@pytest.mark.parametrize("metadata", ["", PINNED])
def test_a_torch_whose_pins_nothing_contradicts_lacks_nothing(read, metadata):
    entries = torch(SITE, "2.1.0+cu121", cuda="12.1")
    ((found,), _) = read({**entries, f"{SITE}/torch-2.1.0.dist-info/METADATA": metadata})
    assert found.torch_unmet == ()


def test_the_library_that_python_loads_counts(read):
    entries = torch(SITE, "2.1.0+cu121", cuda="12.1")
    entries[f"{SITE}/torch-2.1.0.dist-info/METADATA"] = PINNED
    entries[f"{SITE}/nvidia_nccl_cu12-2.20.5.dist-info/RECORD"] = ""
    entries["first/nvidia_nccl_cu12-2.18.1.dist-info/RECORD"] = ""
    ((found,), _) = read(entries, PYTHONPATH="/first")
    assert found.torch_unmet == ()
