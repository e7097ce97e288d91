from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from envcheck.choice.requirements.read import read
from envcheck.errors import UsageError

TOML = "[project]\ndependencies = ['torch==1.13.1']\n"
YAML = "name: x\ndependencies:\n  - pytorch=1.13.1\n"
DOCKER = "FROM pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime\n"
TEXT = "torch==1.13.1\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", TOML),
        ("environment.yml", YAML),
        ("conda-gpu.YAML", YAML),
        ("Dockerfile", DOCKER),
        ("Dockerfile.gpu", DOCKER),
        ("train.dockerfile", DOCKER),
        ("Containerfile", DOCKER),
        ("requirements.txt", TEXT),
        ("requirements.in", TEXT),
        ("noname", TOML),
        ("noname", YAML),
        ("noname", "# comment\nARG A=1\n" + DOCKER),
        ("noname", TEXT),
    ],
)
def test_the_format_is_told_by_the_name_or_else_by_the_content(folder, name, text):
    assert folder.wishes(name, text)["torch"] == "==1.13.1"


@pytest.mark.parametrize("name", ["conf.py", "tox.cfg", "yarn.lock", "package.json", "a.ipynb", "install.sh"])
def test_other_kinds_of_files_are_refused_with_those_that_are_read(folder, name):
    with pytest.raises(UsageError, match="not read") as caught:
        folder.read(name, TEXT)
    assert "environment.yml" in caught.value.hint


def test_a_file_that_asks_nothing_says_so(folder):
    file = folder.write("requirements.txt", "rich\n")
    asked = read(file)
    assert asked.wishes.origins == (f"{file}: asks nothing about torch, CUDA or Python",)
    assert [str(one) for one in asked.packages] == ["rich"]


def test_markers_are_read_for_the_python_that_is_wished_for(folder):
    file = folder.write("requirements.txt", "torch==1.10.0; python_version < '3.9'\n")
    assert read(file, python=SpecifierSet("==3.8.*")).wishes.torch == "==1.10.0"


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "environment.yml", "Dockerfile"])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"torch\0", "NUL"),
        (b"\xff\xfet\0o\0r\0c\0h\0", "not UTF-8"),
        (b"torch\xc3", "not UTF-8"),
        (b"x" * 10_000_000, "larger than 1024 KiB"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, name, data, problem):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=problem):
        read(tmp_path / name)


def test_powershells_utf_16_is_named(tmp_path):
    (tmp_path / "requirements.txt").write_text("torch\n", encoding="utf-16")
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "requirements.txt")
    assert "PowerShell" in caught.value.hint


def test_a_byte_order_mark_is_no_letter(tmp_path):
    (tmp_path / "requirements.txt").write_bytes(b"\xef\xbb\xbftorch==1.13.1\n")
    assert read(tmp_path / "requirements.txt").wishes.torch == "==1.13.1"


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path):
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(UsageError):
            read(path)


@pytest.mark.parametrize("text", ["numpy\n" * 150_000, "torch\n" * 2000, "-e x\n" * 2000])
def test_a_list_that_nobody_installs_is_refused(folder, text):
    with pytest.raises(UsageError, match="asks for more than anybody installs"):
        folder.read("requirements.txt", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "a" + " " * 1_000_000 + "b"),
        ("Dockerfile", "FROM " + "${A:-" * 200_000),
        ("Dockerfile", "FROM a\nRUN " + "pip install " * 80_000),
        ("environment.yml", "{" * 100_000),
        ("pyproject.toml", "\n".join(f"{'a.' * 2000}k{n} = 1" for n in range(200))),
    ],
)
@pytest.mark.timeout(60)
def test_a_hostile_file_ends_soon(folder, name, text):
    with suppress(UsageError):
        assert folder.read(name, text).wishes.torch == ""


LINE = """
torch pytorch == >= = ~ ^ * 1.13.1 3.8 +cu117 cuda11.6 ; , # - -r -f -e http:// /whl/cu118 .whl python_version
python [ ] { } ( ) ' $ ${A} := : @ && FROM RUN ARG ENV AS pip install conda <<A dependencies: pip: [project] &
| [tool.poetry.dependencies] requires-python < ! "
"""
WORDS = st.sampled_from([*LINE.split(), "\\", "\n", "\n", "\n", "\t", "\x0c"])


@pytest.mark.parametrize(
    "name", ["requirements.txt", "pyproject.toml", "environment.yml", "Dockerfile", "noname"]
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(b"-r a\nb")
@given(st.binary(max_size=300) | st.lists(WORDS, max_size=40).map(lambda words: " ".join(words).encode()))
def test_nothing_but_a_usage_error_escapes(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with suppress(UsageError):
        assert read(tmp_path / name).wishes.origins


VALUES = st.recursive(
    st.sampled_from(["torch==1.13.1", "pytorch=1", "^1.2", "*", ">=3.8", "", "x"])
    | st.integers()
    | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["torch", "python", "pip", "version", "index", "url", "dependencies", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(VALUES, VALUES)
def test_values_of_any_shape_are_read_or_refused(tmp_path, first, second):
    def inline(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return str(value).lower() if isinstance(value, (bool, int)) else f'"{value}"'

    toml = (
        f"[project]\ndependencies = {inline(first)}\noptional-dependencies = {inline(second)}\n"
        f"[tool.poetry]\ndependencies = {inline(second)}\ngroup = {inline(first)}\n"
        f"[tool.uv]\nsources = {inline(first)}\nindex = {inline(second)}\n"
    )
    yaml = f"dependencies: {inline([first, second]).replace(' = ', ': ')}\n"
    for name, text in (("pyproject.toml", toml), ("environment.yml", yaml)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with suppress(UsageError):
            read(tmp_path / name)
