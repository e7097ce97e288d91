from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import Tag
from packaging.version import Version

from envcheck.errors import UsageError
from envcheck.measure.wheel import Measured, glibc_of, machine_of, python_of, read_wheel
from tests.measure.wheels import FLAGS, NUMPY_1, library, metadata, version_py, write_wheel

AARCH64 = "torch-2.15.0-cp312-cp312-manylinux_2_28_aarch64.whl"


def test_a_cuda_wheel_says_everything_of_its_build(torch_wheel):
    wheel = torch_wheel(
        metadata=metadata(
            "2.7.1",
            "filelock",
            'nvidia-cudnn-cu12==9.5.1.17; platform_system == "Linux" and platform_machine == "x86_64"',
            'triton==3.3.1; platform_system == "Linux"',
            'nvidia-ml-py==1; extra == "monitor"',
        )
    )
    assert read_wheel(wheel) == Measured(
        wheel="torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl",
        torch=Version("2.7.1"),
        tag="cu126",
        default=True,
        cuda=Version("12.6"),
        code=FLAGS,
        numpy="",
        python="3.11",
        machine="x86_64",
        glibc=Version("2.28"),
        companions={"nvidia-cudnn-cu12": "==9.5.1.17", "triton": "==3.3.1"},
    )


def test_a_cpu_wheel_has_neither_cuda_nor_code(torch_wheel):
    wheel = torch_wheel("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", version=version_py("None"))
    measured = read_wheel(wheel)
    assert (measured.torch, measured.tag, measured.default) == (Version("2.13.0"), "cpu", False)
    assert (measured.cuda, measured.code, measured.glibc) == (None, "", None)


def test_markers_are_those_of_the_wheels_own_target(torch_wheel):
    wheel = torch_wheel(
        AARCH64,
        metadata=metadata(
            "2.15.0",
            'nvidia-nccl-cu13==2.30.7; platform_machine == "x86_64"',
            'cuda-bindings<14,>=13.0.3; python_version < "3.12"',
            'triton~=3.9.0; platform_system == "Linux" and python_version < "3.16"',
        ),
    )
    assert read_wheel(wheel).companions == {"triton": "~=3.9.0"}


def test_requirements_in_the_old_parentheses_are_read(torch_wheel):
    wheel = torch_wheel(
        metadata=metadata("2.7.1", 'nvidia-cudnn-cu11 (==8.5.0.96) ; platform_system == "Linux"')
    )
    assert read_wheel(wheel).companions == {"nvidia-cudnn-cu11": "==8.5.0.96"}


def test_cuda_is_major_and_minor_and_old_wheels_write_it_without_a_type(torch_wheel):
    wheel = torch_wheel(version="__version__ = '1.1.0'\ncuda = '9.0.176'\n")
    assert (read_wheel(wheel).tag, read_wheel(wheel).cuda) == ("cu90", Version("9.0"))


def test_numpy_1_headers_bound_numpy_and_pybind11s_names_prove_nothing(torch_wheel):
    assert read_wheel(torch_wheel(library=library(numpy=NUMPY_1))).numpy == "<2"
    assert read_wheel(torch_wheel(library=library(numpy=b"\0numpy.core.multiarray\0"))).numpy == "<2"
    assert read_wheel(torch_wheel(library=library(numpy=b""))).numpy is None


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"version": None}, r"has no torch/version\.py"),
        ({"library": None}, r"has no torch/lib/libtorch_python\.so"),
        ({"metadata": None}, r"has no torch-2\.7\.1\.dist-info/METADATA"),
        ({"metadata": metadata("2.7.0")}, r"holds torch '2\.7\.0'"),
        ({"metadata": metadata("2.7.1", "nvidia-cudnn-cu12 === = 9")}, "is no requirement"),
        ({"metadata": metadata("2.7.1", "triton; " + "(" * 99_999)}, "is no requirement"),
        ({"version": "answer = '42'\n"}, "names no CUDA"),
        ({"version": version_py(f"'{'9' * 99_999}'")}, "names no CUDA"),
        ({"version": version_py("'twelve'")}, "says CUDA 'twelve'"),
        ({"version": version_py("None", "hip: Optional[str] = '6.3'\n")}, "a build for hip"),
        ({"library": library("")}, "holds no list of GPU code"),
        ({"library": library() + library("sm_90")}, "holds several lists"),
        ({"library": library("sm_100f sm_120")}, "code for sm_100f"),
    ],
)
def test_a_wheel_that_is_not_torch_as_it_is_known_is_refused(torch_wheel, members, reason):
    with pytest.raises(UsageError, match=reason):
        read_wheel(torch_wheel(**members))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("torch-2.7.1.zip", "not named as a wheel"),
        ("torch-2.7.1-cp311-cp311.whl", "not named as a wheel"),
        ("torchvision-0.22.1-cp311-cp311-manylinux_2_28_x86_64.whl", "a wheel of torchvision"),
        ("torch-2.7.1-cp311-cp311-win_amd64.whl", "is for cp311-cp311-win_amd64"),
        ("torch-2.7.1-py3-none-any.whl", "is for py3-none-any"),
        ("torch-2.0.1+cu117.with.pypi.cudnn-cp311-cp311-linux_x86_64.whl", "no official build"),
        ("torch-2.7.1+cu118-cp311-cp311-manylinux_2_28_x86_64.whl", "called cu118 and holds cu126"),
    ],
)
def test_a_file_by_another_name_is_refused(torch_wheel, name, reason):
    with pytest.raises(UsageError, match=reason):
        read_wheel(torch_wheel(name))


@pytest.mark.parametrize(
    ("tag", "python", "machine", "glibc"),
    [
        ("cp37-cp37m-manylinux1_x86_64", "3.7", "x86_64", "2.5"),
        ("cp310-cp310-manylinux2010_x86_64", "3.10", "x86_64", "2.12"),
        ("cp310-cp310-manylinux2014_aarch64", "3.10", "aarch64", "2.17"),
        ("cp313-cp313t-manylinux_2_28_x86_64", "3.13t", "x86_64", "2.28"),
        ("cp311-cp311-linux_x86_64", "3.11", "x86_64", None),
        ("cp27-cp27mu-manylinux1_x86_64", None, "x86_64", "2.5"),
        ("cp39-abi3-macosx_14_0_arm64", None, None, None),
        ("cp39-cp39-manylinux_2_28_s390x", "3.9", None, None),
    ],
)
def test_a_tag_says_python_machine_and_glibc(tag, python, machine, glibc):
    one = Tag(*tag.split("-"))
    assert (python_of(one), machine_of(one)) == (python, machine)
    assert glibc_of(one) == (Version(glibc) if glibc else None)


def test_a_wheel_with_several_platforms_runs_from_the_older_glibc_on(torch_wheel):
    name = "torch-2.7.1-cp311-cp311-manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl"
    assert read_wheel(torch_wheel(name)).glibc == Version("2.17")


def test_a_wheel_that_is_cut_off_anywhere_is_refused(torch_wheel):
    wheel = torch_wheel()
    data = wheel.read_bytes()
    for end in range(0, len(data), 97):
        wheel.write_bytes(data[:end])
        with pytest.raises(UsageError):
            read_wheel(wheel)


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_wheel_with_any_bytes_changed_is_read_or_refused(tmp_path_factory, changes):
    wheel = write_wheel(tmp_path_factory.mktemp("w") / "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    data = bytearray(wheel.read_bytes())
    for place, value in changes:
        data[int(place * len(data))] = value
    wheel.write_bytes(data)
    try:
        assert isinstance(read_wheel(wheel), Measured)
    except UsageError as error:
        assert wheel.name in error.message  # noqa: PT017 - either answer is right


def test_every_list_of_code_in_the_facts_is_found_in_a_library(torch_wheel, shared):
    releases = json.loads((shared / "facts" / "torch.json").read_text())["releases"]
    lists = {flags for one in releases if (flags := one["MEASURED"]["arch_flags"])}
    assert len(lists) > 5
    for flags in lists:
        assert read_wheel(torch_wheel(library=library(flags))).code == flags
