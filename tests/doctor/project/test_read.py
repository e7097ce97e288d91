"""A repository as it is read: places, what is not understood, and what somebody may have put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from envcheck.doctor.checks.on_request import PROJECT
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.project import read as module
from envcheck.doctor.project.read import read_project
from envcheck.errors import UsageError


def test_there_has_to_be_a_folder(tmp_path, machine):
    with pytest.raises(UsageError, match="no such folder"):
        read_project(tmp_path / "gone", machine("rtx3090-driver550"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no such folder"):
        read_project(tmp_path / "file", machine("rtx3090-driver550"))


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("requirements.txt", "\ntorch==2.6.0\n", "requirements.txt:2: torch==2.6.0"),
        (
            "pyproject.toml",
            '[project]\nname = "x"\ndependencies = [\n  "tqdm",\n  "torch==2.6.0",\n]\n',
            "pyproject.toml:5: project.dependencies: torch==2.6.0",
        ),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\nnumpy = "^2.0"\ntorch = "^2.0"\n',
            "pyproject.toml:3: tool.poetry.dependencies.torch: ^2.0",
        ),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\ntorch = "^2.0"\ntorch-scatter = "^2.0"\n',
            "pyproject.toml: tool.poetry.dependencies.torch: ^2.0",
        ),
        (
            "environment.yml",
            "dependencies:\n  - python=3.10\n  - pytorch=2.5.1\n",
            "environment.yml:3: pytorch=2.5.1",
        ),
        ("a/Dockerfile", "FROM x\n\nRUN pip install torch==2.6.0\n", "a/Dockerfile:3: torch==2.6.0"),
    ],
)  # fmt: skip
def test_a_line_is_named_by_its_file_and_number(read, name, text, place):
    (listing,) = read({name: text}).listings
    assert place in [one.line or one.origin for one in listing.said]


def test_a_file_that_another_names_keeps_its_own_lines(read):
    files = {"Dockerfile": "FROM x\nRUN pip install -r req/base.txt\n", "req/base.txt": "\n\ntorch==2.6.0\n"}
    (listing,) = read(files).listings
    assert "req/base.txt:3: torch==2.6.0" in [one.origin for one in listing.said]


def test_the_folder_may_be_the_one_that_one_stands_in(lay_out, machine, monkeypatch):
    monkeypatch.chdir(lay_out({"requirements.txt": "torch==2.6.0\n"}))
    (listing,) = read_project(Path(), machine("rtx3090-driver550")).listings
    assert (listing.file, listing.path) == ("requirements.txt", "requirements.txt")
    assert listing.said[0].origin == "requirements.txt:1: torch==2.6.0"


@pytest.mark.parametrize(
    ("name", "text", "place", "why"),
    [
        ("requirements.txt", "torch==not one\n", "requirements.txt:1", "torch==not one"),
        ("requirements.txt", "-r gone.txt\n", "requirements.txt:1", "no file 'gone.txt'"),
        ("pyproject.toml", "[project\n", "pyproject.toml", "not TOML"),
        ("environment.yml", "a: &a [1]\nb: *a\n", "environment.yml:2", "alias"),
        ("Dockerfile", "FROM ${BASE}\n", "Dockerfile:1", "names no image"),
        ("setup.py", "import setuptools\nsetuptools.setup(install_requires=a())\n", "setup.py:2", "matters"),
        ("Dockerfile", "FROM x\nRUN pip install $TORCH\n", "Dockerfile:2", "matters"),
        ("requirements.txt", "torch==1.0\ntorch==2.0\n", "requirements.txt:1", "contradicts"),
        ("requirements.txt", "tqdm\n\x1b[31mtorch==1.0\n", "requirements.txt:2: \x1b[31mtorch", "cannot"),
        ("requirements.txt", "<<<<<<< HEAD\ntqdm\n", "requirements.txt:1: <<<<<<< HEAD", "cannot be read"),
        ("requirements.txt", "tqdm=4\n", "requirements.txt:1: tqdm=4", "cannot be read"),
        ("requirements.txt", "--torch 2.0\n", "requirements.txt:1: --torch 2.0", "no option"),
        ("requirements.txt", "-r /etc/passwd\n", "requirements.txt:1: -r /etc/passwd", "leads out"),
        ("requirements.txt", "-c ../../bounds.txt\n", "requirements.txt:1: -c ../../bounds.txt", "leads out"),
        ("environment.yml", "dependencies:\n  - '!pytorch=1'\n", "environment.yml:2: !pytorch=1", "cannot"),
        (
            "environment.yml",
            "dependencies:\n  - pip:\n    - -r /etc/passwd\n",
            "environment.yml: pip: -r /etc/passwd",
            "leads out",
        ),
        (
            "pyproject.toml",
            '[project]\ndependencies = ["tqdm",\n "timm=1"]\n',
            "pyproject.toml:3: project.dependencies: timm=1",
            "cannot be read",
        ),
        (
            "uv.lock",
            '[[package]]\nname = "tqdm"\nversion = "one"\n',
            "uv.lock: tqdm one",
            "cannot be read",
        ),
        ("Dockerfile", "FROM x\nRUN pip install 'torch\n", "Dockerfile:2: RUN pip install 'torch", "matters"),
        ("Dockerfile", "FROM x\nRUN conda install -f a.yml\n", "Dockerfile:2: conda -f a.yml", "matters"),
        ("Dockerfile", "FROM x\nRUN conda install a=$V\n", "Dockerfile:2: conda a=$V", "matters"),
        ("compose.yaml", "services:\n  a:\n    build: gone\n", "compose.yaml:2: services.a", "gone/D"),
        ("compose.yaml", "services: 1\n", "compose.yaml", "no mapping"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(read, name, text, place, why):
    (one,) = read({name: text}).unread
    assert one.place.startswith(place)
    assert why in f"{one.place} {one.why}"


def test_lines_that_say_nothing_of_packages_are_understood(read):
    text = """
    # a comment
    --pre
    --no-index
    --require-hashes
    --trusted-host mirror.example
    --use-feature fast-deps
    --only-binary=:all:
    -f wheels
    tqdm==4.66 --hash=sha256:aa
    -e .
    """
    project = read({"requirements.txt": text})
    assert project.unread == ()
    assert list(project.listings[0].packages) == ["tqdm"]


def test_a_file_outside_is_not_opened_whatever_leads_there(lay_out, machine, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("torch==1.13.1\n")
    folder = lay_out(
        {"requirements.txt": f"-r {outside}\n-r link.txt\n-r inside.txt\n", "inside.txt": "timm\n"}
    )
    (folder / "link.txt").symlink_to(outside)
    project = read_project(folder, machine("rtx3090-driver550"))
    assert [one.place.partition(": ")[0] for one in project.unread] == [
        "requirements.txt:1",
        "requirements.txt:2",
    ]
    assert list(project.listings[0].packages) == ["timm"]


def test_a_service_that_is_built_from_a_file_of_the_repository_is_understood(read):
    files = {"compose.yaml": "services:\n  a:\n    build: {context: ., dockerfile: Dockerfile_gpu}\n"}
    assert read({**files, "Dockerfile_gpu": "FROM python:3.11\n"}).unread == ()


def test_a_file_that_may_not_be_read_is_named(lay_out, machine, monkeypatch):
    folder = lay_out({"requirements.txt": "torch\n", "docker/Dockerfile": "FROM python:3.11\n"})
    own = Path.open

    def closed(self, *arguments, **named):
        if self.name == "requirements.txt":
            raise PermissionError(13, "Permission denied")
        return own(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", closed)
    project = read_project(folder, machine("rtx3090-driver550"))
    assert [(one.place, one.why) for one in project.unread] == [("requirements.txt", "Permission denied.")]
    assert [one.file for one in project.listings] == ["docker/Dockerfile"]


HOSTILE = {
    "one long line": {"requirements.txt": "torch==2.6.0 # " + "x" * 1_000_000},
    "a long name": {"requirements.txt": "torch" + "x" * 900_000 + "\n"},
    "binary": {"Dockerfile": "FROM x\n\0\x1b[2J\n"},
    "many lines": {"requirements.txt": "torch==2.6.0\n" * 70_000},
    "a bomb": {
        "environment.yml": "a: &a [x,x]\n"
        + "".join(f"{n}: &{n} [*{p},*{p}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True))
    },
    "a deep one": {"environment.yml": "dependencies: " + "[" * 60_000},
    "a wide pattern": {"compose.yaml": "services:\n  '" + "(a+" * 2000 + "':\n    image: x\n"},
    "names": {
        "requirements.txt": "torch==2.6.0\n::error::x==1\n[red]y[/]==2\nnumpy==2.0 \x1b[2J\n",
        "Dockerfile": "FROM nvidia/cuda:12.8\x1b]0;x\x07\nRUN pip install torch==2.6.0\n",
        "compose.yaml": "services:\n  '::error::[red]\\e':\n    image: nvidia/cuda:12.8.1-base\n",
    },
    "a circle": {"requirements.txt": "-r requirements2.txt\n", "requirements2.txt": "-r requirements.txt\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_lies_there_every_check_says_something_short(read, machine, name):
    host = machine("rtx3090-driver550")
    findings = diagnose(host, checks=PROJECT, project=read(HOSTILE[name], host)).findings
    assert len(findings) == len(PROJECT)
    for finding in findings:
        assert "The check failed" not in finding.cause
        assert len(finding.evidence) < 100
        assert all(len(line) < 1500 for line in (*finding.evidence, finding.title, finding.cause))


def test_of_very_many_lines_the_first_are_read_and_the_rest_is_said(read, monkeypatch):
    monkeypatch.setattr(module, "_MOST_LINES", 3)
    project = read({f"requirements-{number}.txt": "a\nb\n" for number in range(4)})
    assert [one.file for one in project.listings] == ["requirements-0.txt", "requirements-1.txt"]
    assert [one.place for one in project.unread] == ["requirements-2.txt"]


def test_a_password_in_an_address_is_not_told(read, machine):
    host = machine("rtx5090-r580")
    text = "--extra-index-url https://me:secret@a.example/whl/cu117\ntorch==1.13.1\n"
    project = read({"requirements.txt": text}, host)
    findings = diagnose(host, checks=PROJECT, project=project).findings
    assert any("a.example" in line for finding in findings for line in finding.evidence)
    assert "secret" not in repr(findings)
