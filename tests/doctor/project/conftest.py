"""Repositories laid out for a test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from envcheck.doctor.project.facts import Project
from envcheck.doctor.project.read import read_project
from envcheck.host.facts import Host


@pytest.fixture
def lay_out(tmp_path) -> Callable[[dict[str, str]], Path]:
    """Return a function that writes files, by their path, and returns the folder."""

    def lay_out(files: dict[str, str]) -> Path:
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return lay_out


@pytest.fixture
def read(lay_out, machine) -> Callable[..., Project]:
    """Return a function that reads files as a repository, for a machine of tests/hosts."""

    def read(files: dict[str, str], host: Host | None = None) -> Project:
        return read_project(lay_out(files), host or machine("rtx3090-driver550"))

    return read
