"""Which files of a repository are read, and where the looking ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from envcheck.doctor.project import find as module
from envcheck.doctor.project.find import find, is_compose, is_listing


@pytest.mark.parametrize(
    "file",
    [
        *("requirements.txt", "requirements-gpu.txt", "dev_requirements.in", "requirements/base.txt"),
        *("pyproject.toml", "environment.yml", "environment-gpu.yaml", "conda_env.yml", "setup.py"),
        *("Dockerfile", "docker/Dockerfile.gpu", "train.dockerfile", "Dockerfile_aws", "setup.cfg"),
        *("poetry.lock", "uv.lock", "pylock.toml", "pylock.gpu.toml", "Pipfile", "Pipfile.lock"),
    ],
)
def test_what_says_what_is_installed(file):
    assert is_listing(file)
    assert not is_compose(file)


@pytest.mark.parametrize(
    "file",
    [
        *("README.md", "notes.txt", "Dockerfile.md", "Dockerfile.j2", "docs/setup.pyc", "yarn.lock"),
        *("requirements.md", ".dockerignore", "Dockerfile.dockerignore", "config.yaml", "my_environment.py"),
    ],
)
def test_what_does_not(file):
    assert not is_listing(file)


def test_compose_files_go_by_their_name():
    for file in ("compose.yaml", "docker-compose.yml", "docker/docker-compose.gpu.yml", "compose.dev.yaml"):
        assert is_compose(file)
    assert not is_compose("decompose.yaml")


def test_environments_caches_and_other_repositories_are_left_aside(lay_out):
    folder = lay_out({
        "a/requirements.txt": "",
        "node_modules/x/requirements.txt": "",
        ".git/requirements.txt": "",
        ".venv/requirements.txt": "",
        ".devcontainer/Dockerfile": "FROM x\n",
        "mine/pyvenv.cfg": "",
        "mine/requirements.txt": "",
        "conda/conda-meta/history": "",
        "conda/environment.yml": "",
        "env/requirements.txt": "",
    })  # fmt: skip
    found = find(folder)
    assert found.listings == (".devcontainer/Dockerfile", "a/requirements.txt")
    assert found.unread == ()


def test_the_looking_ends_four_folders_deep(lay_out):
    folder = lay_out({"1/2/3/4/requirements.txt": "", "1/2/3/4/5/requirements.txt": ""})
    assert find(folder).listings == ("1/2/3/4/requirements.txt",)


def test_links_are_followed_inside_and_nowhere_else(lay_out, tmp_path_factory):
    folder = lay_out({"docker/base.txt": "torch==2.6.0\n"})
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("torch==1.13.1\n")
    (folder / "requirements.txt").symlink_to("docker/base.txt")
    (folder / "requirements-out.txt").symlink_to(outside)
    (folder / "requirements-gone.txt").symlink_to("nowhere.txt")
    (folder / "requirements-loop.txt").symlink_to("requirements-loop.txt")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    found = find(folder)
    assert found.listings == ("requirements.txt",)
    assert [one.place for one in found.unread] == [
        "requirements-gone.txt",
        "requirements-loop.txt",
        "requirements-out.txt",
    ]


def test_a_pipe_is_no_file(lay_out):
    folder = lay_out({})
    os.mkfifo(folder / "requirements.txt")
    found = find(folder)
    assert found.listings == ()
    assert [one.place for one in found.unread] == ["requirements.txt"]


def test_a_folder_that_may_not_be_looked_into_is_named(lay_out, monkeypatch):
    folder = lay_out({"closed/requirements.txt": "", "requirements.txt": ""})
    own = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find(folder)
    assert found.listings == ("requirements.txt",)
    assert [(one.place, one.why) for one in found.unread] == [("closed", "Permission denied")]


AS_SOMEBODY = """
import os, sys
from pathlib import Path
from envcheck.doctor.project.find import find
os.setgroups([]), os.setgid(1234), os.setuid(1234)
found = find(Path(sys.argv[1]))
print(found.listings, [(one.place, one.why) for one in found.unread])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else, to whom folders are closed")
def test_a_folder_that_is_closed_takes_nothing_else_along(lay_out, root):
    folder = lay_out({"pgdata/base/requirements.txt": "", "src/requirements.txt": "", "requirements.txt": ""})
    (folder / "pgdata").chmod(0o700)
    for above in (folder, *folder.parents[:3]):  # pytest's folders are its user's
        above.chmod(above.stat().st_mode | 0o055)
    argv = [sys.executable, "-c", AS_SOMEBODY, str(folder)]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    said = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    expected = ("requirements.txt", "src/requirements.txt"), [("pgdata", "Permission denied")]
    assert said.stdout.split("\n")[0] == f"{expected[0]} {expected[1]}"


def test_of_very_many_files_the_first_are_read_and_the_rest_is_said(lay_out):
    folder = lay_out({f"requirements-{number:03}.txt": "" for number in range(70)})
    found = find(folder)
    assert len(found.listings) == 60
    assert [one.place for one in found.unread] == ["requirements-060.txt"]


def test_of_very_many_entries_too(lay_out, monkeypatch):
    monkeypatch.setattr(module, "_MOST_ENTRIES", 5)
    folder = lay_out({"requirements.txt": "", **{f"data/{number}.jpg": "" for number in range(9)}})
    found = find(folder)
    assert found.listings == ("requirements.txt",)
    assert [one.place for one in found.unread] == ["data"]
