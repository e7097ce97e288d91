from __future__ import annotations

import pytest
import yaml
from packaging.version import Version

from envcheck import documents
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

TORCH = """
sources: {{notes: somewhere}}
releases:
- torch: "2.9.9"
  published: 2026-01-02
  default: {{x86_64: cu128, aarch64: cpu}}
  pythons: ["3.12", "3.13", "3.13t"]
  other_pythons: ["3.12", "3.13"]
  glibc: "2.28"
  numpy: "<2"
  torchvision: "0.24.9"
  source: {source}
  evidence: read
  builds:
  - {{tag: cu128, code: sm_75 sm_90 sm_90a sm_120 compute_120, evidence: measured, source: notes}}
  - {{tag: cu92, code: sm_70, glibc: "2.17", evidence: read, source: notes}}
  - {{tag: cpu, evidence: read, source: notes}}
  - {{tag: cpu, machines: [aarch64], pythons: ["3.12"], evidence: read, source: notes}}
{more}
"""
IMAGES = """
sources: {{notes: somewhere}}
brands: {{tesla: [tesla], office: [quadro, tesla]}}
images:
- {{versions: ["11.7.0", "11.7.1"], branches: {{office: [470], tesla: [450]}}, evidence: read, source: notes}}
{more}
"""


def _torch(tmp_path, *, more="", source="notes"):
    path = tmp_path / "torch.yaml"
    path.write_text(TORCH.format(more=more, source=source), encoding="utf-8")
    return path


def _images(tmp_path, *, more=""):
    path = tmp_path / "images.yaml"
    path.write_text(IMAGES.format(more=more), encoding="utf-8")
    return path


def _versions(text):
    return tuple(Version(one) for one in text.split())


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


def test_a_build_of_another_machine_is_another_row():
    assert tables.build_of(Version("2.11.0"), "cu130", "aarch64").sass == _versions("8.0 9.0 10.0 11.0 12.0")
    assert tables.build_of(Version("2.11.0"), "cu130").sass == _versions("7.5 8.0 8.6 9.0 10.0 12.0")
    assert tables.build_of(Version("2.10.0"), "cpu", "aarch64").requirement == "torch==2.10.0"
    assert tables.build_of(Version("2.10.0"), "cpu").requirement == "torch==2.10.0+cpu"
    assert tables.build_of(Version("2.10.0"), "cu128", "aarch64").machines == ("x86_64",)


def test_the_c_library_is_that_of_the_machines_own_wheel():
    expected = {
        ("2.5.1", "cu124", "x86_64"): "2.5",  # manylinux1
        ("2.5.1", "cpu", "aarch64"): "2.17",  # manylinux2014
        ("2.6.0", "cu124", "x86_64"): "2.5",
        ("2.6.0", "cu126", "x86_64"): "2.28",  # the first of manylinux_2_28
        ("2.6.0", "cpu", "aarch64"): "2.28",
        ("2.7.0", "cpu", "aarch64"): "2.28",
    }
    for (release, tag, machine), glibc in expected.items():
        assert tables.build_of(Version(release), tag, machine).glibc == Version(glibc), (
            release,
            tag,
            machine,
        )


def test_a_toolkits_own_driver_is_the_newer_of_notes_and_runfile():
    assert tables.toolkit_of(Version("12.8")).native == Version("570.86.10")
    assert tables.toolkit_of(Version("9.1")).native == Version("390.46")  # its runfile carries 387.26
    assert tables.toolkit_of(Version("12.6")).native == Version("560.28.03")
    assert tables.toolkit_of(Version("13.5")).native is None
    assert tables.toolkit_of(Version("12.7")) is None


def test_a_build_has_what_its_release_says_unless_it_says_otherwise(tmp_path):
    cuda128, cuda92, cpu, arm = tables.read_torch(_torch(tmp_path)).builds
    assert (cuda128.cuda, cuda92.cuda, cpu.cuda) == (Version("12.8"), Version("9.2"), None)
    assert [build.default for build in (cuda128, cuda92, cpu, arm)] == [True, False, False, True]
    assert cuda128.pythons == ("3.12", "3.13", "3.13t")
    assert cuda92.pythons == cpu.pythons == ("3.12", "3.13")
    assert arm.pythons == ("3.12",)
    assert (cuda128.glibc, cuda92.glibc) == (Version("2.28"), Version("2.17"))
    assert {build.torchvision for build in (cuda128, cuda92, cpu, arm)} == {"0.24.9"}
    assert {build.numpy for build in (cuda128, cuda92, cpu, arm)} == {"<2"}
    assert arm.source == "somewhere"


def test_code_is_read_as_the_wheel_writes_it(tmp_path):
    build = tables.read_torch(_torch(tmp_path)).builds[0]
    assert build.sass == _versions("7.5 9.0 12.0")
    assert build.exact == _versions("9.0")
    assert build.ptx == _versions("12.0")
    assert tables.read_code("") == ((), (), ())


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("  - {tag: cu126, code: sm_80 80, evidence: read, source: notes}", "releases[0].builds[4].code"),
        ("  - {tag: cu126, code: sm_100f, evidence: read, source: notes}", "releases[0].builds[4].code"),
        ("  - {tag: cu126, code: compute_90a, evidence: read, source: notes}", "releases[0].builds[4].code"),
        ("  - {tag: rocm6, evidence: read, source: notes}", "releases[0].builds[4].tag"),
        ("  - {tag: cpu, evidence: read, source: notes}", "releases[0].builds[4]"),
        ("  - {tag: cu126, evidence: read, source: hearsay}", "releases[0].builds[4].source"),
        (
            "  - {tag: cpu, machines: [riscv64, aarch64], evidence: read, source: notes}",
            "releases[0].builds[4]",
        ),
    ],
    ids=["no code", "code of a family", "PTX of one", "no CUDA", "a twin", "no source", "two answers"],
)
def test_a_bad_build_is_named_by_file_and_key(tmp_path, row, key):
    path = _torch(tmp_path, more=row)
    with pytest.raises(UsageError) as caught:
        tables.read_torch(path)
    assert str(path) in caught.value.message
    assert f"`$.{key}`" in caught.value.message


def test_a_release_needs_a_source_too(tmp_path):
    with pytest.raises(UsageError, match=r"`\$\.releases\[0\]\.source` is 'hearsay'"):
        tables.read_torch(_torch(tmp_path, source="hearsay"))


def test_an_image_lets_in_the_brands_of_all_its_sets(tmp_path):
    first, second = tables.read_images(_images(tmp_path)).images
    assert first.branches == {"quadro": (470,), "tesla": (450, 470)}
    assert (first.version, second.version) == (Version("11.7.0"), Version("11.7.1"))
    assert first.cuda == Version("11.7")
    assert first.source == "somewhere"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('- {versions: ["11.8.0"], branches: {gamers: [470]}, evidence: read, source: notes}', "branches"),
        ('- {versions: ["11.7.1"], branches: {}, evidence: read, source: notes}', ""),
        ('- {versions: ["11.8.0"], branches: {}, evidence: read, source: hearsay}', "source"),
    ],
    ids=["a set without brands", "a twin", "no source"],
)
def test_a_bad_image_is_named_by_file_and_key(tmp_path, row, key):
    path = _images(tmp_path, more=row)
    with pytest.raises(UsageError) as caught:
        tables.read_images(path)
    assert str(path) in caught.value.message
    assert f"`$.images[1]{key and '.'}{key}`" in caught.value.message


def test_an_image_has_one_row_for_all_distributions_that_have_none_of_their_own():
    image = tables.image_of(Version("11.8.0"))
    assert image.branches["geforce"] == image.branches["tesla"] == (470,)
    assert tables.image_of(Version("11.8.0"), "rockylinux8") == image
    old = tables.image_of(Version("11.8.0"), "ubuntu18.04")
    assert old.branches["geforce"] == (470, 510, 515)
    assert old.branches["tesla"] == (450, 470, 510, 515)
    assert tables.image_of(Version("11.8.0"), "ubuntu18.04", "aarch64").branches == {}
    assert tables.image_of(Version("12.7.0")) is None


def test_images_from_12_5_on_know_no_geforce():
    image = tables.image_of(Version("12.8.1"), "ubuntu24.04")
    assert image.cuda == Version("12.8")
    assert "geforce" not in image.branches
    assert image.branches["tesla"] == (470, 535, 550, 560, 565)


def test_no_build_capability_toolkit_or_image_has_a_twin():
    builds = [(row.torch, row.tag, machine) for row in tables.torch().builds for machine in row.machines]
    assert len(builds) == len(set(builds))
    images = [(row.version, row.distribution, row.machines) for row in tables.images().images]
    assert len(images) == len(set(images))


def test_every_release_has_a_cpu_build_and_one_default_for_each_machine():
    releases = {}
    for build in tables.torch().builds:
        releases.setdefault(build.torch, []).append(build)
    for release, builds in releases.items():
        assert [build.tag for build in builds if "x86_64" in build.machines].count("cpu") == 1, release
        for machine in {machine for build in builds for machine in build.machines}:
            defaults = [build for build in builds if build.default and machine in build.machines]
            assert len(defaults) == 1, (release, machine)
        assert len({build.published for build in builds}) == 1, release


def test_code_is_sorted_and_of_capabilities_that_are_known_to_its_toolkit():
    for build in tables.torch().builds:
        assert bool(build.cuda) == bool(build.sass), build.name
        for codes in (build.sass, build.ptx, build.exact):
            assert list(codes) == sorted(set(codes)), build.name
            for code in codes:
                row = tables.capability_of(code)
                assert row is not None, (build.name, code)
                assert row.first_toolkit <= build.cuda, (build.name, code)
                assert row.last_toolkit is None or build.cuda <= row.last_toolkit, (build.name, code)


def test_every_cuda_of_a_build_has_a_floor_and_a_toolkit():
    for build in tables.torch().builds:
        if build.cuda is not None:
            assert tables.floor_of(build.cuda), build.name
            assert tables.toolkit_of(build.cuda), build.name


def test_a_toolkits_driver_is_of_the_branch_that_is_its_cuda():
    for row in tables.cuda().toolkits:
        if row.native is not None:
            assert tables.branch_of(row.native).cuda == row.cuda, row.cuda


def test_libyaml_and_python_read_the_same_tables(monkeypatch):
    folder = tables.rows.FOLDER
    quick = (tables.read_cuda(folder / "cuda.yaml"), tables.read_images(folder / "images.yaml"))
    monkeypatch.setattr(documents, "_LOADER", yaml.SafeLoader)
    assert quick == (tables.read_cuda(folder / "cuda.yaml"), tables.read_images(folder / "images.yaml"))
