"""A small torch in a find-links folder, real uv, real pip, the shipped table; no network."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.errors import EnvcheckError, UsageError
from envcheck.measure.row import Difference, measure, row_text
from tests.measure.wheels import NUMPY_1, library, version_py, write_wheel

WHEEL_271 = "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl"


class Watch:
    @contextlib.contextmanager
    def step(self, _title):
        yield lambda _news: None


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("ENVCHECK_CACHE", str(tmp_path / "cache"))
    return folder


def test_a_wheel_that_says_what_the_table_says_differs_in_nothing(torch_wheel):
    row = measure(str(torch_wheel()), "x86_64", Watch())
    assert (row.stands, row.differences) == ("same", ())


def test_each_thing_that_the_table_says_otherwise_is_named(torch_wheel):
    wheel = torch_wheel(
        WHEEL_271.replace("cp311", "cp38").replace("_2_28", "2014"),
        library=library("sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90a compute_90", NUMPY_1),
    )
    row = measure(str(wheel), "x86_64", Watch())
    assert row.stands == "otherwise"
    assert row.differences == (
        Difference("sass", "5.0, 6.0, 7.0, 7.5, 8.0, 8.6, 9.0", "5.0, 6.0, 7.0, 7.5, 8.0, 8.6"),
        Difference("ptx", "none", "9.0"),
        Difference("exact", "none", "9.0"),
        Difference("glibc", "2.28", "2.17"),
        Difference("numpy", "any", "<2"),
        Difference("pythons", "3.9, 3.10, 3.11, 3.12, 3.13, 3.13t", "3.8 too"),
    )


def test_what_the_wheel_does_not_say_is_no_difference_and_is_written_as_unknown(torch_wheel):
    wheel = torch_wheel(
        "torch-2.2.2+cu121-cp311-cp311-linux_x86_64.whl",
        version=version_py("'12.1'"),
        library=library(numpy=b""),
    )
    row = measure(str(wheel), "x86_64", Watch())
    # The table has numpy "<2", glibc 2.5, and this build as the public index's own.
    assert row.differences == ()
    missing = [line.split()[1] for line in row_text(row).splitlines() if line.strip().startswith("#")]
    assert missing == ["published", "glibc", "numpy", "torchvision"]


def test_a_wheel_with_its_tag_in_its_name_says_nothing_of_the_default(torch_wheel):
    wheel = torch_wheel(
        "torch-2.15.0+cu130-cp311-cp311-manylinux_2_28_x86_64.whl",
        version=version_py("'13.0'"),
        library=library("sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"),
    )
    assert measure(str(wheel), "x86_64", Watch()).stands == "same"


def test_a_default_wheel_that_the_table_does_not_call_so_is_named(torch_wheel):
    wheel = torch_wheel(
        version=version_py("'12.8'"), library=library("sm_75 sm_80 sm_86 sm_90 sm_100 sm_120")
    )
    differences = measure(str(wheel), "x86_64", Watch()).differences
    assert Difference("default", "no", "yes") in differences


def test_the_same_name_on_another_machine_is_another_build(torch_wheel):
    wheel = torch_wheel(WHEEL_271.replace("x86_64", "aarch64"), version=version_py("'12.6'"))
    assert measure(str(wheel), "x86_64", Watch()).stands == "nowhere"


def test_a_new_releases_row_is_read_by_the_table_as_it_is_printed(torch_wheel, tmp_path):
    wheel = torch_wheel(
        "torch-9.0.1-cp316-cp316-manylinux_2_34_aarch64.whl",
        version=version_py("'14.1'"),
        library=library("sm_90 sm_100a compute_120"),
    )
    row = measure(str(wheel), "x86_64", Watch())
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


def test_a_release_is_asked_for_fetched_measured_and_not_kept(index, tmp_path):
    for python in ("cp311-cp311", "cp312-cp312", "cp313-cp313", "cp313-cp313t"):
        write_wheel(index / f"torch-9.0.1-{python}-manylinux_2_28_x86_64.whl")
    write_wheel(index / "torch-9.0.1-cp312-cp312-manylinux_2_28_aarch64.whl")
    write_wheel(index / "torch-9.0.1+cpu-cp314-cp314-manylinux_2_28_x86_64.whl", version=version_py("None"))
    row = measure("torch==9.0.1", "x86_64", Watch())
    assert row.measured.wheel == "torch-9.0.1-cp312-cp312-manylinux_2_28_x86_64.whl"
    assert row.pythons == ("3.11", "3.12", "3.13", "3.13t")
    assert row.elsewhere == ("aarch64",)
    assert (row.stands, row.indexed) == ("nowhere", True)
    assert not list((tmp_path / "cache").rglob("*.whl"))


def test_a_wheel_for_another_machine_is_fetched_here(index):
    write_wheel(index / "torch-9.0.1-cp310-cp310-manylinux2014_aarch64.whl", version=version_py("None"))
    row = measure("torch==9.0.1", "aarch64", Watch())
    assert (row.measured.machine, row.measured.python, row.measured.tag) == ("aarch64", "3.10", "cpu")


def test_a_users_constraint_does_not_forbid_a_measurement(index, tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("torch<9\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    write_wheel(index / "torch-9.0.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    assert measure("torch==9.0.1", "x86_64", Watch()).measured.torch == Version("9.0.1")


def test_a_release_that_is_nowhere_and_a_text_that_is_none_are_told_apart(index):
    write_wheel(index / "torch-9.0.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    with pytest.raises(EnvcheckError, match=r"no version of torch==9\.0\.2"):
        measure("torch==9.0.2", "x86_64", Watch())
    with pytest.raises(UsageError, match="names no build"):
        measure("latest", "x86_64", Watch())
    with pytest.raises(UsageError, match="No such file"):
        measure(str(index / WHEEL_271), "x86_64", Watch())


@pytest.mark.slow
def test_a_real_release_measures_as_the_facts_say(shared, tmp_path, monkeypatch):
    """1.13.1 of the user's own index: 890 MB to fetch."""
    assert (shared / "facts").is_dir()
    monkeypatch.setenv("ENVCHECK_CACHE", str(tmp_path))
    try:
        row = measure("torch==1.13.1", "x86_64", Watch())
    except EnvcheckError as error:
        pytest.skip(f"not verified against a real wheel: {error.message}")
    assert (row.measured.tag, row.measured.numpy) == ("cu117", "<2")
    assert row.measured.code == "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"
    assert row.measured.companions["nvidia-cudnn-cu11"] == "==8.5.0.96"
