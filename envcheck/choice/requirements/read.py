"""Reads what somebody else's repository asks for, whatever file says it; runs and downloads nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.specifiers import SpecifierSet

from envcheck.choice.requirements.asked import Asked, Said, assumed_python, settle
from envcheck.choice.requirements.conda import read_conda
from envcheck.choice.requirements.dockerfile import read_dockerfile
from envcheck.choice.requirements.locked import read_lock, read_pipfile, read_pipfile_lock
from envcheck.choice.requirements.pip import read_pip
from envcheck.choice.requirements.pyproject import read_pyproject
from envcheck.choice.requirements.setuptools import read_setup_cfg, read_setup_py
from envcheck.documents import read_text
from envcheck.errors import UsageError

_Reader = Callable[..., Iterator[Said]]

_NOT_READ = re.compile(r".*\.(?:py|cfg|lock|json|ipynb|sh)")
# A file's name tells its format, and where it tells none, a line of it.
_FORMATS: tuple[tuple[str, str, _Reader], ...] = (
    (r"(dockerfile|containerfile)(\..*)?|.*\.(dockerfile|containerfile)", r"FROM\s", read_dockerfile),
    (r"setup\.cfg", r"\[options\]", read_setup_cfg),
    (r"setup\.py", r"(?:from|import)\s+setuptools", read_setup_py),
    (r"(?:poetry|uv)\.lock|pylock(?:\..+)?\.toml", r"\[\[packages?\]\]", read_lock),
    (r"pipfile\.lock", r"\{\s*\"_meta\"", read_pipfile_lock),
    (r"pipfile", r"\[packages\]", read_pipfile),
    (r".*\.toml", r"\[(project|tool\.|build-system|dependency-groups)", read_pyproject),
    (r".*\.ya?ml", r"dependencies\s*:", read_conda),
    (r".*\.(txt|in)", r"", read_pip),
)
# These follow a line to the file that it names.
_FOLLOWING = (read_dockerfile, read_conda, read_pip)


def read(path: Path, *, python: SpecifierSet | None = None, within: Path | None = None) -> Asked:
    """Return all that a file asks for; markers are read for a Python that the file, or `python`, allows.

    torchvision and torchaudio come without a version, torch's own dependencies not at all; what no index
    serves is left out, and the wishes' origins say so. No line leads out of `within`. Raises `UsageError`.
    """
    text = read_text(path)
    return settle(_said(text, path, assumed_python(python or SpecifierSet()), within), str(path))


def _said(text: str, path: Path, python: str, within: Path | None) -> Iterator[Said]:
    name = path.name.lower()
    by_name = [reader for names, _, reader in _FORMATS if re.fullmatch(names, name)]
    if not by_name and _NOT_READ.fullmatch(name):
        hint = "Read are requirements.txt, pyproject.toml, environment.yml, a Dockerfile, setup.cfg, locks."
        raise UsageError(f"{path}: files of this kind are not read", hint)
    by_line = [reader for _, line, reader in _FORMATS if re.search(f"^{line}", text, re.MULTILINE)]
    reader = (*by_name, *by_line)[0]
    return reader(text, path, python, within) if reader in _FOLLOWING else reader(text, path, python)
