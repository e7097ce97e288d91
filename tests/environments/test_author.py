"""Recipes made by `recipes add`, with real uv on a folder of small wheels; no network."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from envcheck.compat.tables import build_of
from envcheck.documents import to_json
from envcheck.environments import author
from envcheck.environments.author import Wanted, add, parse_build, relock
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import load_recipe, read_lock
from envcheck.uv import IndexUnreachableError
from tests.wheels import BESIDE_NUMPY, digest_of, make_wheel

BUILD = build_of(Version("2.0.1"), "cu117")


def want(*packages, pythons=()):
    return Wanted(packages=tuple(map(Requirement, packages)), pythons=pythons)


@pytest.fixture
def index(index):
    """An index with a torch 2.0.1 for two Pythons, what pose needs, and somebody's package."""
    for python in ("cp310", "cp311"):
        make_wheel(index, f"torch-2.0.1-{python}-{python}-manylinux1_x86_64.whl", "filelock")
    for file in ("numpy-1.26.0", "numpy-2.1.0", "filelock-3.0", "opencv_python-4.1", "yacs-0.1"):
        make_wheel(index, f"{file}-py3-none-any.whl")
    for name in BESIDE_NUMPY:
        make_wheel(index, f"{name}-1.0-py3-none-any.whl")
    return index


def _versions(recipe, python):
    return {pin.name: pin.version for pin in read_lock(recipe.lock_for(python))}


def test_a_new_recipe_is_read_like_any_other_and_holds_somebodys_packages(index, tmp_path, listener):
    file = add(
        BUILD,
        want(
            "yacs>=0.1",
            pythons=(
                "3.10",
                "3.11",
            ),
        ),
        tmp_path / "mine",
        listener,
    )
    assert file == tmp_path / "mine" / "torch2.0-cu117.yaml"
    recipe = load_recipe(str(file))
    assert (recipe.torch, recipe.tag, recipe.requirement) == (Version("2.0.1"), "cu117", "torch==2.0.1")
    assert recipe.pythons == ("3.10", "3.11")
    assert recipe.packages == ("yacs>=0.1",)
    assert recipe.base == load_recipe("cpu").base
    assert {check.state for check in recipe.checked.values()} == {"resolved"}
    versions = _versions(recipe, "3.10")
    assert versions == {
        "filelock": "3.0",
        "numpy": "1.26.0",  # torch before 2.3 is compiled against NumPy 1
        "onnx": "1.0",
        "opencv-python-headless": "1.0",
        "pycocotools": "1.0",
        "pyyaml": "1.0",
        "rich": "1.0",
        "scipy": "1.0",
        "tensorboardx": "1.0",
        "torch": "2.0.1",
        "yacs": "0.1",
    }
    (torch,) = [pin for pin in read_lock(recipe.lock_for("3.10")) if pin.name == "torch"]
    assert torch.sha256 == digest_of(index / "torch-2.0.1-cp310-cp310-manylinux1_x86_64.whl")
    assert str(index) not in file.read_text()


@pytest.mark.usefixtures("index")
def test_without_a_python_the_containers_own_is_locked(tmp_path, listener):
    assert load_recipe(str(add(BUILD, Wanted(), tmp_path, listener))).pythons == ("3.11",)


@pytest.mark.usefixtures("index")
def test_a_persons_own_cv2_takes_the_place_of_poses(tmp_path, listener):
    recipe = load_recipe(str(add(BUILD, want("opencv-python"), tmp_path, listener)))
    assert "opencv-python" in _versions(recipe, "3.11")
    assert "opencv-python-headless" not in _versions(recipe, "3.11")


@pytest.mark.parametrize(
    ("package", "numpy"),
    [
        # Measured: 4.9.0.80 does not load with NumPy 2, 4.10.0.84 does; neither says so.
        ("opencv-python==4.9.0.80", "1.26.0"),
        ("opencv-python<4.10", "1.26.0"),
        ("opencv-contrib-python==4.8.*", "1.26.0"),
        ("opencv-python==4.10.0.84", "2.1.0"),
        ("opencv-python>=4.11", "2.1.0"),
        ("opencv-python>=4.5,<5", "2.1.0"),
        ("opencv-python", "2.1.0"),
    ],
)
def test_an_opencv_that_was_compiled_for_numpy_1_gets_numpy_1(index, tmp_path, listener, package, numpy):
    make_wheel(index, "torch-2.7.1-cp311-cp311-manylinux_2_28_x86_64.whl")
    for version in ("4.8.0", "4.9.0.80", "4.10.0.84", "4.12.0"):
        for name in ("opencv_python", "opencv_contrib_python"):
            make_wheel(index, f"{name}-{version}-py3-none-any.whl")
    file = add(build_of(Version("2.7.1"), "cu126"), want(package), tmp_path / "mine", listener)
    assert _versions(load_recipe(str(file)), "3.11")["numpy"] == numpy


@pytest.mark.usefixtures("index")
def test_texts_from_outside_stay_texts_in_the_yaml(tmp_path, listener):
    line = "yacs; platform_version != \"a: [b]#c 'd'\""
    recipe = load_recipe(str(add(BUILD, want(line), tmp_path, listener)))
    assert recipe.packages == (line,)


@pytest.mark.usefixtures("index")
def test_a_line_break_in_a_marker_reaches_no_file_of_the_resolver(tmp_path, listener):
    with pytest.raises(UsageError, match="which is no requirement"):
        add(BUILD, want('yacs; platform_version != "\\n--index-url mirror"'), tmp_path / "mine", listener)
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("index")
def test_a_recipe_that_is_there_is_not_overwritten(tmp_path, listener):
    file = add(BUILD, Wanted(), tmp_path, listener)
    before = {path: path.read_bytes() for path in tmp_path.rglob("torch2.0*")}
    with pytest.raises(UsageError, match=r"torch2\.0-cu117\.yaml is there already"):
        add(BUILD, want("yacs"), tmp_path, listener)
    assert {path: path.read_bytes() for path in tmp_path.rglob("torch2.0*")} == before
    assert file in before


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("package", "said", "hint"),
    [("numpy>=2", "numpy", "compiled for numpy<2"), ("absent", "absent", "pip config list")],
)
def test_what_nothing_satisfies_is_said_in_the_resolvers_words_and_leaves_nothing(
    tmp_path, listener, package, said, hint
):
    with pytest.raises(EnvcheckError, match=said) as caught:
        add(BUILD, want(package, pythons=("3.10",)), tmp_path / "mine", listener)
    assert hint in caught.value.hint
    assert not (tmp_path / "mine").exists()


def test_a_python_without_a_lock_leaves_no_recipe_for_the_others(index, tmp_path, listener):
    (index / "torch-2.0.1-cp310-cp310-manylinux1_x86_64.whl").unlink()
    with pytest.raises(EnvcheckError):
        add(
            BUILD,
            want(
                pythons=(
                    "3.11",
                    "3.10",
                )
            ),
            tmp_path / "mine",
            listener,
        )
    assert not (tmp_path / "mine").exists()


def test_a_python_that_the_build_has_no_wheel_for_is_refused_with_those_it_has(tmp_path, listener):
    with pytest.raises(UsageError, match=r"3\.12") as caught:
        add(BUILD, want(pythons=("3.12",)), tmp_path, listener)
    assert caught.value.hint == "It has: 3.8, 3.9, 3.10, 3.11"


def test_where_pytorchs_own_index_is_out_of_reach_that_is_said_and_nothing_is_written(
    tmp_path, listener, monkeypatch
):
    asked = []

    def resolve(recipe, _python, _machine, *, index="", **_):
        asked.append((recipe.requirement, index))
        if index:
            raise IndexUnreachableError("no address")
        raise EnvcheckError("there is no version of torch==2.13.0+cpu")

    monkeypatch.setattr(author, "resolve", resolve)
    with pytest.raises(EnvcheckError, match="no version of torch") as caught:
        add(build_of(Version("2.13.0"), "cpu"), Wanted(), tmp_path / "mine", listener)
    assert "cannot be reached" in caught.value.hint
    assert [requirement for requirement, _ in asked] == ["torch==2.13.0+cpu"] * 2
    assert asked[1][1].endswith("/cpu")
    assert not (tmp_path / "mine").exists()


def test_what_the_public_index_has_is_asked_of_no_other(tmp_path, listener, monkeypatch):
    asked = []

    def resolve(_recipe, _python, _machine, *, index="", **_):
        asked.append(index)
        raise EnvcheckError("no")

    monkeypatch.setattr(author, "resolve", resolve)
    with pytest.raises(EnvcheckError):
        add(BUILD, Wanted(), tmp_path, listener)
    assert asked == [""]


@pytest.mark.usefixtures("index")
def test_a_lock_made_anew_stands_beside_its_recipe(tmp_path, listener):
    recipe = load_recipe(str(add(BUILD, want(pythons=("3.11",)), tmp_path, listener)))
    path = relock(recipe, "3.10", listener)
    assert path == tmp_path / "locks" / "torch2.0-cu117-cp310.txt"
    assert load_recipe(str(recipe.file)).pythons == ("3.10", "3.11")


@pytest.mark.parametrize("text", ["torch==2.0.1", "torch==2.0.1+cu117"])
def test_a_build_is_named_as_pip_names_it(text):
    assert to_json(parse_build(text)) == to_json(BUILD)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("torch==2.0.1+cu999", "no build cu999 of torch 2.0.1", "tables measure torch==2.0.1+cu999"),
        ("torch==9.9", "no torch 9.9", "tables measure torch==9.9"),
        ("torch>=2", "not one build", "torch==2.0.1+cu118"),
        ("torch==2.*", "not one build", "torch==2.0.1+cu118"),
        ("torch", "not one build", "torch==2.0.1+cu118"),
        ("torchvision==0.15.2", "not one build", "torch==2.0.1+cu118"),
        ("../torch==2.0.1", "not one build", "torch==2.0.1+cu118"),
    ],
)
def test_what_is_no_known_build_is_refused(text, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        parse_build(text)
    assert hint in caught.value.hint


@pytest.mark.usefixtures("index")
def test_a_package_from_an_address_is_refused_because_a_lock_names_none(tmp_path, listener):
    with pytest.raises(UsageError, match="yacs comes from an address"):
        add(BUILD, want("yacs @ https://mirror/yacs-0.1-py3-none-any.whl"), tmp_path, listener)


@pytest.mark.usefixtures("index")
def test_somebodys_constraints_hold_for_the_lock(tmp_path, listener):
    bounds = Wanted(constraints=(Requirement("filelock<3"),))
    with pytest.raises(EnvcheckError, match="filelock"):
        add(BUILD, bounds, tmp_path, listener)
