from __future__ import annotations

import pytest

from envcheck.errors import UsageError

STANDARD = """\
[build-system]
requires = ["setuptools"]

[project]
name = "pose"
requires-python = ">=3.8.1,!=3.9.7"
dependencies = ["torch>=2.0,<2.5", "torchvision", "rich>=13"]

[project.optional-dependencies]
old = ["torch<1", "six"]

[tool.ruff]
line-length = 100
"""

UV = """\
[project]
dependencies = ["torch==2.4.1"]

[tool.uv.sources]
torch = [
  {{ index = "gpu", marker = "sys_platform == 'linux'" }},
  {{ index = "pytorch-cpu", marker = "sys_platform != 'linux'" }},
]

[[tool.uv.index]]
name = "gpu"
url = "{url}"
explicit = true
"""


def test_the_standard_tables_ask_for_torch_and_python(folder):
    assert folder.wishes("pyproject.toml", STANDARD) == {"torch": "<2.5,>=2.0", "python": ">=3.8"}
    assert folder.packages("pyproject.toml", STANDARD) == ["torchvision", "rich>=13"]


def test_an_origin_is_the_table_and_what_stands_there(folder):
    assert folder.origins("pyproject.toml", STANDARD) == [
        "pyproject.toml: project.requires-python: >=3.8.1,!=3.9.7",
        "pyproject.toml: project.dependencies: torch>=2.0,<2.5",
    ]


@pytest.mark.parametrize(
    "table",
    [
        "[project.optional-dependencies]\ntrain = ['torch==1.13.1', 'timm']\ndocs = ['sphinx']\n",
        "[dependency-groups]\ntrain = ['torch==1.13.1', 'timm', {include-group = 'b'}]\nb = ['sphinx']\n",
        "[tool.poetry.group.a.dependencies]\ntorch='1.13.1'\ntimm='*'\n[tool.poetry.dev-dependencies]\nb='*'\n",
    ],
)
def test_an_extra_that_names_torch_is_read_where_the_project_does_not(folder, table):
    text = f"[project]\nname = 'x'\ndependencies = ['rich']\n{table}"
    assert folder.wishes("pyproject.toml", text) == {"torch": "==1.13.1"}
    assert folder.packages("pyproject.toml", text) == ["rich", "timm"]


def test_the_index_of_uv_for_linux_says_the_build(folder):
    text = UV.format(url="https://mirror.example/whl/cu118")
    assert folder.wishes("pyproject.toml", text) == {"torch": "==2.4.1", "tag": "cu118"}


def test_an_index_without_address_says_the_build_by_its_name(folder):
    text = "[project]\ndependencies=['torch']\n[tool.uv.sources]\ntorch = {index = 'pytorch-cu121'}\n"
    assert folder.wishes("pyproject.toml", text) == {"tag": "cu121"}


def test_a_source_of_uv_may_be_a_wheel(folder):
    wheel = "https://mirror.example/torch-2.4.1%2Bcu118-cp311-cp311-linux_x86_64.whl"
    text = f"[project]\ndependencies=['torch']\n[tool.uv.sources]\ntorch = {{url = '{wheel}'}}\n"
    assert folder.wishes("pyproject.toml", text) == {"torch": "==2.4.1", "tag": "cu118", "python": "==3.11.*"}


def test_indexes_of_uv_for_each_extra_choose_nothing(folder):
    text = """\
    [project]
    dependencies = ["torch>=2.7"]
    [tool.uv.sources]
    torch = [{index = "pytorch-cpu", extra = "cpu"}, {index = "pytorch-cu128", extra = "cu128"}]
    """
    assert folder.wishes("pyproject.toml", text) == {"torch": ">=2.7"}
    assert "which build is meant is not said" in folder.origins("pyproject.toml", text)[-1]


def test_markers_are_read_for_a_python_that_the_project_allows(folder):
    text = "[project]\nrequires-python='>=3.12'\ndependencies=['torch>=2.3; python_version > \"3.11\"']\n"
    assert folder.wishes("pyproject.toml", text) == {"torch": ">=2.3", "python": ">=3.12"}


def test_what_the_file_does_not_say_is_not_asked(folder):
    assert folder.wishes("pyproject.toml", "[tool.black]\nline-length = 1\n") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[project]\ndependencies = ['torch=1']", "project.dependencies: torch=1: cannot be read"),
        ("[project]\ndependencies = ['torch>=2', 'torch<1']", "torch>=2 contradicts .*torch<1"),
        ("[project]\nrequires-python = 'three'", "requires-python: three: is no set of versions"),
        ("[project]\ndependencies = 'torch'", r"`\$\.project\.dependencies`"),
        ("[project]\nrequires-python = 3.8", r"`\$\.project\.requires-python`"),
        ("[tool]\nuv = 1", r"`\$\.tool\.uv`"),
        ("[project", "not TOML"),
        ("a = " + "[" * 3000, "not TOML"),
        ("a." * 3000 + "b = 1", "more than 4096 characters"),
        ("x = 2001-99-99", "not TOML"),
    ],
)
def test_what_cannot_be_read_is_refused_by_file_and_place(folder, text, problem):
    with pytest.raises(UsageError, match=rf"pyproject\.toml: .*{problem}"):
        folder.read("pyproject.toml", text)
