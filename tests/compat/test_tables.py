from __future__ import annotations

import json

import pytest
from packaging.version import Version

from envcheck.compat import tables
from envcheck.errors import UsageError

CUDA = """
sources: {{notes: somewhere}}
floors:
- {{major: 12, linux: "525.60.13", windows: "528.33", evidence: read, source: {source}}}
{more}
toolkits: []
branches: []
"""


def _write(tmp_path, *, source="notes", more=""):
    path = tmp_path / "cuda.yaml"
    path.write_text(CUDA.format(source=source, more=more), encoding="utf-8")
    return path


def test_a_row_carries_the_text_of_its_source(tmp_path):
    assert tables.read_cuda(_write(tmp_path)).floors[0].source == "somewhere"


def test_a_source_that_is_not_explained_is_named_by_file_and_key(tmp_path):
    path = _write(tmp_path, source="hearsay")
    with pytest.raises(UsageError) as caught:
        tables.read_cuda(path)
    assert str(path) in caught.value.message
    assert "$.floors[0].source" in caught.value.message


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('- {major: 11, linux: 450.8, windows: "1", evidence: read, source: notes}', "floors[1].linux"),
        (
            '- {major: 11, linux: "450.80.02", windows: "1", evidence: guessed, source: notes}',
            "floors[1].evidence",
        ),
        ('- {major: 11, linux: "450.80.02", evidence: read, source: notes}', "windows"),
        ('- {major: 11, linux: "1", windows: "1", evidence: read, source: notes, colour: red}', "colour"),
        ('- {major: 12, linux: "1", windows: "1", evidence: read, source: notes}', "floors[1]"),
    ],
    ids=["a number for a version", "an evidence of its own", "a missing key", "an unknown key", "a twin"],
)
def test_a_bad_row_is_named_by_file_and_key(tmp_path, row, key):
    path = _write(tmp_path, more=row)
    with pytest.raises(UsageError) as caught:
        tables.read_cuda(path)
    assert str(path) in caught.value.message
    assert key in caught.value.message


def test_the_floor_is_the_majors_from_11_on_and_the_minors_before():
    assert tables.floor_of(Version("12.8")).linux == Version("525.60.13")
    assert tables.floor_of(Version("11.7")).linux == Version("450.80.02")
    assert tables.floor_of(Version("10.2")).linux == Version("440.33")
    assert tables.floor_of(Version("10.1")).linux == Version("418.39")
    assert tables.floor_of(Version("10.7")) is None


def test_a_branch_is_looked_up_by_order():
    assert tables.branch_of(Version("550.54.14")).branch == 550
    assert tables.branch_of(Version("572.60")).branch == 570  # a Windows number
    assert tables.branch_of(Version("999.1")).branch == 615
    assert tables.branch_of(Version("300.1")) is None


def test_a_build_that_the_table_does_not_have_is_none():
    assert tables.build_of(Version("2.10.0"), "cu128").cuda == Version("12.8")
    assert tables.build_of(Version("2.10.0"), "cu99") is None


def test_driver_floors_are_those_of_the_facts(shared):
    rows = json.loads((shared / "facts/cuda_driver.json").read_text())["minor_version_compat_min"]["rows"]
    for toolkit, row in rows.items():
        floor = tables.floor_of(Version(toolkit))
        assert floor.linux == Version(row["linux_min"]), toolkit
        assert floor.windows == Version(row["windows_min"].split()[0]), toolkit


def test_toolkits_carry_the_driver_of_their_first_runfile(shared):
    rows = json.loads((shared / "facts/cuda_driver.json").read_text())["runfile_driver"]["rows"]
    for row in tables.cuda().toolkits:
        assert row.linux == Version(rows[f"{row.cuda}.0"]["linux_x86_64"]), row.cuda


def test_branches_are_the_cuda_versions_of_the_facts(shared):
    rows = json.loads((shared / "facts/driver_branch_cuda.json").read_text())["rows"]
    facts = {int(row["branch"]): Version(row["cuda"]) for row in rows}
    assert {row.branch: row.cuda for row in tables.cuda().branches} == facts


def test_capabilities_end_and_begin_where_the_facts_say(shared):
    facts = json.loads((shared / "facts/arch.json").read_text())
    rows = {Version(row["cc"]): row for row in facts["rows"]}
    ours = {row.capability: row for row in tables.gpus().capabilities}
    assert set(ours) == set(rows)
    for capability, fact in rows.items():
        row = ours[capability]
        last = fact["last_toolkit"]
        assert row.last_toolkit == (None if last == "ongoing" else Version(last)), capability
        assert row.first_toolkit == Version(fact["first_toolkit"].split()[0]), capability
        assert row.tegra == ("jetson" in fact["gpus"]), capability
        if not row.tegra:
            known_end = (fact["last_driver_branch"] or "").isdecimal()
            assert row.last_branch == (int(fact["last_driver_branch"]) if known_end else None), capability
        assert (row.modules == "open") == fact.get("open_kernel", "").startswith("REQUIRED"), capability


def test_first_branches_are_the_lowest_that_the_facts_allow_and_unverified_ones_are_left_open(shared):
    rows = json.loads((shared / "facts/arch.json").read_text())["rows"]
    for fact in rows:
        said = fact["first_driver_branch"]
        lowest = None if said is None or "unverified" in said else int(said.split("/")[0].rstrip("+"))
        assert tables.capability_of(Version(fact["cc"])).first_branch == lowest, fact["cc"]


def test_builds_hold_the_code_that_was_measured_in_their_wheels(shared):
    facts = json.loads((shared / "facts/torch.json").read_text())["releases"]
    releases = {row["torch"]: row for row in facts}
    gpu_builds = [build for build in tables.torch().builds if build.cuda]
    assert gpu_builds
    for build in gpu_builds:
        fact = releases[str(build.torch)]
        flags = fact["MEASURED"]["arch_flags"].split()
        ours = [f"sm_{code.major}{code.minor}" for code in build.sass]
        assert ours == [flag for flag in flags if flag.startswith("sm_")], build.name
        assert build.ptx == tuple(flag for flag in flags if flag.startswith("compute_")), build.name
        assert build.cuda == Version(fact["MEASURED"]["version_py_cuda"]), build.name
        # Free-threaded Pythons (3.13t) are none that recipes serve.
        assert list(build.pythons) == [one for one in fact["pypi_pythons_linux_x86_64"] if "t" not in one]
