from __future__ import annotations

from datetime import date

import pytest
from packaging.version import Version

from envcheck.errors import EnvcheckError, UsageError
from envcheck.measure.release import choose_wheel, parse_release
from envcheck.uv import PublishedWheel


def files(*names):
    return tuple(PublishedWheel(name, "0" * 64, 10, None) for name in names)


@pytest.mark.parametrize(
    ("text", "version"),
    [("torch==2.7.1", "2.7.1"), ("torch==2.0.1+cu118", "2.0.1+cu118"), ("torch == 2.13.0+cpu", "2.13.0+cpu")],
)
def test_a_build_is_named_as_pip_names_it(text, version):
    assert parse_release(text) == Version(version)


@pytest.mark.parametrize(
    "text",
    [
        "torch",
        "torch>=2.0",
        "torch==2.*",
        "torch==2.0,!=2.1",
        "torchvision==0.22.1",
        "torch[opt]==2.7.1",
        "torch==2.7.1; python_version > '3'",
        "torch @ https://example.invalid/torch.whl",
        "torch==2.7.1+cu118/../evil",
        "torch==2.7.1+rocm6",
        "torch==2.7.1\n--index-url=x",
        "",
        "==" * 1000,
    ],
)
def test_what_names_no_official_build_is_refused(text):
    with pytest.raises(UsageError, match=r"names no build|no official build"):
        parse_release(text)


def test_the_middle_python_is_measured_and_all_are_named():
    release = choose_wheel(
        Version("2.9.0"),
        "x86_64",
        files(
            "torch-2.9.0-cp310-cp310-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp312-cp312-manylinux_2_28_aarch64.whl",
            "torch-2.9.0-cp313-cp313t-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp313-cp313-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp313-cp313-win_amd64.whl",
            "torch-2.9.0-cp39-cp39-manylinux_2_28_x86_64.whl",
            "torch-2.9.0-cp312-none-macosx_11_0_arm64.whl",
            "torch-2.9.0.tar.gz",
        ),
    )
    assert release.pythons == ("3.9", "3.10", "3.11", "3.12", "3.13", "3.13t")
    assert release.elsewhere == ("aarch64",)
    assert release.chosen.file == "torch-2.9.0-cp311-cp311-manylinux_2_28_x86_64.whl"


def test_a_release_was_published_on_the_day_of_its_first_file():
    days = [date(2025, 6, 5), None, date(2025, 6, 4)]
    wheels = tuple(
        PublishedWheel(f"torch-2.7.1-cp3{minor}-cp3{minor}-linux_x86_64.whl", "0" * 64, None, day)
        for minor, day in enumerate(days, start=9)
    )
    assert choose_wheel(Version("2.7.1"), "x86_64", wheels).published == date(2025, 6, 4)


def test_a_machine_without_wheels_is_told_which_has_some():
    wheels = files("torch-1.6.0-cp38-cp38-manylinux1_x86_64.whl")
    with pytest.raises(EnvcheckError, match="for Linux on aarch64") as caught:
        choose_wheel(Version("1.6.0"), "aarch64", wheels)
    assert caught.value.hint == "--machine x86_64, which has some"
