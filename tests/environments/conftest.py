"""A small package index of our own: real wheels, made here, in a find-links folder that real pip reads."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _make_wheel(folder: Path, name: str, version: str = "1.0", content: str = "") -> Path:
    """Write the wheel of a package with one module and one console script."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": content or f'"""A module."""\n\n\ndef main():\n    print("{name} {version}")\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n",
    }
    lines = []
    for member, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{member},sha256={digest},{len(text.encode())}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return file


def _pin(wheel: Path) -> str:
    """The lock's line for a wheel."""
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


class Listener:
    """Hears the steps of a build."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        self.steps.append(title)
        yield lambda _news: None


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that is all that pip knows: no index, no settings of the machine."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., Path]:
    """`make_wheel(folder, name, version="1.0", content="")` writes a small, real wheel."""
    return _make_wheel


@pytest.fixture(scope="session")
def pin() -> Callable[[Path], str]:
    """`pin(wheel)` is the wheel's line in a lock."""
    return _pin
