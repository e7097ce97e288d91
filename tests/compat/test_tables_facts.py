"""Every table, row by row, against the facts beside the checkout."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from packaging.version import Version

from envcheck.compat import tables


def _facts(shared, name):
    return json.loads((shared / "facts" / name).read_text(encoding="utf-8"))


def _flags(build):
    """The code of a build as the facts write it: 86 for sm_86 and for compute_86."""
    return [[int(f"{code.major}{code.minor}") for code in codes] for codes in (build.sass, build.ptx)]


@pytest.fixture(scope="module")
def releases(shared):
    return _facts(shared, "torch.json")["releases"]


def test_driver_floors_are_those_of_the_facts(shared):
    rows = _facts(shared, "cuda_driver.json")["minor_version_compat_min"]["rows"]
    for toolkit, row in rows.items():
        floor = tables.floor_of(Version(toolkit))
        assert floor.linux == Version(row["linux_min"]), toolkit
        assert floor.windows == Version(row["windows_min"].split()[0]), toolkit


def test_toolkits_have_the_drivers_of_the_release_notes_and_of_their_first_runfile(shared):
    facts = _facts(shared, "cuda_driver.json")
    notes = {}
    for row in reversed(facts["corresponding_driver_nvidia"]["rows"]):  # the oldest first
        if "RC" not in row["toolkit"]:
            notes.setdefault(re.match(r"[0-9]+\.[0-9]+", row["toolkit"])[0], row)
    runfiles = facts["runfile_driver"]["rows"]
    assert [str(row.cuda) for row in tables.cuda().toolkits] == [*notes, "13.5"]
    for row in tables.cuda().toolkits[:-1]:
        said = notes[str(row.cuda)]
        assert row.linux == Version(said["linux_x86_64"].removeprefix("R")), row.cuda
        windows = None if said["windows"] == "N/A" else Version(said["windows"].split()[0].removeprefix("R"))
        assert row.windows == windows, row.cuda
        # Of 8.0 and 10.1 the facts know runfiles of later updates only, of 13.4 and 13.5 there is none.
        first = [name for name in runfiles if name.startswith(f"{row.cuda}.")][:1]
        if first and first[0] not in ("8.0.61", "10.1.243"):
            assert (row.runfile or row.linux) == Version(runfiles[first[0]]["linux_x86_64"]), row.cuda
    assert (tables.cuda().toolkits[-1].linux, tables.cuda().toolkits[-1].windows) == (None, None)


def test_branches_are_the_cuda_versions_of_the_facts(shared):
    rows = _facts(shared, "driver_branch_cuda.json")["rows"]
    facts = {int(row["branch"]): Version(row["cuda"]) for row in rows}
    assert {row.branch: row.cuda for row in tables.cuda().branches} == facts


def test_capabilities_end_and_begin_where_the_facts_say(shared):
    facts = _facts(shared, "arch.json")
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
    rows = _facts(shared, "arch.json")["rows"]
    for fact in rows:
        said = fact["first_driver_branch"]
        lowest = None if said is None or "unverified" in said else int(said.split("/")[0].rstrip("+"))
        if measured := re.search("first listed ([0-9]+)", said or ""):  # read off the tags: no guess below it
            lowest = int(measured[1])
        assert tables.capability_of(Version(fact["cc"])).first_branch == lowest, fact["cc"]


def test_capabilities_are_targets_of_exactly_the_toolkits_whose_ptxas_accepts_them(shared):
    for fact in _facts(shared, "nvcc_targets_measured.json")["rows"]:
        toolkit = Version(fact["toolkit"])
        ours = {
            f"sm_{row.capability.major}{row.capability.minor}"
            for row in tables.gpus().capabilities
            if row.first_toolkit <= toolkit and (row.last_toolkit is None or toolkit <= row.last_toolkit)
        }
        assert ours == {name for name in fact["ptxas_gpu_names"] if name[-1].isdigit()}, toolkit


def test_capabilities_have_the_architecture_and_every_card_that_the_facts_name(shared):
    for fact in _facts(shared, "arch.json")["rows"]:
        row = tables.capability_of(Version(fact["cc"]))
        assert row.architecture == fact["arch"].split(" (")[0].rstrip("?"), fact["cc"]
        assert {*row.names} == {*fact["gpus"]} - {"unknown"}, fact["cc"]
        for line, cards in row.names.items():
            named = fact["gpus"][line]
            if named == ["RTX PRO 6000/5000/4500/4000/2000 Blackwell"]:
                named = [f"RTX PRO {number} Blackwell" for number in (6000, 5000, 4500, 4000, 2000)]
            assert len(cards) == len(named), (fact["cc"], line)
            for card, name in zip(cards, named, strict=True):
                assert card.endswith(name), name  # "RTX 3080", which the facts shorten to "3080"
        if "measured" in fact:
            assert row.evidence == "measured", fact["cc"]


def test_all_52_releases_are_here_with_every_official_cuda(releases):
    assert len(releases) == 52
    builds = tables.torch().builds
    assert {str(build.torch) for build in builds} == {fact["torch"] for fact in releases}
    for fact in releases:
        mine = [build for build in builds if build.torch == Version(fact["torch"])]
        cuda = [str(build.cuda) for build in mine if build.cuda and "x86_64" in build.machines]
        assert cuda == fact["variants_cuda"], fact["torch"]
        assert mine[0].published == date.fromisoformat(fact["pypi_first_upload"]), fact["torch"]


def test_builds_hold_the_code_that_the_facts_read(releases):
    for fact in releases:
        for tag, code in fact["arch_by_variant"].items():
            build = tables.build_of(Version(fact["torch"]), tag)
            assert _flags(build) == [code["sass"], code["ptx"]], build.name
            assert build.exact == (), build.name


def test_default_builds_are_what_was_measured_in_their_wheels(releases):
    for fact in releases:
        measured = fact["MEASURED"]
        build = next(
            build
            for build in tables.torch().builds
            if build.default and build.machines == ("x86_64",) and build.torch == Version(fact["torch"])
        )
        assert str(build.cuda) == ".".join(measured["version_py_cuda"].split(".")[:2]), build.name
        assert build.evidence == "measured", build.name
        assert list(build.pythons) == fact["pypi_pythons_linux_x86_64"], build.name
        assert list(build.windows) == fact["pypi_pythons_windows"], build.name
        code = {f"sm_{one}" for one in _flags(build)[0]}
        if measured["arch_flags"]:
            assert tables.read_code(measured["arch_flags"]) == (build.sass, build.ptx, build.exact), (
                build.name
            )
        else:
            (library,) = measured["fatbin_counts"].values()
            assert code | {f"ptx_{one}" for one in _flags(build)[1]} <= {*library}, build.name


def test_numpy_1_is_asked_for_where_the_wheel_has_its_headers(releases):
    for build in tables.torch().builds:
        fact = next(fact for fact in releases if Version(fact["torch"]) == build.torch)
        expected = "" if fact["MEASURED"]["built_with_numpy2_headers"] else "<2"
        assert build.numpy == expected, build.name


def test_other_builds_serve_the_pythons_of_the_release_matrix(releases):
    for fact in releases:
        official = fact.get("pythons_official") or fact["pypi_pythons_linux_x86_64"]
        for build in tables.torch().builds:
            if build.torch != Version(fact["torch"]) or build.default:
                continue
            if build.name != "torch 2.13.0 cpu":  # see test_the_cpu_builds_whose_digests_are_known_are_here
                assert list(build.pythons) == official, build.name


def test_glibc_is_what_the_wheels_tag_asks_for(releases):
    asked = {"manylinux1_x86_64": "2.5", "manylinux_2_28_x86_64": "2.28"}
    for fact in releases:
        tags = {
            wheel["file"].removesuffix(".whl").split("-")[-1] for wheel in fact["pypi_linux_x86_64_wheels"]
        }
        build = next(
            build
            for build in tables.torch().builds
            if build.default and build.machines == ("x86_64",) and build.torch == Version(fact["torch"])
        )
        assert {str(build.glibc)} == {asked[tag] for tag in tags}, build.name


def test_torchvision_is_the_partner_where_the_facts_name_a_release(releases):
    for build in tables.torch().builds:
        fact = next(fact for fact in releases if Version(fact["torch"]) == build.torch)
        named = fact["torchvision"] if re.fullmatch(r"[0-9.]+", fact["torchvision"]) else ""
        assert build.torchvision == named, build.name


def test_aarch64_is_served_where_the_index_has_wheels_and_by_the_cpu_until_2_10(releases):
    for fact in releases:
        release = Version(fact["torch"])
        defaults = [
            build
            for build in tables.torch().builds
            if build.torch == release and build.default and "aarch64" in build.machines
        ]
        assert [list(build.pythons) for build in defaults] == (
            [fact["pypi_pythons_linux_aarch64"]] if fact["pypi_pythons_linux_aarch64"] else []
        ), release
        for build in defaults:
            assert (build.cuda is None) == (release < Version("2.11")), release
            measured = fact.get("MEASURED_aarch64")
            assert (build.evidence == "measured") == bool(measured), release
            if measured and measured["arch_flags"]:
                code = tables.read_code(measured["arch_flags"])
                assert (build.sass, build.ptx, build.exact) == code, release


def test_aarch64_builds_hold_the_code_of_the_lists_in_the_wheels(shared):
    facts = _facts(shared, "torch.json")["aarch64_arch_read"]
    rows = [build for build in tables.torch().builds if build.cuda and "aarch64" in build.machines]
    assert {str(build.torch) for build in rows} == {
        "2.11.0", "2.12.0", "2.12.1", "2.13.0", "2.14.0", "2.14.1", "2.15.0",
    }  # fmt: skip
    for build in rows:
        assert _flags(build) == [facts[build.tag], []], build.name


def test_the_cpu_builds_whose_digests_are_known_are_here(shared):
    build = tables.build_of(Version("2.13.0"), "cpu", "aarch64")
    known = set()
    for name in _facts(shared, "torch_cpu_wheels.json")["wheels"]:
        _, release, python, _, tag = name.removesuffix(".whl").split("-")
        assert release == f"{build.torch}+{build.tag}"
        known.add((f"3.{python.removeprefix('cp3')}", tag.removeprefix("manylinux_2_28_")))
    assert known == {(python, machine) for python in build.pythons for machine in build.machines}
    assert build.glibc == Version("2.28")


def test_the_code_of_a_build_can_be_made_by_the_ptxas_of_its_toolkit(shared):
    rows = _facts(shared, "nvcc_targets_measured.json")["rows"]
    targets = {Version(row["toolkit"]): {*row["ptxas_gpu_names"]} for row in rows}
    checked = 0
    for build in tables.torch().builds:
        if build.cuda in targets:
            checked += 1
            names = {f"sm_{code}" for code in _flags(build)[0]} | {f"sm_{code}" for code in _flags(build)[1]}
            assert names <= targets[build.cuda], build.name
    assert checked > 80


def test_images_ask_for_what_stands_in_their_dockerfiles(shared):
    rows = _facts(shared, "forward_compat.json")["nvidia_require_cuda"]["rows"]
    with_brands = {row["image_cuda"] for row in rows if row["brand_driver_ranges"]}
    found = set()
    for fact in rows:
        distribution = fact["path"].split("/")[-3]
        # The bare line of an Ubuntu image that has brands as well is that of the other machines.
        bare = not fact["brand_driver_ranges"] and fact["image_cuda"] in with_brands
        machine = "ppc64le" if bare and distribution.startswith("ubuntu") else "x86_64"
        image = tables.image_of(Version(fact["image_cuda"]), distribution, machine)
        brands = {
            brand: [f"{branch}-{branch + 1}" for branch in branches]
            for brand, branches in image.branches.items()
        }
        assert brands == fact["brand_driver_ranges"], (fact["image_cuda"], distribution)
        assert f"cuda>={image.cuda}" == fact["require"].lower(), fact["image_cuda"]
        found.add((image.version, image.distribution, image.machines))
    assert len(found) == len(rows) == len(tables.images().images)
