from __future__ import annotations

import pytest

from envcheck.choice.requirements.poetry import pep_440
from envcheck.errors import UsageError

REAL = """\
[tool.poetry]
name = "pose"

[tool.poetry.dependencies]
python = "^3.8"
torch = { version = "~1.13.1", source = "gpu" }
torchvision = [
  { version = "0.14.1", markers = "sys_platform == 'linux'" },
  { version = "0.15.0", python = ">=3.9,<3.12" },
]
numpy = "^1.23"
pywin32 = { version = "*", markers = "sys_platform == 'win32'" }
mmcv = { git = "https://g.example/mmcv.git" }
tqdm = { version = "^4", optional = true }

[[tool.poetry.source]]
name = "gpu"
url = "https://mirror.example/whl/cu117"
"""


def test_a_real_file_asks_for_torch_its_build_and_python(folder):
    assert folder.wishes("pyproject.toml", REAL) == {
        "torch": "<1.14,>=1.13.1",
        "tag": "cu117",
        "python": "<4,>=3.8",
    }


def test_packages_are_written_as_the_standard_does(folder):
    assert folder.packages("pyproject.toml", REAL) == [
        'torchvision; sys_platform == "linux"',
        'torchvision; python_version >= "3.9" and python_version < "3.12"',
        "numpy<2,>=1.23",
        'pywin32; sys_platform == "win32"',
    ]


def test_a_package_from_a_repository_is_left_out_and_told(folder):
    assert any(
        "dependencies.mmcv: " in one and "left out" in one for one in folder.origins("pyproject.toml", REAL)
    )


# The table of Poetry's documentation on caret and tilde, and what stands beside it.
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1.2", ">=1.2,<2"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.3", "==1.2.3"),
        ("1.2.*", "==1.2.*"),
        ("1.13.1+cu117", "==1.13.1+cu117"),
        ("*", ""),
        (">=1.2, <2", ">=1.2,<2"),
        ("^1.2,!=1.3", ">=1.2,<2,!=1.3"),
    ],
)
def test_carets_and_tildes_are_ranges(written, meant):
    assert pep_440(written, "here") == meant


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("python = '~2.7 || ^3.5'", "python.*a choice between ranges"),
        ("torch = '^1.8 || ^2'", "torch.*a choice between ranges"),
        ("torch = '^'", "torch.*cannot be read"),
        ("torch = 3", r"`\$\.tool\.poetry\.dependencies"),
    ],
)
def test_what_cannot_be_read_is_refused(folder, line, problem):
    with pytest.raises(UsageError, match=problem):
        folder.read("pyproject.toml", f"[tool.poetry.dependencies]\n{line}\n")
