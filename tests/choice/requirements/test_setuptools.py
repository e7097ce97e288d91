"""setup.cfg, and setup.py as a text."""

from __future__ import annotations

import pytest

from envcheck.choice.requirements.read import read
from envcheck.errors import UsageError


def test_setup_cfg_names_packages_extras_and_python(folder):
    text = """
        [metadata]
        name = x
        [options]
        python_requires = >=3.8
        install_requires =
            # the model
            torch==1.13.1
            torchvision
            requests; python_version < "3"
        [options.extras_require]
        dev = torch==2.0
    """
    assert folder.wishes("setup.cfg", text) == {"torch": "==1.13.1", "python": ">=3.8"}
    assert folder.packages("setup.cfg", text) == ["torchvision", 'requests; python_version < "3"']


def test_extras_are_read_where_the_project_itself_names_no_torch(folder):
    text = """
        [options]
        install_requires = numpy
        [options.extras_require]
        train = torch==2.1.0
        docs = sphinx
    """
    assert folder.wishes("setup.cfg", text) == {"torch": "==2.1.0"}
    assert folder.packages("setup.cfg", text) == ["numpy"]


@pytest.mark.parametrize("text", ["[options\nx", "x = 1\n", "[a]\n[a]\n", "[a]\nx = 1\nx = 2\n"])
def test_a_setup_cfg_that_is_none_is_named(folder, text):
    with pytest.raises(UsageError, match=r"setup\.cfg"):
        folder.read("setup.cfg", text)


def test_setup_py_is_read_where_it_is_plain(folder):
    text = """
        from setuptools import setup
        needed = ["torch==1.12.1", "tqdm"]
        setup(name="x", python_requires=">=3.7", install_requires=needed,
              extras_require={"dev": ["pytest"], **{}})
    """
    assert folder.wishes("setup.py", text) == {"torch": "==1.12.1", "python": ">=3.7"}
    assert folder.packages("setup.py", text) == ["tqdm"]


def test_one_text_of_several_lines_is_a_list_too(folder):
    text = 'import setuptools\nsetuptools.setup(install_requires="torch==1.12.1\\nnumpy")\n'
    assert folder.wishes("setup.py", text) == {"torch": "==1.12.1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("install_requires=open('requirements.txt').read().split()", "install_requires is computed"),
        ("install_requires=['torch', TORCH]", "install_requires is computed"),
        ("python_requires=VERSION", "python_requires is computed"),
        ("**options", "a part of what setup() is given is computed"),
    ],
)
def test_what_setup_py_computes_is_said_not_to_be_read(folder, given, said):
    file = folder.write("setup.py", f"from setuptools import setup\n\nsetup({given})\n")
    (one,) = read(file).said
    assert (one.is_read, one.origin) == (False, f"{file}:3: {said} (not read)")


def test_nothing_of_a_setup_py_is_executed(folder):
    gone = folder.path / "gone"
    folder.read("setup.py", f"open({str(gone)!r}, 'w')\nfrom setuptools import setup\nsetup()\n")
    assert not gone.exists()


@pytest.mark.parametrize(
    "text",
    [
        "print 'Python 2'\n",
        "(" * 10_000,
        "-" * 50_000 + "1",
        "x = " + "[" * 5_000,
        "a." * 20_000 + "a",
        "#" * 70_000,
    ],
)
def test_a_setup_py_that_is_none_is_named(folder, text):
    with pytest.raises(UsageError, match=r"setup\.py"):
        folder.read("setup.py", text)
