"""A small torch in a find-links folder, real uv, real pip, the shipped table; no network."""

from __future__ import annotations

from datetime import date

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.errors import EnvcheckError, UsageError
from envcheck.measure.row import Difference, measure, row_text
from tests.measure.wheels import NUMPY_1, library, version_py, write_wheel

WHEEL_271 = "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Where a fetched wheel lies while it is read."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ENVCHECK_CACHE", str(folder))
    return folder


def test_a_wheel_that_says_what_the_table_says_differs_in_nothing(torch_wheel, listener):
    row = measure(str(torch_wheel()), "x86_64", listener)
    assert (row.stands, row.differences) == ("same", ())


def test_each_thing_that_the_table_says_otherwise_is_named(torch_wheel, listener):
    wheel = torch_wheel(
        WHEEL_271.replace("cp311", "cp38").replace("_2_28", "2014"),
        library=library("sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90a compute_90", NUMPY_1),
    )
    row = measure(str(wheel), "x86_64", listener)
    assert row.stands == "otherwise"
    assert row.differences == (
        Difference("sass", "5.0, 6.0, 7.0, 7.5, 8.0, 8.6, 9.0", "5.0, 6.0, 7.0, 7.5, 8.0, 8.6"),
        Difference("ptx", "none", "9.0"),
        Difference("exact", "none", "9.0"),
        Difference("glibc", "2.28", "2.17"),
        Difference("numpy", "any", "<2"),
        Difference("pythons", "3.9, 3.10, 3.11, 3.12, 3.13, 3.13t", "3.8 too"),
    )


def test_what_the_wheel_does_not_say_is_no_difference_and_is_written_as_unknown(torch_wheel, listener):
    wheel = torch_wheel(
        "torch-2.2.2+cu121-cp311-cp311-linux_x86_64.whl",
        version=version_py("'12.1'"),
        library=library(numpy=b""),
    )
    row = measure(str(wheel), "x86_64", listener)
    # The table has numpy "<2", glibc 2.5, and this build as the public index's own.
    assert row.differences == ()
    missing = [line.split()[1] for line in row_text(row).splitlines() if line.strip().startswith("#")]
    assert missing == ["published", "glibc", "numpy", "torchvision"]


def test_a_wheel_with_its_tag_in_its_name_says_nothing_of_the_default(torch_wheel, listener):
    wheel = torch_wheel(
        "torch-2.15.0+cu130-cp311-cp311-manylinux_2_28_x86_64.whl",
        version=version_py("'13.0'"),
        library=library("sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"),
    )
    assert measure(str(wheel), "x86_64", listener).stands == "same"


def test_a_default_wheel_that_the_table_does_not_call_so_is_named(torch_wheel, listener):
    wheel = torch_wheel(
        version=version_py("'12.8'"), library=library("sm_75 sm_80 sm_86 sm_90 sm_100 sm_120")
    )
    differences = measure(str(wheel), "x86_64", listener).differences
    assert Difference("default", "no", "yes") in differences


def test_the_same_name_on_another_machine_is_another_build(torch_wheel, listener):
    wheel = torch_wheel(WHEEL_271.replace("x86_64", "aarch64"), version=version_py("'12.6'"))
    assert measure(str(wheel), "x86_64", listener).stands == "nowhere"


def test_a_new_releases_row_is_read_by_the_table_as_it_is_printed(torch_wheel, tmp_path, listener):
    wheel = torch_wheel(
        "torch-9.0.1-cp316-cp316-manylinux_2_34_aarch64.whl",
        version=version_py("'14.1'"),
        library=library("sm_90 sm_100a compute_120"),
    )
    row = measure(str(wheel), "x86_64", listener)
    assert row.stands == "nowhere"
    text = row_text(row).replace("# published is not known from the wheel.", "published: 2030-01-02")
    file = tmp_path / "torch.yaml"
    file.write_text(f"sources: {{wheel: measured}}\nreleases:\n{text}\n", encoding="utf-8")
    (build,) = tables.read_torch(file).builds
    assert build == tables.Build(
        torch=Version("9.0.1"),
        tag="cu141",
        cuda=Version("14.1"),
        sass=(Version("9.0"),),
        ptx=(Version("12.0"),),
        exact=(Version("10.0"),),
        pythons=("3.16",),
        machines=("aarch64",),
        glibc=Version("2.34"),
        default=True,
        published=date(2030, 1, 2),
        evidence="measured",
        source="measured",
    )


def test_a_release_is_asked_for_fetched_measured_and_not_kept(index, cache, listener):
    for python in ("cp311-cp311", "cp312-cp312", "cp313-cp313", "cp313-cp313t"):
        write_wheel(index / f"torch-9.0.1-{python}-manylinux_2_28_x86_64.whl")
    write_wheel(index / "torch-9.0.1-cp312-cp312-manylinux_2_28_aarch64.whl")
    write_wheel(index / "torch-9.0.1+cpu-cp314-cp314-manylinux_2_28_x86_64.whl", version=version_py("None"))
    row = measure("torch==9.0.1", "x86_64", listener)
    assert row.measured.wheel == "torch-9.0.1-cp312-cp312-manylinux_2_28_x86_64.whl"
    assert row.pythons == ("3.11", "3.12", "3.13", "3.13t")
    assert row.elsewhere == ("aarch64",)
    assert (row.stands, row.indexed) == ("nowhere", True)
    assert not list(cache.rglob("*.whl"))


def test_a_wheel_for_another_machine_is_fetched_here(index, listener):
    write_wheel(index / "torch-9.0.1-cp310-cp310-manylinux2014_aarch64.whl", version=version_py("None"))
    row = measure("torch==9.0.1", "aarch64", listener)
    assert (row.measured.machine, row.measured.python, row.measured.tag) == ("aarch64", "3.10", "cpu")


def test_a_users_constraint_does_not_forbid_a_measurement(index, tmp_path, monkeypatch, listener):
    (tmp_path / "constraints.txt").write_text("torch<9\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    write_wheel(index / "torch-9.0.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    assert measure("torch==9.0.1", "x86_64", listener).measured.torch == Version("9.0.1")


def test_a_release_that_is_nowhere_and_a_text_that_is_none_are_told_apart(index, listener):
    write_wheel(index / "torch-9.0.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    with pytest.raises(EnvcheckError, match=r"no version of torch==9\.0\.2"):
        measure("torch==9.0.2", "x86_64", listener)
    with pytest.raises(UsageError, match="names no build"):
        measure("latest", "x86_64", listener)
    with pytest.raises(UsageError, match="No such file"):
        measure(str(index / WHEEL_271), "x86_64", listener)


@pytest.mark.slow
def test_a_real_release_is_what_the_facts_say_of_it(listener):
    """1.13.1 from the user's own index: 890 MB to fetch."""
    try:
        row = measure("torch==1.13.1", "x86_64", listener)
    except EnvcheckError as error:
        pytest.skip(f"not verified against a real wheel: {error.message}")
    assert (row.measured.tag, row.measured.numpy) == ("cu117", "<2")
    assert row.measured.code == "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"
    assert row.measured.companions["nvidia-cudnn-cu11"] == "==8.5.0.96"
