"""Which Pythons somebody would start, and where they look: on roots laid out as they install themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.host.in_use import pythons_in_use
from tests.host.sites import executable, system_python, venv

VENV_SITE = "venv/lib/python3.11/site-packages"


@pytest.fixture
def pythons(lay_out):
    """Return a function that lays out a root and says which Pythons are in use, their folders under it."""

    def pythons(entries, **environ):
        root = executable(lay_out(entries))
        found, silent = pythons_in_use(environ, root)
        told = [
            (
                str(one.executable.relative_to(root)),
                str(one.version),
                one.active,
                [str(folder.relative_to(root)) for folder in one.folders],
            )
            for one in found
        ]
        return told, [str(path.relative_to(root)) for path in silent]

    return pythons


def test_the_environment_in_use_comes_before_python3_on_path(pythons):
    entries = {**system_python(), **venv(), "usr/lib/python3/dist-packages": None}
    found, silent = pythons(entries, VIRTUAL_ENV="/venv", PATH="/usr/bin")
    assert found == [
        ("venv/bin/python", "3.11.7", True, [VENV_SITE]),
        ("usr/bin/python3", "3.11", False, ["usr/lib/python3/dist-packages"]),
    ]
    assert silent == []


def test_an_environment_whose_python_is_on_path_is_one_python(pythons):
    found, _ = pythons(venv(), VIRTUAL_ENV="/venv", PATH="/venv/bin")
    assert [one[0] for one in found] == ["venv/bin/python"]


def test_an_environment_on_path_that_nobody_activated_counts_as_found(pythons):
    found, _ = pythons(venv(), PATH="/nowhere:/venv/bin")
    assert found == [("venv/bin/python3", "3.11.7", False, [VENV_SITE])]


@pytest.mark.parametrize("key", ["version", "version_info"])
def test_venv_and_virtualenv_say_their_version_by_different_names(pythons, key):
    ((_, version, _, folders),), _ = pythons(venv(key=key), VIRTUAL_ENV="/venv")
    assert (version, folders) == ("3.11.7", [VENV_SITE])


def test_an_environment_looks_into_the_system_and_the_users_folder_where_it_says_so(pythons):
    entries = {
        **system_python(),
        **venv(system_site=True),
        "usr/lib/python3/dist-packages": None,
        "home/me/.local/lib/python3.11/site-packages": None,
    }
    found, _ = pythons(entries, VIRTUAL_ENV="/venv", HOME="/home/me")
    assert found[0][3] == [
        VENV_SITE,
        "home/me/.local/lib/python3.11/site-packages",
        "usr/lib/python3/dist-packages",
    ]
    found, _ = pythons_in_use({"VIRTUAL_ENV": "/venv"}, Path("/"))
    assert found == []


def test_a_closed_environment_does_not_look_into_the_users_folder(pythons):
    entries = {**venv(), "home/me/.local/lib/python3.11/site-packages": None}
    ((_, _, _, folders),), _ = pythons(entries, VIRTUAL_ENV="/venv", HOME="/home/me")
    assert folders == [VENV_SITE]


@pytest.mark.parametrize(
    ("environ", "looked_at"),
    [
        ({"HOME": "/home/me"}, True),
        ({"HOME": "/home/me", "PYTHONNOUSERSITE": "1"}, False),
        ({"HOME": "/home/me", "PYTHONUSERBASE": "/elsewhere"}, False),
        ({}, False),
    ],
)
def test_every_other_python_looks_into_the_users_folder_unless_it_is_told_not_to(pythons, environ, looked_at):
    user = "home/me/.local/lib/python3.11/site-packages"
    entries = {**system_python("conda"), "conda/lib/python3.11/site-packages": None, user: None}
    ((_, _, _, folders),), _ = pythons(entries, CONDA_PREFIX="/conda", **environ)
    assert folders == [*([user] if looked_at else []), "conda/lib/python3.11/site-packages"]


@pytest.mark.parametrize(("name", "active"), [("pose", True), ("base", False), (None, True)])
def test_condas_base_is_not_an_environment_that_somebody_chose(pythons, name, active):
    entries = {**system_python("conda"), "conda/lib/python3.11/site-packages": None}
    environ = {"CONDA_PREFIX": "/conda", **({"CONDA_DEFAULT_ENV": name} if name else {})}
    ((_, _, chosen, _),), _ = pythons(entries, **environ)
    assert chosen is active


def test_debian_gives_pip_a_folder_of_its_own(pythons):
    entries = {
        **system_python(),
        "usr/lib/python3/dist-packages": None,
        "usr/local/lib/python3.11/dist-packages": None,
        "usr/local/lib/python3.11/site-packages": None,  # of a Python that was compiled into /usr/local
    }
    ((_, _, _, folders),), _ = pythons(entries, PATH="/usr/bin")
    assert folders == ["usr/local/lib/python3.11/dist-packages", "usr/lib/python3/dist-packages"]


def test_fedora_has_four_folders(pythons):
    places = [
        f"{prefix}/{lib}/python3.9/site-packages"
        for prefix in ("usr/local", "usr")
        for lib in ("lib", "lib64")
    ]
    entries = {**system_python(minor="3.9"), **dict.fromkeys(places)}
    ((_, version, _, folders),), _ = pythons(entries, PATH="/usr/bin")
    assert (version, folders) == ("3.9", places)


def test_a_folder_that_is_a_link_to_another_counts_once(pythons):
    ((_, _, _, folders),), _ = pythons({**venv(), "venv/lib64": Path("lib")}, VIRTUAL_ENV="/venv")
    assert folders == [VENV_SITE]


def test_pythonpath_comes_first(pythons):
    entries = {**venv(), "extra": None}
    ((_, _, _, folders),), _ = pythons(entries, VIRTUAL_ENV="/venv", PYTHONPATH="/extra:relative:/gone:")
    assert folders == ["extra", VENV_SITE]


@pytest.mark.parametrize(
    ("said", "environ", "expected"),
    [
        ("3.12.1\n", {}, ".pyenv/versions/3.12.1/bin/python3"),
        ("3.12.1\n", {"PYENV_VERSION": "3.10.13"}, ".pyenv/versions/3.10.13/bin/python3"),
        ("system\n", {}, "usr/bin/python3"),
        ("", {}, "usr/bin/python3"),
    ],
)
def test_a_shim_of_pyenv_leads_to_the_version_that_pyenv_was_told(pythons, said, environ, expected):
    entries = {
        ".pyenv/shims/python3": "#!/bin/sh",
        ".pyenv/version": said,
        **system_python(".pyenv/versions/3.12.1", "3.12"),
        **system_python(".pyenv/versions/3.10.13", "3.10"),
        **system_python(),
    }
    found, _ = pythons(entries, PYENV_ROOT="/.pyenv", PATH="/.pyenv/shims:/usr/bin", **environ)
    assert [one[0] for one in found] == [expected]


def test_a_script_that_starts_some_python_says_nothing(pythons):
    found, silent = pythons({"opt/bin/python3": "#!/bin/sh\n"}, PATH="/opt/bin")
    assert (found, silent) == ([], ["opt/bin/python3"])


def test_an_environment_that_is_gone_leaves_python3_on_path(pythons):
    found, silent = pythons(system_python(), VIRTUAL_ENV="/gone", PATH="/usr/bin")
    assert [one[0] for one in found] == ["usr/bin/python3"]
    assert silent == ["gone/bin/python"]


@pytest.mark.parametrize(
    "settings",
    ["\0\0\0", "home\n" * 100_000, "= = =\nversion = 3.\x1b[31m11", "version = 9" * 10_000, "home = \0/usr"],
)
def test_a_hostile_pyvenv_cfg_does_no_harm(pythons, settings):
    ((_, version, _, folders),), _ = pythons({**venv(), "venv/pyvenv.cfg": settings}, VIRTUAL_ENV="/venv")
    assert (version, folders) == ("3.11", [VENV_SITE])


@pytest.mark.parametrize(
    "path", ["", ":::", "relative:bin", "/x" * 5000, ":".join(["/nowhere"] * 100_000), "/\udcff"]
)
def test_a_hostile_path_leads_nowhere(pythons, path):
    assert pythons({"a": None}, PATH=path, VIRTUAL_ENV="", PYTHONPATH=path) == ([], [])


def test_the_python_that_runs_these_tests_looks_where_it_says():
    ask = "import json, site, sys; print(json.dumps([sys.path, '%d.%d' % sys.version_info[:2]]))"
    environ = {"PATH": str(Path(sys.executable).parent), "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, check=True, text=True, env=environ, cwd="/"
    )
    paths, minor = json.loads(done.stdout)
    (python,), _ = pythons_in_use(environ)
    assert python.version in (Version(minor), Version("{}.{}.{}".format(*sys.version_info[:3])))
    theirs = {os.path.realpath(path) for path in paths if path.endswith("-packages")}
    assert {os.path.realpath(folder) for folder in python.folders} == theirs
